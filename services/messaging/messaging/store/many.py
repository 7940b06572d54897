"""Numbers and conversations of many texts at once, in one statement each; one at a time is `conversations`."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Collection, Sequence
from datetime import datetime

from chassis.database import Transaction
from chassis.ids import new_id
from messaging.domain import Sender

_KEY = "hashtextextended(given.key, 0)"


async def lock_numbers(tx: Transaction, phones: Collection[str]) -> None:
    """Keep everybody else from deciding about numbers until this transaction ends, as `conversations.lock_number`."""
    # In one order for everybody, so that no two wait for one another.
    await tx.execute(
        f"select pg_advisory_xact_lock({_KEY}) from (select key from unnest(cast(:keys as text[])) as key"
        " order by key) as given",
        {"keys": _keys(tx, phones)},
    )


async def try_numbers(tx: Transaction, phones: Collection[str]) -> set[str]:
    """Do the same for those numbers that nobody else decides about at this moment, and return them; wait for none."""
    found = await tx.execute(
        f"select given.phone from unnest(cast(:phones as text[]), cast(:keys as text[])) as given (phone, key)"
        f" where pg_try_advisory_xact_lock({_KEY})",
        {"phones": sorted(set(phones)), "keys": _keys(tx, phones)},
    )
    return {str(phone) for phone in found.scalars()}


def _keys(tx: Transaction, phones: Collection[str]) -> list[str]:
    return [f"{tx.chain_id} {phone}" for phone in sorted(set(phones))]


async def find_or_create_conversations(
    tx: Transaction, ends: Sequence[tuple[Sender, str]], now: datetime
) -> list[str]:
    """Return the ids of the conversations between senders and numbers; a new one begins with this call."""
    given = {
        "ids": [new_id("cnv") for _ in ends],
        "stores": [sender.store_id for sender, _ in ends],
        "senders": [sender.sender_id for sender, _ in ends],
        "phones": [phone for _, phone in ends],
        "channels": [sender.channel.value for sender, _ in ends],
    }
    await tx.execute(
        "insert into conversations (conversation_id, chain_id, store_id, sender_id, client_phone, unread_count,"
        " last_message_time, created_at, channel)"
        " select distinct on (sender_id, phone) id, :chain_id, store_id, sender_id, phone, 0, :now, :now, channel"
        " from unnest(cast(:ids as text[]), cast(:stores as text[]), cast(:senders as text[]), cast(:phones as text[]),"
        "  cast(:channels as text[])) as given (id, store_id, sender_id, phone, channel)"
        " order by sender_id, phone on conflict do nothing",
        {"chain_id": tx.chain_id, "now": now, **given},
    )
    found = await tx.execute(
        "select c.conversation_id from unnest(cast(:senders as text[]), cast(:phones as text[])) with ordinality"
        " as given (sender_id, phone, place) join conversations c"
        " on c.chain_id = :chain_id and c.sender_id = given.sender_id and c.client_phone = given.phone"
        " order by given.place",
        {"chain_id": tx.chain_id, "senders": given["senders"], "phones": given["phones"]},
    )
    return [str(conversation_id) for conversation_id in found.scalars()]


async def note_outbound(
    tx: Transaction, conversation_ids: Collection[str], answered: Collection[str], now: datetime
) -> None:
    """Put conversations on top; in those that were answered the client waits no more."""
    await tx.execute(
        "update conversations c set last_message_time = greatest(last_message_time, :now),"
        " waiting_since = case when c.conversation_id = any(:answered) then null else waiting_since end"
        " from (select conversation_id from conversations where conversation_id = any(:ids)"
        "  order by conversation_id for update) as locked where c.conversation_id = locked.conversation_id",
        {"ids": list(conversation_ids), "answered": list(answered), "now": now},
    )
