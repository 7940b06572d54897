"""Work on conversations beside writing in them: who sees to one, what the store notes, and whose number it is."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import Kind, ServiceError, invalid, not_found
from chassis.ids import new_id
from messaging import events
from messaging.clients import Newcomer, Profiles
from messaging.domain import (
    AssociateLeft,
    Change,
    Conversation,
    ConversationState,
    Direction,
    Message,
    Purpose,
    channels_of,
    note_of,
)
from messaging.domain.permissions import REASSIGNED
from messaging.staff import Staff
from messaging.store import conversations, message_words, messages, permissions
from messaging.suppression import Suppressor
from messaging.use_cases.messages import require_client
from messaging.use_cases.permissions import record

NEW_OWNER = "The number belongs to somebody else now."
_RequireStore = Callable[[str], None]


@dataclass(frozen=True)
class Handover:
    """Who is to see to a conversation (nobody when empty) in place of whom, and whose number it was when that was
    found out."""

    assignee_id: str
    former_id: str
    client_id: str


async def get_conversation(tx: Transaction, conversation_id: str, *, reader_id: str = "") -> Conversation:
    """Return one conversation as a reader sees it. Raises CONVERSATION_NOT_FOUND."""
    return _there(await conversations.find(tx, conversation_id, reader_id=reader_id), conversation_id)


async def assign_conversation(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    chain_id: str,
    key: RequestKey,
    conversation_id: str,
    assignee_id: str,
    note: str,
    actor: str,
    reader_id: str,
    require_store: _RequireStore,
) -> Conversation:
    """Give a conversation to an associate, or to nobody, and keep a word for whoever takes it over.

    The same again changes nothing. Raises CONVERSATION_NOT_FOUND, ASSOCIATE_NOT_FOUND as profiles says it,
    ASSOCIATE_LEFT, and STORE_NOT_YOURS through `require_store`.
    """
    async with database.transaction(chain_id) as tx:
        require_store((await get_conversation(tx, conversation_id)).store_id)
    if assignee_id:
        associate = await profiles.get_associate(chain_id, assignee_id)
        if not associate.is_active:
            raise AssociateLeft(assignee_id)
    async with database.transaction(chain_id) as tx:
        await identities.hold(tx)
        note_id, is_repeat = await tx.once(key, new_id("nte"))
        conversation = await _lock(tx, conversation_id)
        if not is_repeat:
            now, note = clock.now(), note.strip()
            if note and not (
                conversation.assignee_id == assignee_id
                and await _ends_with_note(tx, conversation_id, note, actor)
            ):
                conversation = replace(conversation, last_message_time=now)
                await messages.add(
                    tx, note_of(conversation, message_id=note_id, body=note, author=actor, now=now)
                )
                await conversations.save_work(tx, conversation)
                if conversation.assignee_id == assignee_id:
                    _say_changed(tx, conversation)
            await give(tx, conversation, assignee_id, actor=actor)
        return await get_conversation(tx, conversation_id, reader_id=reader_id)


async def give(tx: Transaction, conversation: Conversation, assignee_id: str, *, actor: str) -> None:
    """Let somebody see to a locked conversation and say so, unless it is so already."""
    if conversation.assignee_id == assignee_id:
        return
    given = conversation.given_to(assignee_id)
    await conversations.save_work(tx, given)
    tx.publish(
        events.conversation_assigned(given, former_assignee_id=conversation.assignee_id, actor=actor),
        entity_id=given.conversation_id,
    )


async def _ends_with_note(tx: Transaction, conversation_id: str, body: str, author: str) -> bool:
    """Return whether the last thing said in a conversation is this note: then a call came twice."""
    last = (await message_words.newest(tx, [conversation_id])).get(conversation_id)
    return last is not None and (last.direction, last.body, last.author) == (Direction.NOTE, body, author)


async def add_note(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    key: RequestKey,
    conversation_id: str,
    body: str,
    author: str,
    require_store: _RequireStore,
) -> Message:
    """Write something into a conversation that only the store sees; it opens nothing and answers nobody."""
    body = body.strip()
    if not body:
        raise invalid("body", "says nothing")
    async with database.transaction(chain_id) as tx:
        await identities.hold(tx)
        conversation = await _lock(tx, conversation_id)
        require_store(conversation.store_id)
        note_id, is_repeat = await tx.once(key, new_id("nte"))
        if not is_repeat:
            now = clock.now()
            await messages.add(
                tx, note_of(conversation, message_id=note_id, body=body, author=author, now=now)
            )
            await conversations.save_work(tx, replace(conversation, last_message_time=now))
            _say_changed(tx, conversation)
        note = await messages.find(tx, note_id)
        if note is None:
            raise not_found("message", note_id)
        return note


async def set_state(
    *,
    database: Database,
    chain_id: str,
    conversation_id: str,
    state: ConversationState,
    reader_id: str,
    require_store: _RequireStore,
) -> Conversation:
    """Close a conversation or open it again; the same again changes nothing."""
    async with database.transaction(chain_id) as tx:
        conversation = await _lock(tx, conversation_id, reader_id=reader_id)
        require_store(conversation.store_id)
        if conversation.state is state:
            return conversation
        is_closed = state is ConversationState.CLOSED
        changed = conversation.closed() if is_closed else conversation.reopened()
        await conversations.save_work(tx, changed)
        _say_changed(tx, changed)
        return changed


async def mark_read(
    *, database: Database, clock: Clock, chain_id: str, conversation_id: str, reader_id: str
) -> Conversation:
    """Note that a reader has read everything so far."""
    async with database.transaction(chain_id) as tx:
        await conversations.mark_read(tx, conversation_id, reader_id, clock.now())
        return await get_conversation(tx, conversation_id, reader_id=reader_id)


async def mark_unread(
    *, database: Database, clock: Clock, chain_id: str, conversation_id: str, message_id: str, reader_id: str
) -> Conversation:
    """Let a conversation count as unread again for a reader: from a message on, or from the client's last one.

    Raises MESSAGE_NOT_FOUND for a message of another conversation.
    """
    async with database.transaction(chain_id) as tx:
        await _lock(tx, conversation_id)
        if message_id:
            message = await messages.find(tx, message_id)
            if message is None or message.conversation_id != conversation_id:
                raise not_found("message", message_id)
            position = message.position
        else:
            position = await conversations.last_inbound_position(tx, conversation_id)
        if position:
            await conversations.mark_unread(
                tx, conversation_id, reader_id, position=position, now=clock.now()
            )
        return await get_conversation(tx, conversation_id, reader_id=reader_id)


async def link_conversation(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    chain_id: str,
    key: RequestKey,
    conversation_id: str,
    client_id: str,
    newcomer: tuple[str, str] | None,
    associate_id: str,
    reader_id: str,
    require_store: _RequireStore,
) -> Conversation:
    """Say whose number it is: a client's, or a new one's with a given and a family name, made in profiles.

    A call that was cut off goes on where it was: profiles knows our request id. Raises CONVERSATION_NOT_FOUND,
    CLIENT_NOT_FOUND, and STORE_NOT_YOURS through `require_store`.
    """
    if (newcomer is not None) == bool(client_id):
        raise invalid("client_id", "name a client, or a new one to make, not both")
    if newcomer is not None and not "".join(newcomer).strip():
        raise invalid("new_client", "has no name")
    async with database.transaction(chain_id) as tx:
        conversation = await get_conversation(tx, conversation_id, reader_id=reader_id)
        require_store(conversation.store_id)
        # That the request id is free, or was used for the same, is known before anybody is made.
        await tx.once(key, conversation_id)
    if newcomer is None:
        await profiles.get_recipient(chain_id, client_id)
    else:
        client_id = await profiles.create_client(
            chain_id, _derived("client", chain_id, key), _newcomer(conversation, *newcomer, associate_id)
        )
    async with database.transaction(chain_id) as tx:
        done = RequestKey(_derived("link", chain_id, key), key.fingerprint)
        if (await tx.once(done, conversation_id))[1]:
            return await get_conversation(tx, conversation_id, reader_id=reader_id)
        client_id = await require_client(tx, client_id)
        await conversations.lock_number(tx, conversation.client_phone)
        before = await _lock(tx, conversation_id)
        if client_id not in before.client_ids:
            await conversations.learn_client(
                tx, phone=before.client_phone, client_id=client_id, now=clock.now()
            )
            _say_changed(tx, await get_conversation(tx, conversation_id))
        return await get_conversation(tx, conversation_id, reader_id=reader_id)


def _newcomer(conversation: Conversation, given_name: str, family_name: str, associate_id: str) -> Newcomer:
    """Return a client to make; of nothing that may change between two calls, for profiles compares them."""
    is_phone = conversation.channel.takes_phones
    return Newcomer(
        given_name=given_name.strip(),
        family_name=family_name.strip(),
        store_id=conversation.store_id,
        associate_id=associate_id,
        phone=conversation.client_phone if is_phone else "",
        email="" if is_phone else conversation.client_phone,
    )


def _derived(what: str, chain_id: str, key: RequestKey) -> str:
    digest = hashlib.sha256(f"{what} {chain_id} {key.request_id}".encode()).hexdigest()
    return f"messaging-{what}-{digest[:48]}"


async def unlink_conversation(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    suppressor: Suppressor,
    chain_id: str,
    conversation_id: str,
    client_id: str,
    is_reassigned: bool,
    actor: str,
    reader_id: str,
    require_store: _RequireStore,
) -> Conversation:
    """Say that a number is not, or not any more, a client's; the same again changes nothing.

    What was agreed to under a number that belongs to somebody else now counts no more; a number that was linked by
    mistake keeps its permissions. Raises CONVERSATION_NOT_FOUND, CLIENT_NOT_FOUND, and STORE_NOT_YOURS.
    """
    async with database.transaction(chain_id) as tx:
        require_store((await get_conversation(tx, conversation_id)).store_id)
    await profiles.get_recipient(chain_id, client_id)
    async with database.transaction(chain_id) as tx:
        client_id = await require_client(tx, client_id)
        phone = (await get_conversation(tx, conversation_id)).client_phone
        await conversations.lock_number(tx, phone)
        conversation = await _lock(tx, conversation_id)
        is_news = await conversations.disown(
            tx, phone=phone, client_id=client_id, is_reassigned=is_reassigned, actor=actor, now=clock.now()
        )
        if is_reassigned:
            await _end_permissions(tx, conversation, suppressor=suppressor, actor=actor, clock=clock)
        if is_news:
            _say_changed(tx, await get_conversation(tx, conversation_id))
        return await get_conversation(tx, conversation_id, reader_id=reader_id)


async def _end_permissions(
    tx: Transaction, conversation: Conversation, *, suppressor: Suppressor, actor: str, clock: Clock
) -> None:
    """Revoke what a number's former owner agreed to, on every channel that the number has, once."""
    phone, now = conversation.client_phone, clock.now()
    asked = [(phone, purpose, channel) for channel in channels_of(phone) for purpose in Purpose]
    decides = await permissions.deciding_each(tx, asked, suppressor)
    if all(line is not None and line.source == REASSIGNED for line in decides):
        return
    await permissions.forget_verified(tx, phone)
    await record(
        tx,
        suppressor=suppressor,
        phone=phone,
        purposes=list(Purpose),
        change=Change.REVOKED,
        evidence=NEW_OWNER,
        source=REASSIGNED,
        actor=actor,
        cause_id=conversation.conversation_id,
        occurred_at=now,
        now=now,
    )


async def find_handover(
    *, database: Database, profiles: Profiles, staff: Staff, chain_id: str, conversation_id: str
) -> Handover | None:
    """Return who is to see to a conversation that nobody sees to, or somebody who has left.

    That is the only client's own associate, unless that one has left too. Waits for profiles: raises UNAVAILABLE.
    """
    async with database.transaction(chain_id) as tx:
        conversation = await conversations.find(tx, conversation_id)
    if conversation is None:
        return None
    former_id = conversation.assignee_id
    if former_id:
        former = (await staff.of(chain_id)).get(former_id)
        if former is None or former.is_active:
            return None
    own_id = await _own_associate(profiles, chain_id, conversation.client_id)
    return None if own_id == former_id else Handover(own_id, former_id, conversation.client_id)


async def _own_associate(profiles: Profiles, chain_id: str, client_id: str) -> str:
    """Return in whose book a client is; empty for nobody's client, and for the book of somebody who left."""
    if not client_id:
        return ""
    try:
        associate_id = (await profiles.get_recipient(chain_id, client_id)).associate_id
        associate = await profiles.get_associate(chain_id, associate_id) if associate_id else None
    except ServiceError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return ""  # removed since
    return associate_id if associate is not None and associate.is_active else ""


async def hand_over(tx: Transaction, conversation_id: str, handover: Handover) -> None:
    """Let somebody else see to a conversation, unless somebody was given it since, or the number changed hands."""
    conversation = await conversations.lock(tx, conversation_id)
    if conversation is None or conversation.assignee_id != handover.former_id:
        return
    if conversation.client_id == handover.client_id:
        await give(tx, conversation, handover.assignee_id, actor="system")


async def asked_for(tx: Transaction, *, client_id: str, conversation_id: str) -> list[str] | None:
    """Return the conversations of a client, or the one asked for; None for all. Raises CONVERSATION_NOT_FOUND."""
    if not (client_id or conversation_id):
        return None
    if conversation_id:
        await get_conversation(tx, conversation_id)
    of_client = await conversations.of_client(tx, client_id) if client_id else [conversation_id]
    return [one for one in of_client if one == conversation_id or not conversation_id]


def _say_changed(tx: Transaction, conversation: Conversation) -> None:
    tx.publish(events.conversation_changed(conversation), entity_id=conversation.conversation_id)


async def _lock(tx: Transaction, conversation_id: str, *, reader_id: str = "") -> Conversation:
    return _there(await conversations.lock(tx, conversation_id, reader_id=reader_id), conversation_id)


def _there(conversation: Conversation | None, conversation_id: str) -> Conversation:
    if conversation is None:
        raise not_found("conversation", conversation_id)
    return conversation
