"""What became of texts that were handed to the carrier, in sets. Must not call the carrier itself.

What it locks, in this order: turns, numbers, messages, days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog

from chassis.clock import Clock
from chassis.database import Database, Transaction
from messaging import events
from messaging.domain import CARRIER, WAITING, Change, Message, Purpose, State, message_id_of, moves_forward
from messaging.domain.pacing import DEFAULT_ZONE, day_in
from messaging.points import reach
from messaging.providers import Accepted, Receipt, Status, Text
from messaging.providers.codes import EMAIL_UNCONFIRMED, Fault, fault_of, pause_after
from messaging.store import conversations, due, many, messages, pacing, permissions
from messaging.store.messages import Addressed
from messaging.suppression import Suppressor
from messaging.use_cases.permissions import record
from messaging.use_cases.senders import stop_faulty
from messaging.use_cases.taking import IN_THE_AIR

# An answer was lost: the carrier is asked soon, and again until it knows or the lease is over.
_FIRST_QUESTION = timedelta(seconds=2)
_NEXT_QUESTION = timedelta(seconds=10)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Taken:
    """The carrier took an attempt."""

    text: Text
    accepted: Accepted


@dataclass(frozen=True)
class Declined:
    """The carrier did not take an attempt."""

    text: Text
    code: str


@dataclass(frozen=True)
class Lost:
    """Nobody knows whether the carrier took an attempt; it will be asked."""

    text: Text


@dataclass(frozen=True)
class Absent:
    """The carrier does not know an attempt: it is sent again once no call of ours can be under way."""

    text: Text


@dataclass(frozen=True)
class Unconfirmed:
    """The carrier cannot tell what became of an attempt, and never will."""

    text: Text


Word = Taken | Declined | Lost | Absent | Unconfirmed | Receipt


async def note_receipt(*, database: Database, clock: Clock, suppressor: Suppressor, receipt: Receipt) -> None:
    """Take in a carrier's word about a text, in whichever order such words come; a repeat changes nothing."""
    reach("receipt.begun")
    await note_words(
        database=database,
        clock=clock,
        suppressor=suppressor,
        chain_id=receipt.chain_id,
        words=[receipt],
        lease=timedelta(),
        label="receipt",
    )


async def note_words(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    chain_id: str,
    words: Sequence[Word],
    lease: timedelta,
    label: str = "noting",
) -> None:
    """Write down what became of texts, in the order in which it is told; only receipts need no `lease`. `label` names
    the points that this reaches."""
    async with database.transaction(chain_id) as tx:
        noting = await _Noting.open(tx, words, lease=lease, now=clock.now())
        for word in words:
            noting.take(word)
        await noting.write(suppressor)
        reach(f"{label}.written")
    reach(f"{label}.committed")


class _Noting:
    """One set of words and what they come to; nothing is written before `write`."""

    def __init__(
        self, tx: Transaction, found: dict[str, Addressed], *, lease: timedelta, now: datetime
    ) -> None:
        self._tx = tx
        self._found = found
        self._lease = lease
        self._now = now
        self._changed: dict[str, Message] = {}
        self._errands: dict[str, due.Errand] = {}
        self._settled: set[str] = set()
        self._returned: list[Addressed] = []
        self._ended: list[tuple[Addressed, str]] = []
        self._paused: dict[str, datetime] = {}
        self._failed_answers: set[str] = set()

    @classmethod
    async def open(
        cls, tx: Transaction, words: Sequence[Word], *, lease: timedelta, now: datetime
    ) -> "_Noting":
        """Lock what the words are about."""
        message_ids = sorted({message_id_of(_reference(word)) for word in words})
        faults = {_message_id(word): fault_of(_code(word)) for word in words if _code(word)}
        if any(fault in (Fault.SENDER, Fault.SLOW_DOWN, Fault.OPTED_OUT) for fault in faults.values()):
            ends = await messages.ends_of(tx, list(faults))
            held = (Fault.SENDER, Fault.SLOW_DOWN)
            await pacing.lock_turns(
                tx, {ends[one][0] for one, fault in faults.items() if one in ends and fault in held}
            )
            await many.lock_numbers(
                tx,
                {ends[one][1] for one, fault in faults.items() if one in ends and fault is Fault.OPTED_OUT},
            )
        return cls(tx, await messages.lock_all(tx, message_ids), lease=lease, now=now)

    def take(self, word: Word) -> None:
        """Take one word in."""
        found = self._found.get(_message_id(word))
        if isinstance(word, Receipt):
            if found is None:
                _log.warning("receipt for no message of ours", reference=word.reference)
            else:
                self._take_receipt(found, word)
            return
        # What was said of an earlier attempt counts no more.
        if found is None or found.message.reference != word.text.reference:
            return
        if found.message.state not in IN_THE_AIR:
            return
        if isinstance(word, Taken):
            self._move(found, State.SENT, word.accepted)
        elif isinstance(word, Declined):
            self._returned.append(found)
            self._fail(found, word.code)
        elif isinstance(word, Lost):
            if found.message.state is State.SENDING:
                self._ask_again(found, _FIRST_QUESTION)
        elif isinstance(word, Unconfirmed):
            self._fail(found, EMAIL_UNCONFIRMED)
        else:
            self._take_absence(found)

    def _take_receipt(self, found: Addressed, receipt: Receipt) -> None:
        message = found.message
        # What arrived has arrived, even if it was an earlier attempt; everything else counts for the current one only.
        is_current = message.reference == receipt.reference and message.state not in WAITING
        if not (is_current or receipt.status is Status.DELIVERED):
            return
        # What nobody could tell is not known to have failed.
        state = State.UNKNOWN if message.error_code == EMAIL_UNCONFIRMED else message.state
        if not moves_forward(state, State(receipt.status)):
            return
        if receipt.status is Status.FAILED:
            self._fail(found, receipt.error_code)
        else:
            accepted = Accepted(receipt.provider_message_id, message.segments)
            self._move(found, State(receipt.status), accepted)

    def _take_absence(self, found: Addressed) -> None:
        message = found.message
        if message.attempted_at is not None and self._now - message.attempted_at < self._lease:
            self._ask_again(found, _NEXT_QUESTION)
            return
        # That attempt never happened: the next one has the same reference, so that the carrier could still tell.
        self._returned.append(found)
        again = message.changed(now=self._now, state=State.QUEUED, attempts=message.attempts - 1)
        self._keep(found, again)
        self._errands[message.message_id] = due.to_send(again, found.sender.sender_id, self._now)

    def _ask_again(self, found: Addressed, pause: timedelta) -> None:
        unknown = found.message.changed(now=self._now, state=State.UNKNOWN)
        self._keep(found, unknown)
        self._errands[unknown.message_id] = due.to_ask(unknown, found.sender.sender_id, self._now + pause)

    def _move(self, found: Addressed, state: State, accepted: Accepted) -> None:
        """Move a message on to SENT or DELIVERED and say what happened, each thing once."""
        is_news = found.message.sent_at is None
        is_delivered = state is State.DELIVERED
        message = found.message.changed(
            now=self._now,
            state=state,
            error_code="",
            send_after=None,
            segments=accepted.segments,
            provider_message_id=accepted.provider_message_id,
            sent_at=found.message.sent_at or self._now,
            delivered_at=self._now if is_delivered else None,
        )
        self._keep(found, message)
        self._settle(message)
        if is_news:
            self._tx.publish(events.message_sent(message), entity_id=message.message_id)
        if is_delivered:
            self._tx.publish(events.message_delivered(message), entity_id=message.message_id)

    def _fail(self, found: Addressed, code: str) -> None:
        """Do what an error code asks for: a later attempt, or the end and what it teaches about number and sender."""
        message, pause = found.message, pause_after(code, found.message.attempts)
        if fault_of(code) is Fault.SLOW_DOWN and pause is not None:
            sender_id = found.sender.sender_id
            self._paused[sender_id] = max(self._paused.get(sender_id, self._now), self._now + pause)
        if pause is not None:
            again = message.changed(
                now=self._now, state=State.QUEUED, error_code=code, send_after=self._now + pause
            )
            self._keep(found, again)
            self._settled.discard(message.message_id)
            self._errands[message.message_id] = due.to_send(again, found.sender.sender_id, self._now + pause)
            return
        failed = message.changed(now=self._now, state=State.FAILED, error_code=code, send_after=None)
        self._keep(found, failed)
        self._settle(failed)
        self._tx.publish(events.message_failed(failed, code), entity_id=failed.message_id)
        self._ended.append((found, code))

    def _keep(self, found: Addressed, message: Message) -> None:
        self._changed[message.message_id] = message
        self._found[message.message_id] = Addressed(message, found.sender, found.client_phone)

    def _settle(self, message: Message) -> None:
        self._settled.add(message.message_id)
        self._errands.pop(message.message_id, None)

    async def write(self, suppressor: Suppressor) -> None:
        """Write everything down."""
        tx = self._tx
        await messages.save(tx, *self._changed.values())
        await due.put(tx, list(self._errands.values()))
        await due.settle(tx, self._settled)
        await pacing.pause(tx, self._paused)
        for found, code in self._ended:
            await self._learn(found, code, suppressor)
        for conversation_id in sorted(
            {f.message.conversation_id for f, _ in self._ended if f.message.is_answer}
        ):
            await conversations.note_unanswered(tx, conversation_id)
        await _give_back(tx, self._returned)

    async def _learn(self, found: Addressed, code: str, suppressor: Suppressor) -> None:
        """Keep what the end of a text teaches about its number or its sender."""
        fault = fault_of(code)
        if fault is Fault.DEAD_NUMBER:
            await permissions.note_dead(self._tx, found.client_phone, code, self._now)
        elif fault is Fault.OPTED_OUT:
            await record(
                self._tx,
                suppressor=suppressor,
                phone=found.client_phone,
                purposes=list(Purpose),
                change=Change.REVOKED,
                evidence=f"The carrier refused a text with {code}.",
                source=CARRIER,
                actor="carrier",
                cause_id=found.message.message_id,
                occurred_at=self._now,
                now=self._now,
            )
        elif fault is Fault.SENDER:
            await stop_faulty(self._tx, found.sender.sender_id, code)


async def _give_back(tx: Transaction, returned: Sequence[Addressed]) -> None:
    """Take from the days what the carrier certainly did not take."""
    if not returned:
        return
    brands = await pacing.brands_among(tx, {one.sender.brand_registration_id for one in returned})
    counted: dict[tuple[str, date], int] = {}
    for one in returned:
        brand, moment = brands.get(one.sender.brand_registration_id), one.message.attempted_at
        if moment is None:
            continue
        day = day_in(DEFAULT_ZONE if brand is None else brand.time_zone, moment)
        for owner in (one.sender.sender_id, *(() if brand is None else (brand.brand_registration_id,))):
            counted[owner, day] = counted.get((owner, day), 0) - one.message.segments
    await pacing.lock_days(tx, sorted(counted))
    await pacing.count_segments(tx, counted)


def _reference(word: Word) -> str:
    return word.reference if isinstance(word, Receipt) else word.text.reference


def _message_id(word: Word) -> str:
    return message_id_of(_reference(word))


def _code(word: Word) -> str:
    if isinstance(word, Declined):
        return word.code
    return word.error_code if isinstance(word, Receipt) else ""
