"""Write texts: ask the gate, keep its answer, and leave the rest to the courier."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid, not_found
from chassis.ids import new_id
from messaging import gate, places
from messaging.clients import Profiles, Recipient
from messaging.domain import (
    WAITING,
    Change,
    ClientUnreachable,
    Decision,
    Message,
    MessageNotWaiting,
    Purpose,
    SenderMissing,
    State,
)
from messaging.store import conversations, due, messages, permissions, senders
from messaging.suppression import Suppressor
from messaging.use_cases.gate_questions import Outgoing, ask_gate
from messaging.use_cases.writing import write


async def send_message(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    suppressor: Suppressor,
    wake: asyncio.Event,
    chain_id: str,
    key: RequestKey,
    client_id: str,
    store_id: str,
    body: str,
    purpose: Purpose,
    author: str,
) -> Message:
    """Take a text and return it with the gate's decision; the courier does the rest.

    Raises CLIENT_UNREACHABLE and SENDER_MISSING. A denial is an answer, not an error.
    """
    if not body.strip():
        raise invalid("body", "says nothing")
    recipient = await profiles.get_recipient(chain_id, client_id)
    async with database.transaction(chain_id) as tx:
        message_id, is_repeat = await tx.once(key, new_id("msg"))
        if is_repeat:
            return await get_message(tx, message_id)
        # Who was erased while profiles answered is nobody; who was merged is the survivor.
        client_id = await require_client(tx, client_id)
        phone = await _phone_of(tx, recipient, purpose, suppressor)
        if phone is None:
            raise ClientUnreachable(client_id)
        sender = await senders.find_by_store(tx, store_id)
        if sender is None:
            raise SenderMissing(store_id)
        message = await write(
            tx,
            suppressor=suppressor,
            message_id=message_id,
            sender=sender,
            phone=phone,
            client_id=client_id,
            client_zone=recipient.time_zone,
            body=body,
            purpose=purpose,
            author=author,
            now=clock.now(),
        )
        await conversations.learn_current(tx, phone=phone, client_id=client_id, now=message.created_at)
    wake.set()
    return message


async def require_client(tx: Transaction, client_id: str) -> str:
    """Return whom an id leads to, and keep merges out until the commit. Raises CLIENT_NOT_FOUND for who was erased."""
    await identities.hold(tx)
    current = await identities.find_current(tx, client_id)
    if current is None:
        raise not_found("client", client_id)
    return current


async def check_message(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    suppressor: Suppressor,
    chain_id: str,
    client_id: str,
    store_id: str,
    purpose: Purpose,
    body: str | None,
) -> Decision:
    """Return what the gate would say now. What SendMessage refuses is a denial here, with the same reason."""
    recipient = await profiles.get_recipient(chain_id, client_id)
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        sender = await senders.find_by_store(tx, store_id)
        phone = await _phone_of(tx, recipient, purpose, suppressor)
        if sender is not None and phone is not None:
            outgoing = Outgoing(sender, phone, recipient.time_zone, purpose, body)
            return await ask_gate(tx, outgoing, suppressor=suppressor, now=now)
        decides = None if phone is None else await permissions.deciding(tx, phone, purpose, suppressor)
    return gate.decide(
        gate.Question(
            purpose=purpose,
            now=now,
            standing=None if decides is None else decides.change,
            hours=() if phone is None else places.hours_for(purpose, recipient.time_zone, phone),
            sender_name=None if sender is None else sender.display_name,
            is_reachable=phone is not None,
        )
    )


async def _phone_of(
    tx: Transaction, recipient: Recipient, purpose: Purpose, suppressor: Suppressor
) -> str | None:
    """Return the number to write to: the preferred one, else the first that agreed to the purpose, else the first."""
    phones: Sequence[str] = [phone for phone in recipient.phones if places.takes_texts(phone)]
    if not phones:
        return None
    if not recipient.has_preferred_phone or phones[0] != recipient.phones[0]:
        for phone in phones:
            decides = await permissions.deciding(tx, phone, purpose, suppressor)
            if decides is not None and decides.change is Change.GRANTED:
                return phone
    return phones[0]


async def get_message(tx: Transaction, message_id: str) -> Message:
    """Return one message. Raises MESSAGE_NOT_FOUND."""
    message = await messages.find(tx, message_id)
    if message is None:
        raise not_found("message", message_id)
    return message


async def cancel_message(*, database: Database, clock: Clock, chain_id: str, message_id: str) -> Message:
    """Take back a message that waits; a repeat changes nothing. Raises MESSAGE_NOT_FOUND, MESSAGE_NOT_WAITING."""
    async with database.transaction(chain_id) as tx:
        found = await messages.lock(tx, message_id)
        if found is None:
            raise not_found("message", message_id)
        message = found.message
        if message.state is State.CANCELLED:
            return message
        if message.state not in WAITING:
            raise MessageNotWaiting(message_id, message.state)
        cancelled = message.changed(state=State.CANCELLED, now=clock.now())
        await messages.save(tx, cancelled)
        await due.settle(tx, [message_id])
        return cancelled
