"""Returns on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class ReturnCalls:
    """The RPCs on returns."""

    _database: Database
    _clock: Clock
