"""Take in what clients write, and obey the words that law and carriers give a meaning to."""

import asyncio
from datetime import datetime

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.ids import new_id
from messaging import events
from messaging.domain import (
    KEYWORD,
    PHONE_CHANNELS,
    Change,
    Direction,
    Message,
    Purpose,
    Sender,
    SenderNotFound,
    State,
    restored_by_keyword,
    sole,
)
from messaging.keywords import is_yes
from messaging.providers import InboundText
from messaging.revocation import Judgement, Wish, judge
from messaging.segments import count_segments
from messaging.store import conversations, messages, permissions, senders
from messaging.suppression import Suppressor
from messaging.use_cases.confirmations import confirm
from messaging.use_cases.incoming_media import expect_media
from messaging.use_cases.permissions import record
from messaging.use_cases.reminders import note_cancelled
from messaging.use_cases.reviews import suspend
from messaging.use_cases.writing import write

HELP_TEXT = (
    "{name}: text us here and a person will answer. Reply STOP to opt out. Message and data rates may apply."
)
# No person is to answer them; after STOP nobody may.
_KEYWORDS = frozenset({Wish.KEYWORD_STOP, Wish.KEYWORD_START, Wish.KEYWORD_HELP})


async def receive_text(
    *, database: Database, clock: Clock, suppressor: Suppressor, due: asyncio.Event, inbound: InboundText
) -> None:
    """Take in one text; the same one again changes nothing. Raises SENDER_NOT_FOUND when no store has the number.

    Our only own answer is the one to HELP: the confirmation of STOP and START is the carrier's.
    """
    now = clock.now()
    async with database.transaction(inbound.chain_id) as tx:
        sender = await senders.find_by_phone(tx, inbound.to_phone, inbound.channel)
        if sender is None:
            raise SenderNotFound
        message_id = new_id("msg")
        await identities.hold(tx)
        if not await messages.keep_inbound(tx, inbound, message_id, now):
            return
        await take_in(
            tx, inbound, sender=sender, message_id=message_id, received_at=now, suppressor=suppressor, now=now
        )
    due.set()


async def take_in(
    tx: Transaction,
    inbound: InboundText,
    *,
    sender: Sender,
    message_id: str,
    received_at: datetime,
    suppressor: Suppressor,
    now: datetime,
) -> None:
    """Work on a text that was kept as it came; the caller sees to it that this happens once, and holds identities."""
    await conversations.lock_number(tx, inbound.from_phone)
    judgement = judge(inbound.body)
    message = await _add_to_conversation(tx, inbound, sender, message_id, received_at)
    was_closed = await conversations.note_inbound(
        tx,
        message,
        awaits_answer=judgement.wish not in _KEYWORDS,
        ends_waiting=judgement.wish is Wish.KEYWORD_STOP,
    )
    if was_closed and (opened := await conversations.find(tx, message.conversation_id)) is not None:
        tx.publish(events.conversation_changed(opened), entity_id=opened.conversation_id)
    await expect_media(tx, inbound, message_id, now=now)
    tx.publish(events.message_received(message, media_count=len(inbound.media)), entity_id=message_id)
    await permissions.note_alive(tx, inbound.from_phone)
    await _obey(tx, inbound, judgement, sender, message, suppressor, received_at)


async def _add_to_conversation(
    tx: Transaction, inbound: InboundText, sender: Sender, message_id: str, now: datetime
) -> Message:
    conversation_id = await conversations.find_or_create(
        tx, new_id=new_id("cnv"), sender=sender, client_phone=inbound.from_phone, now=now
    )
    client_id = sole(await conversations.clients_of(tx, inbound.from_phone))
    message = Message(
        message_id=message_id,
        conversation_id=conversation_id,
        store_id=sender.store_id,
        client_id=client_id,
        direction=Direction.INBOUND,
        body=inbound.body,
        state=State.RECEIVED,
        purpose=None,
        segments=count_segments(inbound.body),
        author=client_id,
        created_at=now,
        updated_at=now,
        provider_message_id=inbound.provider_message_id,
        channel=inbound.channel,
    )
    await messages.add(tx, message)
    return message


async def _obey(
    tx: Transaction,
    inbound: InboundText,
    judgement: Judgement,
    sender: Sender,
    message: Message,
    suppressor: Suppressor,
    now: datetime,
) -> None:
    phone = inbound.from_phone
    if is_yes(inbound.body):
        await confirm(
            tx,
            suppressor=suppressor,
            phone=phone,
            channel=inbound.channel,
            answer=inbound.body,
            actor=message.client_id,
            cause_id=message.message_id,
            now=now,
        )
    if judgement.wish is Wish.KEYWORD_HELP:
        await write(
            tx,
            suppressor=suppressor,
            message_id=new_id("msg"),
            sender=sender,
            phone=phone,
            client_id=message.client_id,
            client_zone="",
            body=HELP_TEXT.format(name=sender.display_name),
            purpose=Purpose.CONVERSATIONAL,
            author="system",
            now=now,
        )
    elif judgement.asks_for_silence:
        await suspend(tx, suppressor=suppressor, phone=phone, message=message, judgement=judgement, now=now)
    elif judgement.wish is not Wish.NOTHING:
        # STOP is written down for every purpose, granted or not, and even twice: a consent that was captured before it
        # may still be on its way.
        stops = judgement.wish is Wish.KEYWORD_STOP
        if stops:
            await note_cancelled(tx, message, now)
        lines = await permissions.of_phone(tx, phone, suppressor, inbound.channel)
        await record(
            tx,
            suppressor=suppressor,
            phone=phone,
            purposes=list(Purpose) if stops else restored_by_keyword(lines),
            # Whoever says stop is silent to us by every way to the number; START is said to the one it came by.
            channels=PHONE_CHANNELS if stops else [inbound.channel],
            change=Change.REVOKED if stops else Change.GRANTED,
            evidence=inbound.body,
            source=KEYWORD,
            actor=message.client_id,
            cause_id=message.message_id,
            occurred_at=now,
            now=now,
        )
