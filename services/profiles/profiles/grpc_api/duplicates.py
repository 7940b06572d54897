"""Duplicates on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class DuplicateCalls:
    """The RPCs on duplicates."""

    _database: Database
    _clock: Clock
