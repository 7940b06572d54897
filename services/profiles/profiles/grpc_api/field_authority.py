"""Field authority on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class FieldAuthorityCalls:
    """The RPCs on field authority."""

    _database: Database
    _clock: Clock
