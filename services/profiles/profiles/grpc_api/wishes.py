"""Wishes on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class WishCalls:
    """The RPCs on wishes."""

    _database: Database
    _clock: Clock
