"""Contacts logged, suggestions handed on, and how far everybody is: proto to use case, back to proto."""

from chassis.clock import Clock
from chassis.database import Database


class QueueWorkCalls:
    """The RPCs of this part of the contract."""

    _database: Database
    _clock: Clock
