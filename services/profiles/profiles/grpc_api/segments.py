"""Segments on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class SegmentCalls:
    """The RPCs on segments."""

    _database: Database
    _clock: Clock
