"""Conversations between a store's number and one person's. Pure."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from messaging.domain.senders import Channel


class ConversationState(enum.StrEnum):
    """Whether there is something left to do in a conversation."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Conversation:
    """All texts between a store's number and one person's number."""

    conversation_id: str
    store_id: str
    sender_id: str
    client_phone: str
    client_ids: tuple[str, ...]
    unread_count: int
    last_message_time: datetime
    created_at: datetime
    channel: Channel = Channel.SMS
    state: ConversationState = ConversationState.OPEN
    assignee_id: str = ""
    waiting_since: datetime | None = None
    last_inbound_at: datetime | None = None

    @property
    def client_id(self) -> str:
        """Return whose number it is; empty for nobody's, and for a shared one, where it would be a guess."""
        return sole(self.client_ids)


def sole(client_ids: Sequence[str]) -> str:
    """Return the only client of a number, or nothing."""
    return client_ids[0] if len(client_ids) == 1 else ""
