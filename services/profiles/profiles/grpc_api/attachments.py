"""Attachments on the wire."""

from chassis.clock import Clock
from chassis.database import Database


class AttachmentCalls:
    """The RPCs on attachments."""

    _database: Database
    _clock: Clock
