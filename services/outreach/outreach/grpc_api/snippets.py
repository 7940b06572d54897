"""Texts that associates keep for drafts: proto to arguments, one use case, back to proto."""

from chassis.clock import Clock
from chassis.database import Database


class SnippetCalls:
    """The RPCs of this part of the contract."""

    _database: Database
    _clock: Clock
