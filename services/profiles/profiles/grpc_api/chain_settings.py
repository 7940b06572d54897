"""Chain settings on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class ChainSettingsCalls:
    """The RPCs on chain settings."""

    _database: Database
    _clock: Clock
