"""The gate in front of every message: allow, defer until, or deny, with reasons that a person can act on. Pure.

Asked when a message is queued and again when it is sent. Must not look anything up: the question holds all the facts.
Every restriction is a fact of its own, so that one more of them never makes a decision milder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from messaging.domain import Change, Channel, Decision, Purpose, Reason, Verdict
from messaging.hours import LocalHours, is_open, next_open
from messaging.keywords import plain

# A person who wrote a moment ago is awake and waits for an answer: answers may go at any hour. WhatsApp's session lasts
# as long.
LIVE_FOR = timedelta(hours=24)
# Whoever writes to a store may be answered without having signed anything, for so long.
ANSWERABLE_FOR = timedelta(days=30)
# A consent that asks for a YES is worth nothing after so long without one.
CONFIRMABLE_FOR = timedelta(days=30)
# Two people who wrote to each other within so long are talking.
_TALK_WITHIN = timedelta(hours=24)
# When to ask again about what somebody has to change; who changes it may ask sooner.
_STOPPED_FOR = timedelta(minutes=15)
_PAUSED_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class Talk:
    """What another associate and the client last wrote to each other, and until how long after that they talk."""

    wrote_at: datetime
    answered_at: datetime
    lasts_for: timedelta

    @property
    def ends_at(self) -> datetime:
        """Return until when nobody else is to write; a talk that never was has ended."""
        if abs(self.wrote_at - self.answered_at) > _TALK_WITHIN:
            return min(self.wrote_at, self.answered_at)
        return max(self.wrote_at, self.answered_at) + self.lasts_for


@dataclass(frozen=True)
class Reached:
    """A frequency cap that the number has reached, and when it lets the next one through."""

    most: int
    days: int
    frees_at: datetime


@dataclass(frozen=True)
class BrandDay:
    """What a brand may still send today, in segments, and when its day ends."""

    segments_left: int
    ends_at: datetime


@dataclass(frozen=True)
class Question:
    """Everything that the gate must know about one message at one moment.

    `standing` is what the ledger says last for the number, the purpose and the channel; `marketing_standing` is asked
    of a text that asks for a YES. `hours` are those of every place where the client may be, and the chain's own there.
    `sender_name` is None for a store without a number, `body` None when it is not written yet.
    """

    purpose: Purpose
    now: datetime
    standing: Change | None
    hours: Sequence[LocalHours]
    sender_name: str | None
    last_inbound_at: datetime | None = None
    is_reachable: bool = True
    is_dead_number: bool = False
    is_first_message: bool = False
    body: str | None = None
    channel: Channel = Channel.SMS
    segments: int = 1
    has_provider_template: bool = False
    asks_for_confirmation: bool = False
    marketing_standing: Change | None = None
    is_erased: bool = False
    is_sender_stopped: bool = False
    is_campaign_paused: bool = False
    is_assignee: bool = False
    talk: Talk | None = None
    caps_reached: Sequence[Reached] = ()
    brand_day: BrandDay | None = None
    forbidden_phrases: Sequence[str] = ()

    @property
    def is_live(self) -> bool:
        """Return whether this answers somebody who wrote a moment ago."""
        return self.answers_within(LIVE_FOR, self.now)

    def answers_within(self, span: timedelta, moment: datetime) -> bool:
        """Return whether a person would, at a moment, answer a client who wrote within `span`."""
        wrote_at = self.last_inbound_at
        return self.purpose is Purpose.CONVERSATIONAL and wrote_at is not None and moment - wrote_at <= span


def decide(question: Question) -> Decision:
    """Return the gate's decision; the strictest of its reasons gives the verdict."""
    denials = _denials(question)
    if not question.is_reachable:
        return Decision(Verdict.DENY, tuple(denials))
    waits = _waits(question)
    notes = _notes(question)
    until = max((moment for _, moment in waits), default=question.now)
    # E-mail is read when it suits; hours bind what rings.
    keeps_hours = question.channel is not Channel.EMAIL
    if keeps_hours and not is_open(question.now, question.hours):
        if question.is_live:
            notes.append(_LIVE)
        else:
            waits.insert(0, (_quiet(question), question.now))
    if denials:
        return Decision(Verdict.DENY, (*denials, *(reason for reason, _ in waits)))
    if not waits:
        return Decision(Verdict.ALLOW, tuple(notes))
    if keeps_hours and not question.answers_within(LIVE_FOR, until):
        opening = next_open(until, question.hours)
        if opening is None:
            return Decision(Verdict.DENY, (_HOURS_UNKNOWN,))
        until = opening
    return Decision(Verdict.DEFER, (*(reason for reason, _ in waits), *notes), until)


_LIVE = Reason(
    "LIVE_CONVERSATION", "The client wrote within the last 24 hours, so quiet hours and caps do not count."
)
_HOURS_UNKNOWN = Reason(
    "HOURS_UNKNOWN",
    "The number does not tell where the client is, and no hour suits every place where that may be."
    " Set the client's time zone.",
)


def _notes(question: Question) -> list[Reason]:
    """Return what makes it milder than it looks."""
    notes: list[Reason] = []
    if question.asks_for_confirmation and question.standing is not Change.GRANTED:
        notes.append(Reason("ASKS_FOR_CONFIRMATION", "The one text that asks the client to confirm by YES."))
    elif question.standing is None and question.answers_within(ANSWERABLE_FOR, question.now):
        notes.append(
            Reason("ANSWERS_CLIENT", "The client wrote within the last 30 days, so an answer is welcome.")
        )
    return notes


def _denials(question: Question) -> list[Reason]:
    """Return the reasons for which waiting does not help."""
    found: list[Reason] = []
    if question.sender_name is None:
        found.append(Reason("SENDER_MISSING", "This store has no number to text from yet."))
    if question.is_erased:
        found.append(
            Reason("CLIENT_ERASED", "This client was erased: nothing may be sent to whoever it was.")
        )
    if not question.is_reachable:
        found.append(_UNREACHABLE[question.channel is Channel.EMAIL])
        return found
    if (permission := _permission(question)) is not None:
        found.append(permission)
    if question.is_dead_number:
        found.append(_DEAD[question.channel is Channel.EMAIL])
    if _hides_sender(question):
        found.append(
            Reason(
                "SENDER_NAME_MISSING",
                f"A first message must say who writes: name {question.sender_name} in it.",
            )
        )
    if question.body is not None and question.forbidden_phrases:
        words = f" {plain(question.body)} "
        found += [
            Reason("CONTENT_FORBIDDEN", f"Your house does not write “{phrase}” to clients: say it otherwise.")
            for phrase in question.forbidden_phrases
            if f" {_plain(phrase)} " in words
        ]
    if question.channel is Channel.WHATSAPP and not question.has_provider_template:
        wrote_at = question.last_inbound_at
        if wrote_at is None or question.now - wrote_at > LIVE_FOR:
            found.append(
                Reason(
                    "TEMPLATE_NEEDED",
                    "On WhatsApp free words may be written for 24 hours after the client wrote last."
                    " Use an approved template, or text.",
                )
            )
    return found


_UNREACHABLE = (
    Reason("CLIENT_UNREACHABLE", "This client has no mobile number."),
    Reason("CLIENT_UNREACHABLE", "This client has no e-mail address."),
)
_DEAD = (
    Reason("NUMBER_DEAD", "The carrier says that this number takes no texts. Ask for another one."),
    Reason("NUMBER_DEAD", "Mail to this address came back. Ask for another one."),
)


def _permission(question: Question) -> Reason | None:
    """Return what the ledger has against it; a revocation and a suspension bind everything."""
    if question.asks_for_confirmation:
        standings = (question.standing, question.marketing_standing)
    else:
        standings = (question.standing, None)
    if Change.REVOKED in standings:
        return Reason("PERMISSION_REVOKED", "This number has asked for no more texts of this kind.")
    if Change.SUSPENDED in standings:
        return Reason(
            "PERMISSION_SUSPENDED",
            "This number may have asked for no more texts: somebody has to look at what was written first.",
        )
    if question.asks_for_confirmation:
        if question.marketing_standing is Change.REQUESTED:
            return None
        return Reason("CONFIRMATION_NOT_AWAITED", "The client's consent waits for no confirmation any more.")
    if question.standing is Change.GRANTED or question.answers_within(ANSWERABLE_FOR, question.now):
        return None
    if question.standing is Change.REQUESTED:
        return Reason(
            "CONFIRMATION_AWAITED",
            "The client was asked to confirm by YES and has not answered yet. Wait for the answer.",
        )
    return Reason(
        "NO_PERMISSION",
        "Nobody at this number has agreed to texts of this kind. Ask for consent first.",
    )


def _waits(question: Question) -> list[tuple[Reason, datetime]]:
    """Return the reasons that pass, each with the moment from which on it counts no more."""
    found: list[tuple[Reason, datetime]] = []
    now = question.now
    if question.is_sender_stopped:
        found.append((_STOPPED, now + _STOPPED_FOR))
    if question.is_campaign_paused:
        found.append((_PAUSED, now + _PAUSED_FOR))
    talk = question.talk
    if (
        talk is not None
        and now < talk.ends_at
        and not question.is_assignee
        and question.purpose is not Purpose.SERVICE
    ):
        found.append((_COLLISION, talk.ends_at))
    if not question.is_live:
        for cap in question.caps_reached:
            if cap.frees_at > now:
                texts = "one text" if cap.most == 1 else f"{cap.most} texts"
                days = "a day" if cap.days == 1 else f"{cap.days} days"
                said = f"Your house sends at most {texts} of this kind to a number within {days}."
                found.append((Reason("FREQUENCY_CAP", said), cap.frees_at))
    day = question.brand_day
    if day is not None and question.segments > day.segments_left and day.ends_at > now:
        found.append((_DAY_FULL, day.ends_at))
    return found


_STOPPED = Reason(
    "SENDER_STOPPED",
    "The store's number is stopped: what is written waits until somebody has seen to it and lets it go on.",
)
_PAUSED = Reason(
    "CAMPAIGN_PAUSED",
    "Too many recipients of this campaign opted out: it waits until somebody has looked at it and resumes it.",
)
_COLLISION = Reason(
    "COLLISION",
    "A colleague and this client are writing to each other. Wait, or take over: have the conversation assigned to you.",
)
_DAY_FULL = Reason(
    "BRAND_DAY_FULL",
    "The brand has sent all that the carriers take from it in a day. The rest goes tomorrow.",
)


def _hides_sender(question: Question) -> bool:
    """Return whether a stranger would not know who writes; an e-mail says it in its head."""
    if not question.is_first_message or question.purpose is not Purpose.MARKETING:
        return False
    if question.body is None or question.sender_name is None or question.channel is Channel.EMAIL:
        return False
    return f" {_plain(question.sender_name)} " not in f" {plain(question.body)} "


_plain = lru_cache(maxsize=4096)(plain)


def _quiet(question: Question) -> Reason:
    times = sorted({f"{question.now.astimezone(place.zone):%H:%M}" for place in question.hours})
    where = "where the client is" if len(times) == 1 else "where the client may be"
    return Reason("QUIET_HOURS", f"It is {' or '.join(times)} {where}, outside of the hours for such texts.")
