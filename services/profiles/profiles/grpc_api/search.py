"""Search on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class SearchCalls:
    """The RPCs on search."""

    _database: Database
    _clock: Clock
