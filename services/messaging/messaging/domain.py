"""The words of messaging: purposes, states, ledger entries, decisions, and the errors they lead to. Pure."""

import enum
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chassis.errors import Kind, ServiceError, invalid


class Purpose(enum.StrEnum):
    """Why a text is written; permission is given and taken back per purpose."""

    CONVERSATIONAL = "CONVERSATIONAL"
    SERVICE = "SERVICE"
    MARKETING = "MARKETING"


class Change(enum.StrEnum):
    """What a line of the permission ledger says."""

    GRANTED = "GRANTED"
    REVOKED = "REVOKED"
    SUSPENDED = "SUSPENDED"
    LIFTED = "LIFTED"


class Direction(enum.StrEnum):
    """Who wrote."""

    OUTBOUND = "OUTBOUND"
    INBOUND = "INBOUND"


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


WAITING = frozenset({State.QUEUED, State.DEFERRED})

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
}


def moves_forward(current: State, following: State) -> bool:
    """Return whether a message in `current` may become `following` on the network's word."""
    return _RANKS[following] > _RANKS[current]


class Verdict(enum.StrEnum):
    """The gate's answer, the mildest first."""

    ALLOW = "ALLOW"
    DEFER = "DEFER"
    DENY = "DENY"


@dataclass(frozen=True)
class Reason:
    """One reason of a decision: a word for machines, a sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True)
class Decision:
    """What the gate said about one message at one moment."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    defer_until: datetime | None = None


@dataclass(frozen=True)
class Sender:
    """A store's number."""

    sender_id: str
    store_id: str
    phone: str
    display_name: str
    created_at: datetime


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

    @property
    def client_id(self) -> str:
        """Return whose number it is; empty for nobody's, and for a shared one, where it would be a guess."""
        return sole(self.client_ids)


def sole(client_ids: Sequence[str]) -> str:
    """Return the only client of a number, or nothing."""
    return client_ids[0] if len(client_ids) == 1 else ""


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


@dataclass(frozen=True)
class PermissionEntry:
    """One line of the ledger. `cause_id` is the consent, the inbound message or the call behind it."""

    entry_id: str
    phone: str
    purpose: Purpose
    change: Change
    evidence: str = field(repr=False)
    source: str
    actor: str
    cause_id: str
    occurred_at: datetime
    position: int = 0


# Sources of entries. What a client revoked in writing, here or at the carrier, a keyword of the client may undo.
CONSENT, KEYWORD, ASSOCIATE, CARRIER = "consent", "keyword", "associate", "carrier"
PLAIN_LANGUAGE, REVIEW = "plain_language", "review"
_IN_WRITING = frozenset({KEYWORD, CARRIER, PLAIN_LANGUAGE, REVIEW})


def restored_by_keyword(entries: Iterable[PermissionEntry]) -> list[Purpose]:
    """Return the purposes that START gives back, from a number's entries, the deciding one of each purpose first.

    What the client's own words took away and had been granted before; and conversation, which START is in itself.
    While somebody has yet to look at those words, nothing: a "yes" may well mean them.
    """
    by_purpose: dict[Purpose, list[PermissionEntry]] = {purpose: [] for purpose in Purpose}
    for entry in entries:
        by_purpose[entry.purpose].append(entry)
    restored: list[Purpose] = []
    for purpose, latest_first in by_purpose.items():
        if latest_first and latest_first[0].change is Change.SUSPENDED:
            continue
        before = list(itertools.dropwhile(_is_undone_by_keyword, latest_first))
        if len(before) == len(latest_first):
            continue  # a keyword was not the last to say something
        was_granted = bool(before) and before[0].change is Change.GRANTED
        if was_granted or (not before and purpose is Purpose.CONVERSATIONAL):
            restored.append(purpose)
    return restored


def _is_undone_by_keyword(entry: PermissionEntry) -> bool:
    if entry.change is Change.SUSPENDED:
        return True  # what stands above it has settled it
    return entry.change is Change.REVOKED and entry.source in _IN_WRITING


class Likelihood(enum.StrEnum):
    """How sure it is that a text asks for silence; the number is silent either way until somebody has looked."""

    CLEAR = "CLEAR"
    POSSIBLE = "POSSIBLE"


class ReviewState(enum.StrEnum):
    """What became of a suspension."""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    LIFTED = "LIFTED"


@dataclass(frozen=True)
class Review:
    """A number that is silent because of what was written, and what a person made of it.

    `message_id`, `finding` and `suspended_at` are those of the latest such text. A number has one open review at most.
    """

    review_id: str
    phone: str
    store_id: str
    conversation_id: str
    message_id: str
    likelihood: Likelihood
    finding: str = field(repr=False)
    state: ReviewState
    suspended_at: datetime
    created_at: datetime
    decided_by: str = ""
    note: str = field(default="", repr=False)
    decided_at: datetime | None = None
    body: str = field(default="", repr=False)
    client_ids: tuple[str, ...] = ()

    def decided(self, state: ReviewState, *, by: str, note: str, now: datetime) -> "Review":
        """Return the review as decided. Raises PERMISSION_REVIEW_DECIDED when it was decided otherwise before."""
        if self.state is state:
            return self
        if self.state is not ReviewState.OPEN:
            raise PermissionReviewDecided(self)
        return replace(self, state=state, decided_by=by, note=note, decided_at=now)


class PermissionReviewDecided(ServiceError):
    """What one person decided, another does not silently overturn."""

    def __init__(self, review: Review) -> None:
        super().__init__(
            Kind.PRECONDITION, "PERMISSION_REVIEW_DECIDED",
            f"Somebody has decided this already: it is {review.state}.",
            metadata={"permission_review_id": review.review_id, "state": review.state.value},
        )  # fmt: skip


class PhoneInvalid(ServiceError):
    """The number is not one that a phone can have."""

    def __init__(self, field_name: str) -> None:
        error = invalid(field_name, "is not a phone number", reason="PHONE_INVALID")
        super().__init__(error.kind, error.reason, error.message, violations=error.violations)


class SenderPhoneTaken(ServiceError):
    """A number belongs to one store in the world."""

    def __init__(self) -> None:
        super().__init__(Kind.ALREADY_EXISTS, "SENDER_PHONE_TAKEN", "This number is a sender already.")


class SenderNotFound(ServiceError):
    """Nobody in the chain has the number that was written to."""

    def __init__(self) -> None:
        super().__init__(Kind.NOT_FOUND, "SENDER_NOT_FOUND", "No store of yours has this number.")


class SenderMissing(ServiceError):
    """The store has no number to write from."""

    def __init__(self, store_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION, "SENDER_MISSING", "This store has no number to text from yet.",
            metadata={"store_id": store_id},
        )  # fmt: skip


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
