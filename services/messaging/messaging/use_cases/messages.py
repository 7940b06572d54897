"""Write texts: ask the gate, keep its answer, and leave the rest to the courier."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
    Channel,
    ClientUnreachable,
    Conversation,
    Decision,
    Message,
    MessageNotWaiting,
    Purpose,
    Sender,
    SenderMissing,
    State,
)
from messaging.domain.media import MediaRefused
from messaging.domain.templates import LONGEST_BODY
from messaging.points import reach
from messaging.store import conversations, due, messages, permissions, senders
from messaging.suppression import Suppressor
from messaging.use_cases.gate_questions import Outgoing, ask_gate
from messaging.use_cases.media import attach
from messaging.use_cases.own_numbers import with_own_numbers
from messaging.use_cases.templates import FilledTemplate, fill_template, get_template, template_facts
from messaging.use_cases.writing import Draft, write_all

LONGEST_AHEAD = timedelta(days=366)


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to send, and to whom: to a client from a store, or into a conversation.

    Not before `send_at`, not after `expires_at`, where they are given.
    """

    purpose: Purpose
    client_id: str = ""
    store_id: str = ""
    conversation_id: str = ""
    channel: Channel | None = None
    body: str = field(default="", repr=False)
    subject: str = field(default="", repr=False)
    media_ids: tuple[str, ...] = ()
    template_id: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    campaign_id: str = ""
    reminder_id: str = ""
    send_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class _Ends:
    """Between whom a message goes, before anything is written. Without a conversation the sender and the number are
    not known yet."""

    store_id: str
    channel: Channel
    client_id: str
    conversation: Conversation | None = None


async def send_message(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    suppressor: Suppressor,
    wake: asyncio.Event,
    chain_id: str,
    key: RequestKey,
    wanted: Wanted,
    author: str,
    require_store: Callable[[str], None],
) -> Message:
    """Take a message and return it with the gate's decision; the courier does the rest. A denial is an answer.

    Raises CLIENT_UNREACHABLE, SENDER_MISSING, CONVERSATION_NOT_FOUND, STORE_NOT_YOURS, and what pictures and templates
    are refused with.
    """
    now = clock.now()
    ends = await _find_ends(database, chain_id, wanted)
    require_store(ends.store_id)
    _check(wanted, ends.channel, now)
    recipient = (
        await profiles.get_recipient(chain_id, ends.client_id) if ends.client_id else Recipient("", "", ())
    )
    facts: dict[str, str] = {}
    language = recipient.language
    if wanted.template_id:
        facts, language = await template_facts(profiles, chain_id, ends.client_id, ends.store_id, author)
    async with database.transaction(chain_id) as tx:
        message_id, is_repeat = await tx.once(key, new_id("msg"))
        if is_repeat:
            return await get_message(tx, message_id)
        # Who was erased while profiles answered is nobody; who was merged is the survivor.
        client_id = await require_client(tx, ends.client_id) if ends.client_id else ""
        if ends.conversation is None:
            found = await address_of(tx, recipient, ends.channel, wanted.purpose, suppressor)
            if found is None:
                raise ClientUnreachable(client_id)
            phone, sender = found, await senders.find_by_store(tx, ends.store_id, ends.channel)
            if sender is None:
                raise SenderMissing(ends.store_id)
        else:
            phone = ends.conversation.client_phone
            sender = await senders.get(tx, ends.conversation.sender_id)
        _check_pictures(wanted, ends.channel, phone)
        filled = await _fill(tx, wanted, ends.channel, language, facts, sender)
        draft = Draft(
            message_id=message_id,
            sender=sender,
            phone=phone,
            client_id=client_id,
            client_zone=recipient.place,
            body=filled.body,
            purpose=wanted.purpose,
            author=author,
            subject=filled.subject,
            template_id=wanted.template_id,
            provider_template=filled.provider_template,
            campaign_id=wanted.campaign_id,
            reminder_id=wanted.reminder_id,
            has_media=bool(wanted.media_ids),
            send_at=wanted.send_at,
            expires_at=wanted.expires_at,
        )
        (message,) = await write_all(tx, [draft], suppressor=suppressor, now=now)
        await attach(tx, wanted.media_ids, message_id)
        if ends.conversation is None:
            await conversations.learn_current(tx, phone=phone, client_id=client_id, now=now)
        reach("writing.written")
    reach("writing.committed")
    wake.set()
    return message


async def _find_ends(database: Database, chain_id: str, wanted: Wanted) -> _Ends:
    """Return between whom a message goes. Raises CONVERSATION_NOT_FOUND, and FIELD_INVALID for what contradicts it."""
    if not wanted.conversation_id:
        if not wanted.client_id:
            raise invalid("client_id", "is needed, or conversation_id")
        if not wanted.store_id:
            raise invalid("store_id", "is needed, or conversation_id")
        return _Ends(wanted.store_id, wanted.channel or Channel.SMS, wanted.client_id)
    async with database.transaction(chain_id) as tx:
        conversation = await conversations.find(tx, wanted.conversation_id)
        if conversation is None:
            raise not_found("conversation", wanted.conversation_id)
        client_id = conversation.client_id
        if wanted.client_id:
            client_id = await identities.find_current(tx, wanted.client_id) or ""
            if client_id not in conversation.client_ids:
                raise invalid("client_id", "does not have the number of the conversation")
    if wanted.store_id not in ("", conversation.store_id):
        raise invalid("store_id", "is not that of the conversation")
    if wanted.channel not in (None, conversation.channel):
        raise invalid("channel", "is not that of the conversation")
    return _Ends(conversation.store_id, conversation.channel, client_id, conversation)


def _check(wanted: Wanted, channel: Channel, now: datetime) -> None:
    """Refuse what contradicts itself or the channel, with the field."""
    if wanted.template_id:
        if wanted.body.strip():
            raise invalid("body", "is written by the template")
    elif not wanted.body.strip() and not wanted.media_ids:
        raise invalid("body", "says nothing")
    if len(wanted.body) > LONGEST_BODY[channel]:
        raise invalid("body", f"has more than the {LONGEST_BODY[channel]} characters of {channel}")
    if channel is not Channel.EMAIL and wanted.subject:
        raise invalid("subject", "is what e-mails have")
    if channel is Channel.EMAIL and not wanted.template_id and not wanted.subject.strip():
        raise invalid("subject", "is needed on e-mail")
    if not wanted.subject.isprintable():
        raise invalid("subject", "must be one line of text")
    begins = max(now, wanted.send_at or now)
    if begins - now > LONGEST_AHEAD:
        raise invalid("send_time", "is more than a year ahead")
    if wanted.expires_at is not None and wanted.expires_at <= begins:
        raise invalid("expire_time", "has passed before the message could go out")


def _check_pictures(wanted: Wanted, channel: Channel, phone: str) -> None:
    if not wanted.media_ids:
        return
    if channel is Channel.SMS and not phone.startswith("+1"):
        # MMS is a service of North America; elsewhere carriers refuse it, or send a link of their own.
        raise MediaRefused("the network of this number takes none", wanted.media_ids[0])


async def _fill(
    tx: Transaction, wanted: Wanted, channel: Channel, language: str, facts: dict[str, str], sender: Sender
) -> FilledTemplate:
    if not wanted.template_id:
        return FilledTemplate(wanted.body, wanted.subject.strip(), "", wanted.purpose, is_reminder=False)
    filled = await fill_template(
        tx,
        wanted.template_id,
        channel=channel,
        language_code=language,
        facts=facts,
        values=wanted.values,
        sender=sender,
    )
    if filled.purpose is not wanted.purpose:
        raise invalid("purpose", f"is not the template's, which is {filled.purpose}")
    return filled


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
    wanted: Wanted,
    author: str,
) -> Decision:
    """Return what the gate would say now. What SendMessage refuses is a denial here, with the same reason."""
    ends = await _find_ends(database, chain_id, wanted)
    recipient = (
        await profiles.get_recipient(chain_id, ends.client_id) if ends.client_id else Recipient("", "", ())
    )
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        if ends.conversation is None:
            sender = await senders.find_by_store(tx, ends.store_id, ends.channel)
            phone = await address_of(tx, recipient, ends.channel, wanted.purpose, suppressor)
        else:
            sender = await senders.get(tx, ends.conversation.sender_id)
            phone = ends.conversation.client_phone
        if sender is not None and phone is not None:
            outgoing = Outgoing(
                sender,
                phone,
                recipient.place,
                wanted.purpose,
                wanted.body or None,
                author,
                has_provider_template=await _is_approved(tx, wanted, recipient),
                client_id=ends.client_id,
            )
            return await ask_gate(tx, outgoing, suppressor=suppressor, now=now)
        decides = None
        if phone is not None:
            decides = await permissions.deciding(tx, phone, wanted.purpose, suppressor, ends.channel)
    return gate.decide(
        gate.Question(
            purpose=wanted.purpose,
            now=now,
            standing=None if decides is None else decides.change,
            hours=() if phone is None else places.hours_for(wanted.purpose, recipient.place, phone),
            sender_name=None if sender is None else sender.display_name,
            is_reachable=phone is not None,
            channel=ends.channel,
        )
    )


async def _is_approved(tx: Transaction, wanted: Wanted, recipient: Recipient) -> bool:
    """Return whether the network approved the template that a message is to be written by."""
    if not wanted.template_id:
        return False
    template = await get_template(tx, wanted.template_id)
    return bool(template.text_for(recipient.language).provider_template_id)


async def address_of(
    tx: Transaction, recipient: Recipient, channel: Channel, purpose: Purpose, suppressor: Suppressor
) -> str | None:
    """Return the number or e-mail address to write to: the preferred one, else the first that agreed to the purpose,
    else the first."""
    (recipient,) = await with_own_numbers(tx, recipient)
    if channel is Channel.EMAIL:
        given, has_preferred = recipient.emails, recipient.has_preferred_email
        usable: Sequence[str] = given
    else:
        given, has_preferred = recipient.phones, recipient.has_preferred_phone
        usable = [phone for phone in given if places.takes_texts(phone)]
    if not usable:
        return None
    if not has_preferred or usable[0] != given[0]:
        for phone in usable:
            decides = await permissions.deciding(tx, phone, purpose, suppressor, channel)
            if decides is not None and decides.change is Change.GRANTED:
                return phone
    return usable[0]


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
        if message.is_answer:
            await conversations.note_unanswered(tx, message.conversation_id)
        return cancelled
