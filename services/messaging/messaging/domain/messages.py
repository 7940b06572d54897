"""Messages and their way through the network. Pure."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chassis.errors import Kind, ServiceError
from messaging.domain.decisions import Decision
from messaging.domain.permissions import Purpose
from messaging.domain.senders import Channel


class Direction(enum.StrEnum):
    """Who wrote; a note is the store's own and goes to nobody."""

    OUTBOUND = "OUTBOUND"
    INBOUND = "INBOUND"
    NOTE = "NOTE"


class State(enum.StrEnum):
    """Where a message is on its way."""

    QUEUED = "QUEUED"
    DEFERRED = "DEFERRED"
    DENIED = "DENIED"
    SENDING = "SENDING"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    CANCELLED = "CANCELLED"
    RECEIVED = "RECEIVED"
    EXPIRED = "EXPIRED"
    NOTED = "NOTED"


WAITING = frozenset({State.QUEUED, State.DEFERRED})
# Outbound states that count as having written to somebody, or being about to.
STANDING = WAITING | {State.SENDING, State.UNKNOWN, State.SENT, State.DELIVERED}

# What the network says arrives in any order: a message only moves to a higher rank.
_RANKS = {
    State.QUEUED: 0,
    State.DEFERRED: 0,
    State.SENDING: 1,
    State.UNKNOWN: 2,
    State.SENT: 3,
    State.DELIVERED: 4,
    State.FAILED: 4,
    State.DENIED: 5,
    State.CANCELLED: 5,
    State.RECEIVED: 5,
    State.EXPIRED: 5,
    State.NOTED: 5,
}


def moves_forward(current: State, following: State) -> bool:
    """Return whether a message in `current` may become `following` on the network's word."""
    return _RANKS[following] > _RANKS[current]


@dataclass(frozen=True)
class ProviderTemplate:
    """A text that the network approved beforehand, by its id there, with the values that stand in it."""

    provider_template_id: str
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Message:
    """One text, in either direction. `client_zone` is the client's stored zone when it was written."""

    message_id: str
    conversation_id: str
    store_id: str
    client_id: str
    direction: Direction
    body: str = field(repr=False)
    state: State
    purpose: Purpose | None
    segments: int
    author: str
    created_at: datetime
    updated_at: datetime
    decision: Decision | None = None
    send_after: datetime | None = None
    error_code: str = ""
    client_zone: str = ""
    attempts: int = 0
    attempted_at: datetime | None = None
    sent_at: datetime | None = None
    provider_message_id: str = ""
    position: int = 0
    channel: Channel = Channel.SMS
    subject: str = field(default="", repr=False)
    template_id: str = ""
    campaign_id: str = ""
    bulk_send_id: str = ""
    reminder_id: str = ""
    expires_at: datetime | None = None
    delivered_at: datetime | None = None
    provider_template: ProviderTemplate | None = None

    @property
    def is_answer(self) -> bool:
        """Return whether somebody wrote it to this client: not the system, nor a text to many, nor a reminder."""
        is_written = self.direction is Direction.OUTBOUND and not self.author.startswith("system")
        return is_written and not (self.bulk_send_id or self.campaign_id or self.reminder_id)

    @property
    def reference(self) -> str:
        """Return what the carrier knows the current attempt by; each attempt is a text of its own to it."""
        return self.message_id if self.attempts <= 1 else f"{self.message_id}.{self.attempts}"

    def changed(self, *, now: datetime, **changes: Any) -> "Message":
        """Return the message with some fields changed at `now`."""
        return replace(self, updated_at=now, **changes)


def message_id_of(reference: str) -> str:
    """Return the message that a reference belongs to."""
    return reference.partition(".")[0]


class ClientUnreachable(ServiceError):
    """The client has no number that takes texts."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION, "CLIENT_UNREACHABLE", "This client has no mobile number.",
            metadata={"client_id": client_id},
        )  # fmt: skip


class MessageNotWaiting(ServiceError):
    """What is out cannot be taken back."""

    def __init__(self, message_id: str, state: State) -> None:
        super().__init__(
            Kind.PRECONDITION, "MESSAGE_NOT_WAITING", f"The message does not wait any more: it is {state}.",
            metadata={"message_id": message_id, "state": state.value},
        )  # fmt: skip


class SandboxOff(ServiceError):
    """There is no network to play with."""

    def __init__(self) -> None:
        super().__init__(Kind.PRECONDITION, "SANDBOX_OFF", "The sandbox network is not in use here.")
