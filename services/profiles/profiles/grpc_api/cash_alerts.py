"""Cash alerts on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class CashAlertCalls:
    """The RPCs on cash alerts."""

    _database: Database
    _clock: Clock
