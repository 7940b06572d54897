"""Conversations between a store's number and one person's. Pure."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.errors import Kind, ServiceError
from messaging.domain.messages import Direction, Message, State
from messaging.domain.senders import Channel

# WhatsApp's own rule: free text within a day of the client's last message, templates after it.
WHATSAPP_SESSION = timedelta(hours=24)


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
    client_phone: str = field(repr=False)
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

    @property
    def session_end(self) -> datetime | None:
        """Return until when free text may be written; None where no channel says so, or the client never wrote."""
        if self.channel is not Channel.WHATSAPP or self.last_inbound_at is None:
            return None
        return self.last_inbound_at + WHATSAPP_SESSION

    def given_to(self, assignee_id: str) -> "Conversation":
        """Return the conversation as somebody else's to see to, or nobody's."""
        return replace(self, assignee_id=assignee_id)

    def closed(self) -> "Conversation":
        """Return the conversation with nothing left to do: nobody waits."""
        return replace(self, state=ConversationState.CLOSED, waiting_since=None)

    def reopened(self) -> "Conversation":
        """Return the conversation open again."""
        return replace(self, state=ConversationState.OPEN)


def note_of(conversation: Conversation, *, message_id: str, body: str, author: str, now: datetime) -> Message:
    """Return something that only the store sees, as part of a conversation."""
    return Message(
        message_id=message_id,
        conversation_id=conversation.conversation_id,
        store_id=conversation.store_id,
        client_id=conversation.client_id,
        direction=Direction.NOTE,
        body=body,
        state=State.NOTED,
        purpose=None,
        segments=0,
        author=author,
        created_at=now,
        updated_at=now,
        channel=conversation.channel,
    )


def sole(client_ids: Sequence[str]) -> str:
    """Return the only client of a number, or nothing."""
    return client_ids[0] if len(client_ids) == 1 else ""


class AssociateLeft(ServiceError):
    """Who is gone sees to nothing."""

    def __init__(self, associate_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION, "ASSOCIATE_LEFT", "This associate has left.",
            metadata={"associate_id": associate_id},
        )  # fmt: skip
