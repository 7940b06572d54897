"""A suggestion and its rules. Must not know numpy, SQL or any transport; how suggestions are found is in `scoring`."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from chassis.errors import Kind, ServiceError, invalid


class Signal(enum.StrEnum):
    """A kind of reason to contact a client; the order is the contract's."""

    SILENT_ONE_TIMER = "silent_one_timer"
    HIGH_INTENT = "high_intent"
    OCCASION_AHEAD = "occasion_ahead"
    VIP_GOING_QUIET = "vip_going_quiet"
    LAST_YEARS_GIFT = "last_years_gift"
    RELATED_OCCASION = "related_occasion"
    BRIDAL_MILESTONE = "bridal_milestone"
    NEED_BY_NEAR = "need_by_near"
    VISIT_FOLLOW_UP = "visit_follow_up"
    TWO_TWO_TWO = "two_two_two"
    FIRST_PURCHASE_MONTH = "first_purchase_month"
    REPAIR_READY = "repair_ready"
    CARE_DUE = "care_due"
    WISH_ARRIVED = "wish_arrived"
    FAVOURITE_ARRIVED = "favourite_arrived"
    WAITLIST_MOVED = "waitlist_moved"
    APPOINTMENT_MISSED = "appointment_missed"
    UNANSWERED_MESSAGE = "unanswered_message"
    THANK_YOU = "thank_you"


SIGNALS: tuple[Signal, ...] = tuple(Signal)


class SuggestionState(enum.StrEnum):
    """What became of a suggestion."""

    OPEN = "open"
    SNOOZED = "snoozed"
    SENT = "sent"
    DISMISSED = "dismissed"
    EXPIRED = "expired"
    LOGGED = "logged"


class Tier(enum.StrEnum):
    """How much a client matters by recency, frequency and money; the order is the contract's."""

    TOP = "top"
    MIDDLE = "middle"
    BASE = "base"
    PROSPECT = "prospect"


class TierAction(enum.StrEnum):
    """What a tier gets when a signal speaks."""

    PERSONAL = "personal"
    AUTOMATED = "automated"
    NONE = "none"


class ContactKind(enum.StrEnum):
    """How a client was reached outside messaging."""

    CALL = "call"
    VISIT = "visit"
    EMAIL = "email"
    OTHER = "other"


# Longer than handing a text to messaging takes.
_ON_ITS_WAY = timedelta(minutes=1)
# By which an associate's phone may be ahead of us.
_CLOCKS_DIFFER = timedelta(minutes=1)

_LIVE = (SuggestionState.OPEN, SuggestionState.SNOOZED)


class SuggestionClosed(ServiceError):
    """The suggestion was answered, or its time is up."""

    def __init__(self, suggestion_id: str, state: SuggestionState) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "SUGGESTION_CLOSED",
            f"This suggestion is {state} already.",
            metadata={"suggestion_id": suggestion_id, "state": state.upper()},
        )


class SnoozeNotAhead(ServiceError):
    """A suggestion can only be put away until a day to come."""

    def __init__(self, until: date, today: date) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "SNOOZE_NOT_AHEAD",
            f"{until} is not ahead: today is {today} at the chain.",
            metadata={"until_date": until.isoformat(), "today": today.isoformat()},
        )


class SuggestionSuperseded(ServiceError):
    """The client has a newer suggestion on a queue; one client is never on it twice."""

    def __init__(self, suggestion_id: str, newer_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "SUGGESTION_SUPERSEDED",
            "This client has a newer suggestion already.",
            metadata={"suggestion_id": suggestion_id, "newer_suggestion_id": newer_id},
        )


class SendDenied(ServiceError):
    """Messaging's gate refused the text; `reasons` are (UPPER_SNAKE, words) as the gate says them."""

    def __init__(self, suggestion_id: str, message_id: str, reasons: Sequence[tuple[str, str]]) -> None:
        said = " ".join(words for _, words in reasons) or "The send gate gave no reason."
        super().__init__(
            Kind.PRECONDITION,
            "SEND_DENIED",
            f"The text was not sent. {said}",
            metadata={
                "suggestion_id": suggestion_id,
                "message_id": message_id,
                "reasons": ",".join(reason for reason, _ in reasons),
            },
        )


class SendFailed(ServiceError):
    """The text was taken and then not delivered to the network, for good."""

    def __init__(self, suggestion_id: str, message_id: str, error_code: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "SEND_FAILED",
            "The network did not take the text. Try again, or reach the client another way.",
            metadata={"suggestion_id": suggestion_id, "message_id": message_id, "error_code": error_code},
        )


class SendUnderWay(ServiceError):
    """A text of the suggestion is going out at this moment."""

    def __init__(self, suggestion_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "SEND_UNDER_WAY",
            "A text for this suggestion is on its way at this moment. Look at it again.",
            metadata={"suggestion_id": suggestion_id},
            retry_after=1.0,
        )


class AssociateLeft(ServiceError):
    """Nothing is handed on to somebody who is not with the house any more."""

    def __init__(self, associate_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "ASSOCIATE_LEFT",
            "This associate is no longer with the house.",
            metadata={"associate_id": associate_id},
        )


class ScoringRunning(ServiceError):
    """Another ranking of this chain is under way."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "SCORING_RUNNING",
            "This chain is being ranked at the moment. Try again.",
            retry_after=2.0,
        )


class AsOfAhead(ServiceError):
    """A ranking for a day that has not come would pretend to know what happens until then."""

    def __init__(self, as_of: date, today: date) -> None:
        super().__init__(
            Kind.INVALID,
            "AS_OF_AHEAD",
            f"as_of_date: {as_of} has not come yet: today is {today} at the chain.",
            metadata={"as_of_date": as_of.isoformat(), "today": today.isoformat()},
        )


@dataclass(frozen=True)
class Reason:
    """One part of why; the contributions of a suggestion's reasons add up to its score.

    A contribution is value x effect x urgency x freshness; all are 0 in one that was made before they were kept.
    `source` is where the facts are from.
    """

    signal: Signal
    sentence: str
    contribution: float
    facts: Mapping[str, str] = field(default_factory=dict)
    value: float = 0.0
    effect: float = 0.0
    urgency: float = 0.0
    freshness: float = 0.0
    source: str = ""


@dataclass(frozen=True)
class Suggestion:
    """One client on one associate's queue. At most one of a client is live (open or snoozed).

    `attempt` counts the texts that messaging refused for good. `tried_bodies` are the texts handed to messaging in this
    attempt whose fate is not known yet; they are forgotten once it is.
    """

    suggestion_id: str
    client_id: str
    associate_id: str
    store_id: str
    state: SuggestionState
    as_of: date
    expires_on: date
    score: float
    reasons: tuple[Reason, ...]
    model_note: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    snoozed_until: date | None = None
    dismiss_reason: str = ""
    message_id: str = ""
    conversation_id: str = ""
    sent_fingerprint: str = ""
    attempt: int = 0
    tried_bodies: tuple[str, ...] = ()
    answered_at: datetime | None = None
    tier: Tier | None = None
    action: TierAction = TierAction.PERSONAL
    is_explored: bool = False
    contact_kind: ContactKind | None = None
    contact_note: str = ""
    contacted_at: datetime | None = None
    reassigned_by: str = ""
    # Has been open, or would be, for longer than the chain allows; known where a queue was read.
    waits_long: bool = False

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Return the signals of its reasons, strongest first."""
        return tuple(reason.signal for reason in self.reasons)

    @property
    def is_overdue(self) -> bool:
        """Return whether it is open for longer than the chain allows."""
        return self.state is SuggestionState.OPEN and self.waits_long

    def require_still(self, now: datetime) -> None:
        """Refuse with SEND_UNDER_WAY while a text of it may be going out: what is done with it is not known yet."""
        if self.tried_bodies and now - self.updated_at < _ON_ITS_WAY:
            raise SendUnderWay(self.suggestion_id)

    def require_live(self) -> None:
        """Refuse with SUGGESTION_CLOSED what was answered or has expired."""
        if self.state not in _LIVE:
            raise SuggestionClosed(self.suggestion_id, self.state)

    def snoozed(self, until: date, *, today: date, now: datetime) -> "Suggestion":
        """Return it put away until a day; the same day again changes nothing."""
        self.require_live()
        if until <= today:
            raise SnoozeNotAhead(until, today)
        if self.state is SuggestionState.SNOOZED and self.snoozed_until == until:
            return self
        self.require_still(now)
        return self._changed(now, state=SuggestionState.SNOOZED, snoozed_until=until)

    def dismissed(self, reason: str, *, now: datetime) -> "Suggestion":
        """Return it put away for good; a second dismissal changes nothing, the first one's reason stays."""
        if self.state is SuggestionState.DISMISSED:
            return self
        self.require_live()
        self.require_still(now)
        return self._changed(
            now, state=SuggestionState.DISMISSED, snoozed_until=None, dismiss_reason=reason, answered_at=now
        )

    def logged(
        self, kind: ContactKind, note: str, contacted_at: datetime | None, *, now: datetime
    ) -> "Suggestion":
        """Return it done by a contact outside messaging, now where no time is given; the same again changes nothing.

        Raises SUGGESTION_CLOSED, SEND_UNDER_WAY, and FIELD_INVALID for a time ahead or before there was a suggestion.
        """
        is_same = (self.contact_kind, self.contact_note) == (kind, note)
        if self.state is SuggestionState.LOGGED and is_same and contacted_at in (None, self.contacted_at):
            return self
        self.require_live()
        self.require_still(now)
        if contacted_at is not None and contacted_at > now + _CLOCKS_DIFFER:
            raise invalid("contact_time", "is ahead: a contact is noted when it was made")
        if contacted_at is not None and contacted_at < self.created_at:
            raise invalid("contact_time", "is before the suggestion was made")
        return self._changed(
            now,
            state=SuggestionState.LOGGED,
            snoozed_until=None,
            contact_kind=kind,
            contact_note=note,
            contacted_at=now if contacted_at is None else min(contacted_at, now),
            answered_at=now,
        )

    def handed_on(self, associate_id: str, *, by: str, is_owner: bool, now: datetime) -> "Suggestion":
        """Return it on another associate's queue, snoozed if it was; who has it already keeps it as it is.

        `is_owner`: the client is in that associate's book, so rankings may say again whose it is.
        """
        self.require_live()
        if associate_id == self.associate_id:
            return self
        self.require_still(now)
        return self._changed(now, associate_id=associate_id, reassigned_by="" if is_owner else by)

    def reopened(self, *, today: date, now: datetime) -> "Suggestion":
        """Return it open again; one that is open stays as it is. Refuses one that was sent or whose time is up."""
        if self.state is SuggestionState.OPEN:
            return self
        if self.state in (SuggestionState.SENT, SuggestionState.EXPIRED):
            raise SuggestionClosed(self.suggestion_id, self.state)
        if self.expires_on < today:
            raise SuggestionClosed(self.suggestion_id, SuggestionState.EXPIRED)
        return self._changed(
            now,
            state=SuggestionState.OPEN,
            snoozed_until=None,
            dismiss_reason="",
            answered_at=None,
            contact_kind=None,
            contact_note="",
            contacted_at=None,
        )

    def trying(self, body: str, *, now: datetime) -> "Suggestion":
        """Return it with `body` noted as on its way to messaging."""
        self.require_live()
        if body in self.tried_bodies:
            return self
        return replace(self, tried_bodies=(*self.tried_bodies, body), updated_at=now)

    def refused(self, attempt: int, *, now: datetime) -> "Suggestion":
        """Return it ready for another text after messaging refused `attempt` for good."""
        if attempt < self.attempt:
            return self
        return replace(self, attempt=attempt + 1, tried_bodies=(), updated_at=now)

    def sent(self, *, message_id: str, conversation_id: str, fingerprint: str, now: datetime) -> "Suggestion":
        """Return it done. The text is out, so this holds whatever happened to the suggestion meanwhile."""
        if self.state is SuggestionState.SENT:
            return self
        return self._changed(
            now,
            state=SuggestionState.SENT,
            snoozed_until=None,
            dismiss_reason="",
            message_id=message_id,
            conversation_id=conversation_id,
            sent_fingerprint=fingerprint,
            tried_bodies=(),
            answered_at=now,
        )

    @property
    def send_id(self) -> str:
        """Return the request id under which messaging is asked: one a suggestion and attempt, so never two texts."""
        return f"{self.suggestion_id}.{self.attempt}"

    def _changed(self, now: datetime, **fields: object) -> "Suggestion":
        return replace(self, version=self.version + 1, updated_at=now, **fields)  # type: ignore[arg-type]
