"""Relationships on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class RelationshipCalls:
    """The RPCs on relationships."""

    _database: Database
    _clock: Clock
