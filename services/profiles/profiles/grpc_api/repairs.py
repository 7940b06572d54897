"""Repairs on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class RepairCalls:
    """The RPCs on repairs."""

    _database: Database
    _clock: Clock
