"""The gate in front of every text: allow, defer until, or deny, with reasons that a person can act on. Pure.

Asked when a text is queued and again when it is sent. Must not look anything up: the question holds all the facts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from messaging.domain import Change, Decision, Purpose, Reason, Verdict
from messaging.hours import LocalHours, is_open, next_open
from messaging.keywords import plain

# A person who wrote a moment ago is awake and waits for an answer: answers may go at any hour.
LIVE_FOR = timedelta(hours=24)
# Whoever writes to a store may be answered without having signed anything, for so long.
ANSWERABLE_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Question:
    """Everything that the gate must know about one text at one moment.

    `standing` is what the ledger says last for the number and the purpose. `hours` are those of every place where the
    client may be. `sender_name` is None for a store without a number, `body` None when it is not written yet.
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


def decide(question: Question) -> Decision:
    """Return the gate's decision; the strictest of its reasons gives the verdict."""
    denials = _denials(question)
    if not question.is_reachable:
        return Decision(Verdict.DENY, denials)
    is_quiet = not is_open(question.now, question.hours)
    notes: list[Reason] = []
    if question.standing is None and _is_answer(question, ANSWERABLE_FOR):
        notes.append(
            Reason("ANSWERS_CLIENT", "The client wrote within the last 30 days, so an answer is welcome.")
        )
    if is_quiet and _is_answer(question, LIVE_FOR):
        notes.append(
            Reason(
                "LIVE_CONVERSATION", "The client wrote within the last 24 hours, so quiet hours do not count."
            )
        )
        is_quiet = False
    if denials:
        return Decision(Verdict.DENY, (*denials, _quiet(question)) if is_quiet else denials)
    if not is_quiet:
        return Decision(Verdict.ALLOW, tuple(notes))
    opening = next_open(question.now, question.hours)
    if opening is None:
        unknown = Reason(
            "HOURS_UNKNOWN",
            "The number does not tell where the client is, and no hour suits every place where that may be."
            " Set the client's time zone.",
        )
        return Decision(Verdict.DENY, (unknown,))
    return Decision(Verdict.DEFER, (_quiet(question), *notes), opening)


def _denials(question: Question) -> tuple[Reason, ...]:
    found: list[Reason] = []
    if question.sender_name is None:
        found.append(Reason("SENDER_MISSING", "This store has no number to text from yet."))
    if not question.is_reachable:
        found.append(Reason("CLIENT_UNREACHABLE", "This client has no mobile number."))
        return tuple(found)
    if question.standing is Change.REVOKED:
        found.append(Reason("PERMISSION_REVOKED", "This number has asked for no more texts of this kind."))
    elif question.standing is Change.SUSPENDED:
        found.append(
            Reason(
                "PERMISSION_SUSPENDED",
                "This number may have asked for no more texts: somebody has to look at what was written first.",
            )
        )
    elif question.standing is None and not _is_answer(question, ANSWERABLE_FOR):
        found.append(
            Reason(
                "NO_PERMISSION",
                "Nobody at this number has agreed to texts of this kind. Ask for consent first.",
            )
        )
    if question.is_dead_number:
        found.append(
            Reason("NUMBER_DEAD", "The carrier says that this number takes no texts. Ask for another one.")
        )
    if question.purpose is Purpose.MARKETING and question.is_first_message and _hides_sender(question):
        found.append(
            Reason(
                "SENDER_NAME_MISSING",
                f"A first message must say who writes: name {question.sender_name} in it.",
            )
        )
    return tuple(found)


def _is_answer(question: Question, span: timedelta) -> bool:
    """Return whether a person would answer a client who wrote within `span`."""
    wrote_at = question.last_inbound_at
    return (
        question.purpose is Purpose.CONVERSATIONAL
        and wrote_at is not None
        and question.now - wrote_at <= span
    )


def _hides_sender(question: Question) -> bool:
    if question.body is None or question.sender_name is None:
        return False
    return f" {plain(question.sender_name)} " not in f" {plain(question.body)} "


def _quiet(question: Question) -> Reason:
    times = sorted({f"{question.now.astimezone(place.zone):%H:%M}" for place in question.hours})
    where = "where the client is" if len(times) == 1 else "where the client may be"
    return Reason("QUIET_HOURS", f"It is {' or '.join(times)} {where}, outside of the hours for such texts.")
