"""Changes on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class ChangeCalls:
    """The RPCs on changes."""

    _database: Database
    _clock: Clock
