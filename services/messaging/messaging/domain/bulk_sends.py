"""Bulk sends, their recipients, and campaigns that are paused because of their opt-outs. Pure."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chassis.errors import Kind, ServiceError, Violation, invalid
from messaging.domain.permissions import Purpose
from messaging.domain.senders import Channel
from messaging.domain.templates import LONGEST_VALUE, Template

# How long after a text an opt-out is taken for an answer to it.
OPT_OUT_WINDOW = timedelta(days=7)
# Until when a bulk send goes on that nobody gave an end.
USUAL_LIFE = timedelta(hours=72)
LONGEST_WAIT = timedelta(days=366)
# Why a bulk send is paused that nobody paused.
OPT_OUT_RATE = "OPT_OUT_RATE"

# Why a recipient never became a message, where the gate was not even asked.
CLIENT_NOT_FOUND = "CLIENT_NOT_FOUND"
CLIENT_UNREACHABLE = "CLIENT_UNREACHABLE"
TEMPLATE_VALUE_MISSING = "TEMPLATE_VALUE_MISSING"
TEXT_TOO_LONG = "TEXT_TOO_LONG"
DUPLICATE_NUMBER = "DUPLICATE_NUMBER"


class BulkSendState(enum.StrEnum):
    """Where a bulk send stands."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    FINISHED = "FINISHED"


OVER = frozenset({BulkSendState.CANCELLED, BulkSendState.FINISHED})


class BulkRecipientState(enum.StrEnum):
    """What became of a recipient; read from the message, where there is one."""

    FROZEN = "FROZEN"
    QUEUED = "QUEUED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    DENIED = "DENIED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True)
class BulkRecipient:
    """Somebody whom a bulk send is for, with the values of the template's variables."""

    client_id: str
    values: Mapping[str, str] = field(repr=False)
    position: int = 0


@dataclass(frozen=True)
class BulkSend:
    """One text to many. `template` is as it was when the bulk send was taken, and so is all the rest.

    `segments_each` is what one text may come to, for estimates only. `handed_out` is the position up to which
    recipients were given to a worker. `finished_at` is when nothing was left to be done; of a cancelled one, too.
    """

    bulk_send_id: str
    display_name: str
    store_id: str
    purpose: Purpose
    channel: Channel
    body: str = field(repr=False)
    subject: str = field(repr=False)
    template_id: str
    template: Template | None
    media_ids: tuple[str, ...]
    campaign_id: str
    author: str
    recipient_count: int
    segments_each: int
    send_after: datetime
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    state: BulkSendState = BulkSendState.RUNNING
    pause_reason: str = ""
    handed_out: int = 0
    finished_at: datetime | None = None

    def changed(self, *, now: datetime, **changes: Any) -> "BulkSend":
        """Return the bulk send with some fields changed at `now`."""
        return replace(self, updated_at=now, **changes)

    def paused(self, reason: str, *, now: datetime) -> "BulkSend":
        """Return the bulk send held back; a repeat changes nothing. Raises BULK_SEND_OVER."""
        if self.state is BulkSendState.PAUSED:
            return self
        self._require_going_on()
        return self.changed(now=now, state=BulkSendState.PAUSED, pause_reason=reason)

    def resumed(self, *, now: datetime) -> "BulkSend":
        """Return the bulk send going on; a repeat changes nothing. Raises BULK_SEND_OVER."""
        if self.state is BulkSendState.RUNNING:
            return self
        self._require_going_on()
        return self.changed(now=now, state=BulkSendState.RUNNING, pause_reason="")

    def cancelled(self, *, now: datetime) -> "BulkSend":
        """Return the bulk send taken back; a repeat changes nothing. Raises BULK_SEND_OVER for a finished one."""
        if self.state is BulkSendState.CANCELLED:
            return self
        self._require_going_on()
        return self.changed(now=now, state=BulkSendState.CANCELLED, pause_reason="")

    def _require_going_on(self) -> None:
        if self.state in OVER:
            raise BulkSendOver(self.bulk_send_id, self.state)


@dataclass(frozen=True)
class Progress:
    """How far a bulk send is: recipients by state, denied ones by reason, and what its texts cost it in opt-outs."""

    counts: Mapping[BulkRecipientState, int]
    denied_by_reason: Mapping[str, int]
    opt_out_count: int = 0

    @property
    def left(self) -> int:
        """Return how many have yet to go out."""
        return self.counts.get(BulkRecipientState.FROZEN, 0) + self.counts.get(BulkRecipientState.QUEUED, 0)

    def finish_estimate(
        self, bulk_send: BulkSend, *, segments_per_second: float, now: datetime
    ) -> datetime | None:
        """Return when it will be over at the sender's speed; None while it is paused or over."""
        if bulk_send.state is not BulkSendState.RUNNING or not self.left or segments_per_second <= 0:
            return None
        seconds = self.left * bulk_send.segments_each / segments_per_second
        begins = max(now, bulk_send.send_after)
        return min(begins + timedelta(seconds=seconds), max(begins, bulk_send.expires_at))


@dataclass(frozen=True)
class Campaign:
    """Texts whose opt-outs are counted together."""

    campaign_id: str
    is_paused: bool


def is_above(*, sent: int, opted_out: int, share: float, after: int) -> bool:
    """Return whether more than `share` of those whom a campaign reached opted out, once it has reached `after`."""
    return sent >= max(after, 1) and opted_out > share * sent


def check_times(
    send_time: datetime | None, expire_time: datetime | None, *, now: datetime
) -> tuple[datetime, datetime]:
    """Return from when to when a bulk send goes out. Raises FIELD_INVALID for times that leave it none."""
    begins = max(send_time or now, now)
    if begins - now > LONGEST_WAIT:
        raise invalid("send_time", "is more than a year ahead")
    ends = expire_time or begins + USUAL_LIFE
    if ends <= begins:
        raise invalid("expire_time", "is over before anything can go out")
    if ends - now > 2 * LONGEST_WAIT:
        raise invalid("expire_time", "is more than two years ahead")
    return begins, ends


def check_recipients(recipients: Sequence[BulkRecipient]) -> None:
    """Refuse recipients that are there twice, and values that are none. Raises RECIPIENT_TWICE, FIELD_INVALID."""
    first: dict[str, int] = {}
    for index, recipient in enumerate(recipients):
        if recipient.client_id in first:
            raise RecipientTwice(recipient.client_id, first[recipient.client_id], index)
        first[recipient.client_id] = index
        for name, value in recipient.values.items():
            if len(value) > LONGEST_VALUE:
                raise invalid(
                    f"recipients[{index}].values", f"{name} has more than {LONGEST_VALUE} characters"
                )
            if "\0" in name or "\0" in value:
                raise invalid(f"recipients[{index}].values", "must not contain the character NUL")


class RecipientTwice(ServiceError):
    """Nobody gets the same text twice; which of the two sets of values was meant, only the caller knows."""

    def __init__(self, client_id: str, first: int, second: int) -> None:
        super().__init__(
            Kind.INVALID,
            "RECIPIENT_TWICE",
            f"The client {client_id} is there twice.",
            metadata={"client_id": client_id},
            violations=[
                Violation(f"recipients[{second}].client_id", f"is the client of recipients[{first}] as well")
            ],
        )


class BulkSendOver(ServiceError):
    """What is over cannot be held back, taken up or taken back."""

    def __init__(self, bulk_send_id: str, state: BulkSendState) -> None:
        super().__init__(
            Kind.PRECONDITION, "BULK_SEND_OVER", f"The bulk send is over: it is {state}.",
            metadata={"bulk_send_id": bulk_send_id, "state": state.value},
        )  # fmt: skip


class PurposePersonal(ServiceError):
    """A conversation is had with one person."""

    def __init__(self) -> None:
        error = invalid("purpose", "is for answers to one person, not for many", reason="PURPOSE_PERSONAL")
        super().__init__(error.kind, error.reason, error.message, violations=error.violations)
