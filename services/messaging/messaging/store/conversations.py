"""Conversations, and who has which number."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis import identities
from chassis.database import Transaction
from messaging.domain import Channel, Conversation, ConversationState, Sender

_SELECT = """
    select c.conversation_id, c.store_id, c.sender_id, c.client_phone, c.unread_count, c.last_message_time,
        c.created_at, c.channel, c.conversation_state as state, c.assignee_id, c.waiting_since, c.last_inbound_at,
        array(select distinct coalesce(a.current_id, p.client_id) from phone_clients p
            left join identity_aliases a on a.chain_id = p.chain_id and a.alias_id = p.client_id
            where p.chain_id = c.chain_id and p.phone = c.client_phone order by 1) as client_ids
    from conversations c
"""


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


async def note_outbound(tx: Transaction, conversation_id: str, now: datetime) -> None:
    """Put a conversation on top."""
    await tx.execute(
        "update conversations set last_message_time = greatest(last_message_time, :now) where conversation_id = :id",
        {"id": conversation_id, "now": now},
    )


async def note_inbound(tx: Transaction, conversation_id: str, now: datetime) -> None:
    """Put a conversation on top with one more unread text."""
    await tx.execute(
        "update conversations set last_message_time = greatest(last_message_time, :now), last_inbound_at = :now,"
        " unread_count = unread_count + 1 where conversation_id = :id",
        {"id": conversation_id, "now": now},
    )


async def mark_read(tx: Transaction, conversation_id: str) -> bool:
    """Forget how many are unread; False when there is no such conversation."""
    marked = await tx.execute(
        "update conversations set unread_count = 0 where conversation_id = :id", {"id": conversation_id}
    )
    return bool(marked.rowcount)


async def find(tx: Transaction, conversation_id: str) -> Conversation | None:
    """Return one conversation."""
    found = await tx.execute(f"{_SELECT} where c.conversation_id = :id", {"id": conversation_id})
    row = found.one_or_none()
    return None if row is None else _conversation(row)


async def page(
    tx: Transaction,
    *,
    store_id: str,
    client_id: str,
    unread_only: bool,
    before: tuple[datetime, str] | None,
    most: int,
) -> Sequence[Conversation]:
    """Return up to `most` conversations, the latest first; empty ids stand for all."""
    conditions: dict[str, Mapping[str, Any]] = {}
    if store_id:
        conditions["c.store_id = :store_id"] = {"store_id": store_id}
    if client_id:
        conditions[
            "c.client_phone in (select phone from phone_clients where client_id = any(:client_ids))"
        ] = {"client_ids": await identities.whole(tx, [client_id])}
    if unread_only:
        conditions["c.unread_count > 0"] = {}
    if before is not None:
        conditions["(c.last_message_time, c.conversation_id) < (:before_time, :before_id)"] = {
            "before_time": before[0],
            "before_id": before[1],
        }
    where = f"where {' and '.join(conditions)}" if conditions else ""
    parameters = {key: value for named in conditions.values() for key, value in named.items()}
    found = await tx.execute(
        f"{_SELECT} {where} order by c.last_message_time desc, c.conversation_id desc limit :most",
        {**parameters, "most": most},
    )
    return [_conversation(row) for row in found]


async def learn_client(tx: Transaction, *, phone: str, client_id: str, now: datetime) -> None:
    """Note that a client has a number, under the id by which we hear of it: a merge that is taken back must know."""
    await tx.execute(
        "insert into phone_clients (chain_id, phone, client_id, learned_at)"
        " values (:chain_id, :phone, :client_id, :now) on conflict do nothing",
        {"chain_id": tx.chain_id, "phone": phone, "client_id": client_id, "now": now},
    )


async def learn_current(tx: Transaction, *, phone: str, client_id: str, now: datetime) -> None:
    """Note that a client has a number, unless somebody is known to have it whom a merge made the same client."""
    if client_id not in await clients_of(tx, phone):
        await learn_client(tx, phone=phone, client_id=client_id, now=now)


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
    await tx.execute(
        "delete from phone_clients where client_id = any(:client_ids)",
        {"client_ids": await identities.whole(tx, [client_id])},
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
