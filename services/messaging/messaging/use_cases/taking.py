"""Take up what is due: ask the gate once more, keep to the pace, and commit SENDING. Must not call the carrier.

One transaction takes a set of messages of one chain. What it locks, in this order: turns, messages, numbers, days. It
waits for turns and days only; a message or a number that somebody else is at is left for the next look.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chassis.clock import Clock
from chassis.database import Database, Transaction
from messaging import events
from messaging.domain import WAITING, Decision, Message, Purpose, Reason, State, Verdict
from messaging.domain.media import Medium
from messaging.domain.pacing import ASK, DEFAULT_ZONE, PRIORITIES, day_in, next_free_time
from messaging.links import Links
from messaging.points import reach
from messaging.providers import Text
from messaging.store import conversations, due, many, messages, pacing
from messaging.store.messages import Addressed
from messaging.store.pacing import Turn
from messaging.suppression import Suppressor
from messaging.use_cases.bulk_sends import held_back
from messaging.use_cases.gate_questions import Outgoing, ask_gates
from messaging.use_cases.media import pictures_for_carrier, pictures_of

IN_THE_AIR = frozenset({State.SENDING, State.UNKNOWN})


@dataclass(frozen=True)
class Errand:
    """What the courier is to do: hand a text to the carrier, or ask the carrier what became of it."""

    text: Text
    is_question: bool


async def take_questions(
    *,
    database: Database,
    clock: Clock,
    links: Links | None,
    chain_id: str,
    sender_ids: Sequence[str],
    most: int,
    lease: timedelta,
) -> list[Errand]:
    """Take up texts that the carrier is to be asked about; nobody else asks about them before the lease is over."""
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        ids = (await due.find(tx, sender_ids, [ASK], now, most))[:most]
        found = await messages.take_due(tx, ids, now)
        asked, filed, settled = [], [], []
        for message_id, one in found.items():
            if one.message.state in IN_THE_AIR:
                asked.append(one)
                filed.append(due.to_ask(one.message, one.sender.sender_id, now + lease))
            elif one.message.state in WAITING:
                filed.append(due.to_send(one.message, one.sender.sender_id, one.message.send_after or now))
            else:
                settled.append(message_id)
        await due.put(tx, filed)
        await due.settle(tx, settled)
        # Whoever asks names the attempt alone.
        texts = _texts(tx, asked, {}, links, now)
    reach("asking.committed")
    return [Errand(text, is_question=True) for text in texts]


async def take_texts(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    links: Links | None,
    chain_id: str,
    sender_ids: Sequence[str],
    busy_phones: Collection[str],
    most: int,
    lease: timedelta,
) -> list[Errand]:
    """Take up texts that may go out now, in the order in which they may, and at most as fast as their senders may;
    one to each number, none to those of `busy_phones`, so that what one was told first comes first.

    When this returns, SENDING has been committed: from here on a text may be out, whatever happens.
    """
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        turns = await pacing.take_turns(tx, sender_ids, now)
        if missing := [sender_id for sender_id in sender_ids if sender_id not in turns]:
            await pacing.open_turns(tx, missing)
            turns |= await pacing.take_turns(tx, missing, now)
        if not turns:
            return []
        places = {sender_id: _places(turn, now, most) for sender_id, turn in turns.items()}
        ids = await due.find(
            tx, [one for one in sender_ids if one in turns], PRIORITIES, now, max(places.values())
        )
        found = await messages.take_due(tx, ids, now)
        phones = {one.client_phone for one in found.values()} - set(busy_phones)
        free_numbers = await many.try_numbers(tx, phones)
        chosen: list[Addressed] = []
        for one in (found[message_id] for message_id in ids if message_id in found):
            sender_id = one.sender.sender_id
            if len(chosen) < most and one.client_phone in free_numbers and places.get(sender_id, 0) > 0:
                places[sender_id] -= 1
                chosen.append(one)
        pictures = await pictures_of(tx, [one.message.message_id for one in chosen])
        going = await _through_the_gate(tx, chosen, pictures, suppressor=suppressor, now=now)
        sending = await _within_the_pace(tx, going, turns, now)
        sent = [_with(one, one.message.changed(
            now=now, state=State.SENDING, attempts=one.message.attempts + 1, attempted_at=now, send_after=None
        )) for one in sending]  # fmt: skip
        await messages.save(tx, *(one.message for one in sent))
        await due.put(tx, [due.to_ask(one.message, one.sender.sender_id, now + lease) for one in sent])
        texts = _texts(tx, sent, pictures, links, now)
        reach("sending.taken")
    reach("sending.committed")
    return [Errand(text, is_question=False) for text in texts]


def _places(turn: Turn, now: datetime, most: int) -> int:
    """Return how many texts of one segment a sender may send now."""
    places, free_at = 0, turn.free_at
    while free_at <= now and places < most:
        free_at = next_free_time(free_at, now, segments=1, per_second=turn.sender.segments_per_second)
        places += 1
    return places


async def _through_the_gate(
    tx: Transaction,
    chosen: Sequence[Addressed],
    pictures: Mapping[str, Sequence[Medium]],
    *,
    suppressor: Suppressor,
    now: datetime,
) -> list[Addressed]:
    """Return what may go out now with the gate's decision; the rest is denied, deferred, or too late."""
    waiting = [one for one in chosen if one.message.state in WAITING and one.message.purpose is not None]
    await due.settle(tx, [one.message.message_id for one in chosen if one not in waiting])
    held = await held_back(tx, [one.message for one in waiting], now)
    waiting = [one for one in waiting if one.message.message_id not in held]
    late = [one for one in waiting if _is_late(one.message, now)]
    await end_late(tx, late, now)
    asked = [one for one in waiting if not _is_late(one.message, now)]
    if not asked:
        return []
    outgoing = [outgoing_of(one, has_media=one.message.message_id in pictures) for one in asked]
    decisions = await ask_gates(tx, outgoing, suppressor=suppressor, now=now)
    going, deferred, denied = [], [], []
    for one, decision in zip(asked, decisions, strict=True):
        changed = one.message.changed(now=now, decision=decision, send_after=decision.defer_until)
        if decision.verdict is Verdict.DENY:
            denied.append(changed.changed(now=now, state=State.DENIED))
            tx.publish(
                events.message_failed(changed, decision.reasons[0].reason), entity_id=changed.message_id
            )
        elif decision.defer_until is not None:
            deferred.append(_with(one, changed.changed(now=now, state=State.DEFERRED)))
        else:
            going.append(_with(one, changed))
    await messages.save(tx, *denied)
    await due.settle(tx, [message.message_id for message in denied])
    for conversation_id in sorted({message.conversation_id for message in denied if message.is_answer}):
        await conversations.note_unanswered(tx, conversation_id)
    await _defer(tx, deferred)
    return going


async def _within_the_pace(
    tx: Transaction, going: Sequence[Addressed], turns: Mapping[str, Turn], now: datetime
) -> list[Addressed]:
    """Return what has its turn, and reserve it; a brand's day that is used up defers, the rest simply stays due."""
    if not going:
        return []
    used = await pacing.lock_days(
        tx, sorted({day for one in going for day in days_of(turns[one.sender.sender_id], now)})
    )
    free_at = {sender_id: turn.free_at for sender_id, turn in turns.items()}
    counted: dict[tuple[str, date], int] = {}
    sending: list[Addressed] = []
    deferred: list[Addressed] = []
    begun: set[str] = set()
    for one in going:
        sender_id, segments = one.sender.sender_id, one.message.segments
        turn = turns[sender_id]
        # A second one to a number is asked about anew: the first may have been the last that a cap allows.
        if free_at[sender_id] > now or one.client_phone in begun:
            continue
        is_answer = one.message.purpose is Purpose.CONVERSATIONAL and one.message.is_answer
        days = days_of(turn, now)
        if turn.brand is not None and not turn.brand.takes(
            used[days[-1]] + counted.get(days[-1], 0), segments, is_answer=is_answer
        ):
            until = turn.brand.next_day(now)
            decision = Decision(Verdict.DEFER, (_day_used(),), until)
            changed = one.message.changed(now=now, state=State.DEFERRED, decision=decision, send_after=until)
            deferred.append(_with(one, changed))
            continue
        free_at[sender_id] = next_free_time(
            free_at[sender_id], now, segments=segments, per_second=turn.sender.segments_per_second
        )
        for day in days:
            counted[day] = counted.get(day, 0) + segments
        begun.add(one.client_phone)
        sending.append(one)
    await pacing.save_turns(tx, free_at)
    await pacing.count_segments(tx, counted)
    await _defer(tx, deferred)
    return sending


def days_of(turn: Turn, now: datetime) -> list[tuple[str, date]]:
    """Return the days that a text of a sender counts against: the sender's, and the brand's last if there is one."""
    if turn.brand is None:
        return [(turn.sender.sender_id, day_in(DEFAULT_ZONE, now))]
    day = turn.brand.day_of(now)
    return [(turn.sender.sender_id, day), (turn.brand.brand_registration_id, day)]


def _day_used() -> Reason:
    return Reason(
        "BRAND_DAY_USED",
        "Today's texts of the brand registration are used up; it goes out when the carriers' next day begins.",
    )


async def _defer(tx: Transaction, deferred: Sequence[Addressed]) -> None:
    await messages.save(tx, *(one.message for one in deferred))
    await due.put(
        tx,
        [
            due.to_send(one.message, one.sender.sender_id, one.message.send_after)
            for one in deferred
            if one.message.send_after is not None
        ],
    )


async def expire(*, database: Database, clock: Clock, chain_id: str, message_ids: Sequence[str]) -> int:
    """End texts that have not gone out and are too late to; return how many."""
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        found = await messages.take_expired(tx, message_ids, now)
        late = [one for one in found.values() if one.message.state in WAITING and _is_late(one.message, now)]
        await end_late(tx, late, now)
        return len(late)


async def end_late(tx: Transaction, late: Sequence[Addressed], now: datetime) -> None:
    """End texts whose reason has passed."""
    for one in late:
        tx.publish(events.message_failed(one.message, State.EXPIRED), entity_id=one.message.message_id)
    await messages.save(
        tx, *(one.message.changed(now=now, state=State.EXPIRED, send_after=None) for one in late)
    )
    await due.settle(tx, [one.message.message_id for one in late])
    for conversation_id in sorted({one.message.conversation_id for one in late if one.message.is_answer}):
        await conversations.note_unanswered(tx, conversation_id)


def _is_late(message: Message, now: datetime) -> bool:
    return message.expires_at is not None and message.expires_at <= now


def outgoing_of(one: Addressed, *, has_media: bool) -> Outgoing:
    """Return a stored message as the gate is asked about it."""
    message = one.message
    return Outgoing(
        one.sender,
        one.client_phone,
        message.client_zone,
        message.purpose or Purpose.MARKETING,
        message.body,
        message.author,
        message.campaign_id,
        has_media=has_media,
        has_provider_template=message.provider_template is not None,
        segments=message.segments,
        position=message.position,
        client_id=message.client_id,
    )


def _texts(
    tx: Transaction,
    found: Sequence[Addressed],
    pictures: Mapping[str, Sequence[Medium]],
    links: Links | None,
    now: datetime,
) -> list[Text]:
    return [
        Text(
            tx.chain_id,
            one.message.reference,
            one.sender.phone,
            one.client_phone,
            one.message.body,
            channel=one.message.channel,
            subject=one.message.subject,
            pictures=()
            if links is None
            else pictures_for_carrier(
                pictures.get(one.message.message_id, ()), links, chain_id=tx.chain_id, now=now
            ),
            template=one.message.provider_template,
            messaging_service_id=one.sender.messaging_service_id,
            sender_name=one.sender.display_name,
            attempted_at=one.message.attempted_at,
            purpose=one.message.purpose,
            conversation_id=one.message.conversation_id,
            is_for_many=bool(one.message.bulk_send_id or one.message.campaign_id),
        )
        for one in found
    ]


def _with(one: Addressed, message: Message) -> Addressed:
    return Addressed(message, one.sender, one.client_phone)
