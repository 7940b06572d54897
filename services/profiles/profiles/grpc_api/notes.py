"""Notes on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class NoteCalls:
    """The RPCs on notes."""

    _database: Database
    _clock: Clock
