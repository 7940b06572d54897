"""One text's way through the network: due, sending, sent, delivered or failed. Must not call the carrier itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from chassis.clock import Clock
from chassis.database import Database, Transaction
from messaging import events
from messaging.domain import (
    CARRIER,
    WAITING,
    Change,
    Message,
    Purpose,
    State,
    Verdict,
    message_id_of,
    moves_forward,
)
from messaging.providers import Accepted, Receipt, Status, Text
from messaging.providers.codes import Fault, fault_of, pause_after
from messaging.store import conversations, messages, permissions
from messaging.store.messages import Addressed
from messaging.suppression import Suppressor
from messaging.use_cases.gate_questions import Outgoing, ask_gate
from messaging.use_cases.permissions import record

# An answer was lost: the carrier is asked soon, and again until it knows or the lease is over.
_FIRST_QUESTION = timedelta(seconds=2)
_NEXT_QUESTION = timedelta(seconds=10)

_IN_THE_AIR = frozenset({State.SENDING, State.UNKNOWN})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Errand:
    """What the courier is to do: hand a text to the carrier, or ask the carrier what became of it."""

    text: Text
    is_question: bool


async def take_errand(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    chain_id: str,
    message_id: str,
    lease: timedelta,
) -> Errand | None:
    """Take up a message that is due; None when there is nothing to do for the carrier, or somebody else does it.

    When this returns a text to send, SENDING has been committed: from here on the text may be out, whatever happens.
    """
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        found = await messages.take_due(tx, message_id, now)
        if found is None:
            return None
        message = found.message
        if message.state in _IN_THE_AIR:
            await messages.make_due(tx, message_id, now + lease)
            return Errand(_text(tx, found, message), is_question=True)
        if message.state not in WAITING or message.purpose is None:
            await messages.make_settled(tx, message_id)
            return None
        await conversations.lock_number(tx, found.client_phone)
        outgoing = Outgoing(
            found.sender,
            found.client_phone,
            message.client_zone,
            message.purpose,
            message.body,
            message.author,
            message.campaign_id,
            segments=message.segments,
            position=message.position,
        )
        decision = await ask_gate(tx, outgoing, suppressor=suppressor, now=now)
        message = message.changed(now=now, decision=decision, send_after=decision.defer_until)
        if decision.verdict is Verdict.DENY:
            await messages.save(tx, message.changed(now=now, state=State.DENIED))
            await messages.make_settled(tx, message_id)
            tx.publish(events.message_failed(message, decision.reasons[0].reason), entity_id=message_id)
            return None
        if decision.defer_until is not None:
            await messages.save(tx, message.changed(now=now, state=State.DEFERRED))
            await messages.make_due(tx, message_id, decision.defer_until)
            return None
        message = message.changed(
            now=now, state=State.SENDING, attempts=message.attempts + 1, attempted_at=now
        )
        await messages.save(tx, message)
        await messages.make_due(tx, message_id, now + lease)
        return Errand(_text(tx, found, message), is_question=False)


def _text(tx: Transaction, found: Addressed, message: Message) -> Text:
    return Text(
        tx.chain_id,
        message.reference,
        found.sender.phone,
        found.client_phone,
        message.body,
        channel=message.channel,
        subject=message.subject,
        messaging_service_id=found.sender.messaging_service_id,
        sender_name=found.sender.display_name,
        attempted_at=message.attempted_at,
    )


async def note_accepted(*, database: Database, clock: Clock, text: Text, accepted: Accepted) -> None:
    """Write down that the carrier took a text."""
    async with database.transaction(text.chain_id) as tx:
        found = await _attempt(tx, text.reference)
        if found is not None and found.message.state in _IN_THE_AIR:
            await _move(tx, found.message, State.SENT, clock.now(), accepted)


async def note_refused(
    *, database: Database, clock: Clock, suppressor: Suppressor, text: Text, code: str
) -> None:
    """Write down that the carrier did not take a text, and do what the code asks for."""
    async with database.transaction(text.chain_id) as tx:
        found = await _attempt(tx, text.reference)
        if found is not None and found.message.state in _IN_THE_AIR:
            await _fail(tx, found, code, suppressor, clock.now())


async def note_lost(*, database: Database, clock: Clock, text: Text) -> None:
    """Write down that nobody knows whether the carrier took a text; it will be asked."""
    async with database.transaction(text.chain_id) as tx:
        found = await _attempt(tx, text.reference)
        if found is not None and found.message.state is State.SENDING:
            now = clock.now()
            await messages.save(tx, found.message.changed(now=now, state=State.UNKNOWN))
            await messages.make_due(tx, found.message.message_id, now + _FIRST_QUESTION)


async def note_absent(*, database: Database, clock: Clock, text: Text, lease: timedelta) -> None:
    """Write down that the carrier does not know a text: it is sent again once no call of ours can be under way."""
    async with database.transaction(text.chain_id) as tx:
        found = await _attempt(tx, text.reference)
        if found is None or found.message.state not in _IN_THE_AIR:
            return
        now, message = clock.now(), found.message
        if message.attempted_at is not None and now - message.attempted_at < lease:
            await messages.save(tx, message.changed(now=now, state=State.UNKNOWN))
            await messages.make_due(tx, message.message_id, now + _NEXT_QUESTION)
            return
        # That attempt never happened: the next one has the same reference, so that the carrier could still tell.
        await messages.save(tx, message.changed(now=now, state=State.QUEUED, attempts=message.attempts - 1))
        await messages.make_due(tx, message.message_id, now)


async def note_receipt(*, database: Database, clock: Clock, suppressor: Suppressor, receipt: Receipt) -> None:
    """Take in a carrier's word about a text, in whichever order such words come; a repeat changes nothing."""
    async with database.transaction(receipt.chain_id) as tx:
        found = await messages.lock(tx, message_id_of(receipt.reference))
        if found is None:
            _log.warning("receipt for no message of ours", reference=receipt.reference)
            return
        message, now = found.message, clock.now()
        # What arrived has arrived, even if it was an earlier attempt; everything else counts for the current one only.
        is_current = message.reference == receipt.reference and message.state not in WAITING
        if not (is_current or receipt.status is Status.DELIVERED):
            return
        if not moves_forward(message.state, State(receipt.status)):
            return
        if receipt.status is Status.FAILED:
            await _fail(tx, found, receipt.error_code, suppressor, now)
        else:
            accepted = Accepted(receipt.provider_message_id, message.segments)
            await _move(tx, message, State(receipt.status), now, accepted)


async def _attempt(tx: Transaction, reference: str) -> Addressed | None:
    """Return the locked message of an attempt, unless there has been another attempt since."""
    found = await messages.lock(tx, message_id_of(reference))
    return found if found is not None and found.message.reference == reference else None


async def _move(tx: Transaction, message: Message, state: State, now: datetime, accepted: Accepted) -> None:
    """Move a message on to SENT or DELIVERED and say what happened, each thing once."""
    is_news = message.sent_at is None
    message = message.changed(
        now=now,
        state=state,
        error_code="",
        send_after=None,
        segments=accepted.segments,
        provider_message_id=accepted.provider_message_id,
        sent_at=message.sent_at or now,
    )
    await messages.save(tx, message)
    await messages.make_settled(tx, message.message_id)
    if is_news:
        tx.publish(events.message_sent(message), entity_id=message.message_id)
    if state is State.DELIVERED:
        tx.publish(events.message_delivered(message), entity_id=message.message_id)


async def _fail(tx: Transaction, found: Addressed, code: str, suppressor: Suppressor, now: datetime) -> None:
    """Do what an error code asks for: a later attempt, or the end and what it teaches about the number."""
    message, fault = found.message, fault_of(code)
    pause = pause_after(code, message.attempts)
    if pause is not None:
        await messages.save(
            tx, message.changed(now=now, state=State.QUEUED, error_code=code, send_after=now + pause)
        )
        await messages.make_due(tx, message.message_id, now + pause)
        return
    message = message.changed(now=now, state=State.FAILED, error_code=code, send_after=None)
    await messages.save(tx, message)
    await messages.make_settled(tx, message.message_id)
    tx.publish(events.message_failed(message, code), entity_id=message.message_id)
    if fault is Fault.DEAD_NUMBER:
        await permissions.note_dead(tx, found.client_phone, code, now)
    elif fault is Fault.OPTED_OUT:
        await conversations.lock_number(tx, found.client_phone)
        await record(
            tx,
            suppressor=suppressor,
            phone=found.client_phone,
            purposes=list(Purpose),
            change=Change.REVOKED,
            evidence=f"The carrier refused a text with {code}.",
            source=CARRIER,
            actor="carrier",
            cause_id=message.message_id,
            occurred_at=now,
            now=now,
        )
    elif fault is Fault.SENDER:
        _log.error("the carrier faults a sender", sender_id=found.sender.sender_id, error_code=code)
