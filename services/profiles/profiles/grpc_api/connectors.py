"""Connectors on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class ConnectorCalls:
    """The RPCs on connectors."""

    _database: Database
    _clock: Clock
