"""Merges on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class MergeCalls:
    """The RPCs on merges."""

    _database: Database
    _clock: Clock
