"""Erasures on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class ErasureCalls:
    """The RPCs on erasures."""

    _database: Database
    _clock: Clock
