"""Conversations, and who has which number."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis import identities
from chassis.database import Transaction
from messaging.domain import STANDING, Channel, Conversation, ConversationState, Message, Sender

# As Message.is_answer says it.
_IS_ANSWER = "m.author <> 'system' and m.bulk_send_id = '' and m.campaign_id = '' and m.reminder_id = ''"

# What the reader has not read: above where the reader stands, or above where everybody did when that was not kept by
# person yet. A reader that is no person is asked for with an empty id, and is told what nobody has read.
_READ_TO = "coalesce(r.position, c.read_floor)"
_CLIENTS = """
    select distinct coalesce(a.current_id, p.client_id) from phone_clients p
        left join identity_aliases a on a.chain_id = p.chain_id and a.alias_id = p.client_id
        where p.chain_id = c.chain_id and p.phone = c.client_phone
"""
_SELECT = f"""
    select c.conversation_id, c.store_id, c.sender_id, c.client_phone, c.last_message_time,
        c.created_at, c.channel, c.conversation_state as state, c.assignee_id, c.waiting_since, c.last_inbound_at,
        case when :reader_id = '' then c.unread_count
            when c.last_inbound_position > {_READ_TO} then (select count(*) from messages m
                where m.conversation_id = c.conversation_id and m.direction = 'INBOUND' and m.position > {_READ_TO})
            else 0 end as unread_count,
        array({_CLIENTS} order by 1) as client_ids
    from conversations c
    left join conversation_reads r on r.conversation_id = c.conversation_id and r.reader_id = :reader_id
"""


@dataclass(frozen=True)
class Filter:
    """Which conversations are asked for; what is empty leaves none out."""

    store_id: str = ""
    client_id: str = ""
    state: ConversationState | None = None
    channel: Channel | None = None
    assignee_ids: Collection[str] = ()
    is_unread: bool = False
    is_unassigned: bool = False
    is_unlinked: bool = False
    is_waiting: bool = False


async def lock_number(tx: Transaction, phone: str) -> None:
    """Keep everybody else from deciding about a number until this transaction ends.

    A revocation that has been committed then binds every text that was not on its way to the carrier before.
    """
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended(:key, 0))", {"key": f"{tx.chain_id} {phone}"}
    )


async def find_or_create(
    tx: Transaction, *, new_id: str, sender: Sender, client_phone: str, now: datetime
) -> str:
    """Return the id of the conversation between a sender and a number, `new_id` when it begins with this call."""
    await tx.execute(
        "insert into conversations (conversation_id, chain_id, store_id, sender_id, client_phone, unread_count,"
        " last_message_time, created_at, channel) values (:id, :chain_id, :store_id, :sender_id, :phone, 0, :now, :now,"
        " :channel)"
        " on conflict do nothing",
        {
            "id": new_id,
            "chain_id": tx.chain_id,
            "store_id": sender.store_id,
            "sender_id": sender.sender_id,
            "phone": client_phone,
            "channel": sender.channel,
            "now": now,
        },
    )
    found = await tx.execute(
        "select conversation_id from conversations where sender_id = :sender_id and client_phone = :phone",
        {"sender_id": sender.sender_id, "phone": client_phone},
    )
    return str(found.scalar_one())


async def note_inbound(
    tx: Transaction, message: Message, *, awaits_answer: bool = True, ends_waiting: bool = False
) -> bool:
    """Put a conversation on top with one more unread text, and open it; return whether it had been closed.

    `awaits_answer` is False for a keyword, which no person is to answer; after `ends_waiting` nobody may.
    """
    noted = await tx.execute(
        "update conversations c set last_message_time = greatest(c.last_message_time, :now), last_inbound_at = :now,"
        " unread_count = c.unread_count + 1, conversation_state = 'OPEN',"
        " waiting_since = case when :ends_waiting then null"
        "  when :awaits_answer then coalesce(c.waiting_since, :now) else c.waiting_since end,"
        " last_inbound_position = (select position from messages where message_id = :message_id)"
        " from (select conversation_id, conversation_state from conversations where conversation_id = :id for update)"
        " as former where c.conversation_id = former.conversation_id returning former.conversation_state",
        {
            "id": message.conversation_id,
            "message_id": message.message_id,
            "now": message.created_at,
            "awaits_answer": awaits_answer,
            "ends_waiting": ends_waiting,
        },
    )
    return str(noted.scalar_one()) == ConversationState.CLOSED


async def note_unanswered(tx: Transaction, conversation_id: str) -> None:
    """Let the client wait again, since the last text came: what was to answer it did not go out."""
    await tx.execute(
        "update conversations set waiting_since = last_inbound_at where conversation_id = :id"
        " and waiting_since is null and conversation_state = 'OPEN' and not exists (select 1 from messages m"
        "  where m.conversation_id = :id and m.position > last_inbound_position and m.direction = 'OUTBOUND'"
        f"  and m.state = any(:standing) and {_IS_ANSWER})",
        {"id": conversation_id, "standing": sorted(STANDING)},
    )


async def save_work(tx: Transaction, conversation: Conversation) -> None:
    """Write down who sees to a conversation, whether something is left to do in it and since when the client waits."""
    await tx.execute(
        "update conversations set assignee_id = :assignee_id, conversation_state = :state,"
        " waiting_since = :waiting_since, last_message_time = :last_message_time where conversation_id = :id",
        {
            "id": conversation.conversation_id,
            "assignee_id": conversation.assignee_id,
            "state": conversation.state,
            "waiting_since": conversation.waiting_since,
            "last_message_time": conversation.last_message_time,
        },
    )


async def mark_read(tx: Transaction, conversation_id: str, reader_id: str, now: datetime) -> bool:
    """Note that a reader has read everything so far; False when there is no such conversation."""
    marked = await tx.execute(
        "update conversations set unread_count = 0 where conversation_id = :id returning last_inbound_position",
        {"id": conversation_id},
    )
    row = marked.one_or_none()
    if row is not None and reader_id:
        await _read_to(tx, conversation_id, reader_id, row.last_inbound_position, now)
    return row is not None


async def mark_unread(
    tx: Transaction, conversation_id: str, reader_id: str, *, position: int, now: datetime
) -> None:
    """Note that a reader has read what came before a position only. The caller has locked the conversation."""
    if reader_id:
        await _read_to(tx, conversation_id, reader_id, position - 1, now)
    await tx.execute(
        "update conversations c set unread_count = (select count(*) from messages m"
        "  where m.conversation_id = c.conversation_id and m.direction = 'INBOUND' and m.position >"
        "  case when :reader_id = '' then :position - 1 else greatest(c.read_floor, (select max(r.position)"
        "   from conversation_reads r where r.conversation_id = c.conversation_id)) end)"
        " where c.conversation_id = :id",
        {"id": conversation_id, "reader_id": reader_id, "position": position},
    )


async def _read_to(
    tx: Transaction, conversation_id: str, reader_id: str, position: int, now: datetime
) -> None:
    await tx.execute(
        "insert into conversation_reads (chain_id, conversation_id, reader_id, position, read_at)"
        " values (:chain_id, :id, :reader_id, :position, :now) on conflict (chain_id, conversation_id, reader_id)"
        " do update set position = excluded.position, read_at = excluded.read_at",
        {
            "chain_id": tx.chain_id,
            "id": conversation_id,
            "reader_id": reader_id,
            "position": position,
            "now": now,
        },
    )


async def last_inbound_position(tx: Transaction, conversation_id: str) -> int:
    """Return where the client's last message stands; 0 when there is none."""
    found = await tx.execute(
        "select last_inbound_position from conversations where conversation_id = :id", {"id": conversation_id}
    )
    return int(found.scalar_one())


async def find(tx: Transaction, conversation_id: str, *, reader_id: str = "") -> Conversation | None:
    """Return one conversation as a reader sees it."""
    return (await find_all(tx, [conversation_id], reader_id=reader_id)).get(conversation_id)


async def find_all(
    tx: Transaction, conversation_ids: Collection[str], *, reader_id: str = ""
) -> dict[str, Conversation]:
    """Return conversations by id."""
    found = await tx.execute(
        f"{_SELECT} where c.conversation_id = any(:ids)",
        {"ids": list(conversation_ids), "reader_id": reader_id},
    )
    return {row.conversation_id: _conversation(row) for row in found}


async def lock(tx: Transaction, conversation_id: str, *, reader_id: str = "") -> Conversation | None:
    """Return one conversation for a change, once nobody else changes it."""
    await tx.execute(
        "select 1 from conversations where conversation_id = :id for update", {"id": conversation_id}
    )
    return await find(tx, conversation_id, reader_id=reader_id)


async def page(
    tx: Transaction,
    wanted: Filter,
    *,
    reader_id: str,
    before: tuple[datetime, str] | None,
    most: int,
) -> Sequence[Conversation]:
    """Return up to `most` conversations as a reader sees them, the latest first."""
    conditions: dict[str, Mapping[str, Any]] = {}
    if wanted.store_id:
        conditions["c.store_id = :store_id"] = {"store_id": wanted.store_id}
    if wanted.client_id:
        conditions[
            "c.client_phone in (select phone from phone_clients where client_id = any(:client_ids))"
        ] = {"client_ids": await identities.whole(tx, [wanted.client_id])}
    if wanted.state is not None:
        conditions["c.conversation_state = :state"] = {"state": wanted.state}
    if wanted.channel is not None:
        conditions["c.channel = :channel"] = {"channel": wanted.channel}
    if wanted.assignee_ids:
        conditions["c.assignee_id = any(:assignee_ids)"] = {"assignee_ids": list(wanted.assignee_ids)}
    if wanted.is_unassigned:
        conditions["c.assignee_id = ''"] = {}
    if wanted.is_waiting:
        conditions["c.waiting_since is not null"] = {}
    if wanted.is_unlinked:
        conditions[f"(select count(*) from ({_CLIENTS}) as known) <> 1"] = {}
    if wanted.is_unread:
        conditions[f"c.last_inbound_position > {_READ_TO}" if reader_id else "c.unread_count > 0"] = {}
    if before is not None:
        conditions["(c.last_message_time, c.conversation_id) < (:before_time, :before_id)"] = {
            "before_time": before[0],
            "before_id": before[1],
        }
    where = f"where {' and '.join(conditions)}" if conditions else ""
    parameters = {key: value for named in conditions.values() for key, value in named.items()}
    found = await tx.execute(
        f"{_SELECT} {where} order by c.last_message_time desc, c.conversation_id desc limit :most",
        {**parameters, "reader_id": reader_id, "most": most},
    )
    return [_conversation(row) for row in found]


async def of_client(tx: Transaction, client_id: str) -> list[str]:
    """Return the ids of the conversations with a client's numbers."""
    found = await tx.execute(
        "select conversation_id from conversations where client_phone in (select phone from phone_clients"
        " where client_id = any(:client_ids))",
        {"client_ids": await identities.whole(tx, [client_id])},
    )
    return [str(conversation_id) for conversation_id in found.scalars()]


async def learn_client(tx: Transaction, *, phone: str, client_id: str, now: datetime) -> bool:
    """Note that a client has a number, under the id by which we hear of it: a merge that is taken back must know.

    What was said before against it counts no more. Return whether that is news.
    """
    learned = await tx.execute(
        "insert into phone_clients (chain_id, phone, client_id, learned_at)"
        " values (:chain_id, :phone, :client_id, :now) on conflict do nothing",
        {"chain_id": tx.chain_id, "phone": phone, "client_id": client_id, "now": now},
    )
    await tx.execute(
        "delete from disowned_numbers where chain_id = :chain_id and phone = :phone"
        " and client_id = any(:client_ids)",
        {
            "chain_id": tx.chain_id,
            "phone": phone,
            "client_ids": await identities.whole(tx, [client_id]),
        },
    )
    return bool(learned.rowcount)


async def learn_current(tx: Transaction, *, phone: str, client_id: str, now: datetime) -> None:
    """Note that a client has a number, unless somebody is known to have it whom a merge made the same client, or said
    that it is not this client's."""
    if client_id in await clients_of(tx, phone):
        return
    if phone in (await disowned_by_each(tx, [client_id])).get(client_id, ()):
        return
    await learn_client(tx, phone=phone, client_id=client_id, now=now)


async def disown(
    tx: Transaction, *, phone: str, client_id: str, is_reassigned: bool, actor: str, now: datetime
) -> bool:
    """Note that a number is not, or not any more, a client's; return whether it was known to be."""
    gone = await tx.execute(
        "delete from phone_clients where chain_id = :chain_id and phone = :phone and client_id = any(:client_ids)",
        {
            "chain_id": tx.chain_id,
            "phone": phone,
            "client_ids": await identities.whole(tx, [client_id]),
        },
    )
    await tx.execute(
        "insert into disowned_numbers as old (chain_id, phone, client_id, is_reassigned, disowned_by, disowned_at)"
        " values (:chain_id, :phone, :client_id, :is_reassigned, :actor, :now)"
        " on conflict (chain_id, phone, client_id) do update set is_reassigned = true where excluded.is_reassigned",
        {
            "chain_id": tx.chain_id,
            "phone": phone,
            "client_id": client_id,
            "is_reassigned": is_reassigned,
            "actor": actor,
            "now": now,
        },
    )
    return bool(gone.rowcount)


async def disowned_by_each(tx: Transaction, client_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """Return of each client the numbers that somebody said are not the client's; who has none is left out."""
    found = await tx.execute(
        "select given.id, array_agg(d.phone) as phones from unnest(cast(:ids as text[])) as given (id)"
        " left join identity_aliases g on g.chain_id = :chain_id and g.alias_id = given.id"
        " join disowned_numbers d on d.chain_id = :chain_id"
        " left join identity_aliases a on a.chain_id = :chain_id and a.alias_id = d.client_id"
        " where coalesce(a.current_id, d.client_id) = coalesce(g.current_id, given.id) group by given.id",
        {"chain_id": tx.chain_id, "ids": list(set(client_ids))},
    )
    return {row.id: frozenset(row.phones) for row in found}


async def give_number(tx: Transaction, *, phone: str, from_id: str, to_id: str, now: datetime) -> None:
    """Note that a number which we learned of as one client's is another one's."""
    gone = await tx.execute(
        "delete from phone_clients where chain_id = :chain_id and phone = :phone and client_id = :client_id",
        {"chain_id": tx.chain_id, "phone": phone, "client_id": from_id},
    )
    if gone.rowcount:
        await learn_client(tx, phone=phone, client_id=to_id, now=now)


async def forget_client(tx: Transaction, client_id: str) -> None:
    """Note that a client is nobody any more; what the ledger says of the number stays."""
    client_ids = await identities.whole(tx, [client_id])
    for table in ("phone_clients", "disowned_numbers"):
        await tx.execute(
            f"delete from {table} where client_id = any(:client_ids)", {"client_ids": client_ids}
        )


async def clients_of(tx: Transaction, phone: str) -> list[str]:
    """Return the clients who are known to have a number."""
    found = await tx.execute(
        "select distinct coalesce(a.current_id, p.client_id) as client_id from phone_clients p"
        " left join identity_aliases a on a.chain_id = p.chain_id and a.alias_id = p.client_id"
        " where p.chain_id = :chain_id and p.phone = :phone order by 1",
        {"chain_id": tx.chain_id, "phone": phone},
    )
    return [str(client_id) for client_id in found.scalars()]


async def phones_of(tx: Transaction, client_id: str) -> list[str]:
    """Return the numbers that a client is known to have, those of clients merged into it included."""
    found = await tx.execute(
        "select distinct phone from phone_clients where client_id = any(:client_ids) order by phone",
        {"client_ids": await identities.whole(tx, [client_id])},
    )
    return [str(phone) for phone in found.scalars()]


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(
        **{
            **row._mapping,
            "client_ids": tuple(row.client_ids),
            "channel": Channel(row.channel),
            "state": ConversationState(row.state),
        }
    )
