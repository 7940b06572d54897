"""Audit on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class AuditCalls:
    """The RPCs on audit."""

    _database: Database
    _clock: Clock
