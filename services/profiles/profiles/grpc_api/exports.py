"""Exports on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class ExportCalls:
    """The RPCs on exports."""

    _database: Database
    _clock: Clock
