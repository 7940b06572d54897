"""Preferences on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class PreferenceCalls:
    """The RPCs on preferences."""

    _database: Database
    _clock: Clock
