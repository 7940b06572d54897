"""Senders and the directory of their numbers, which are unique over all chains."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Sequence

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import Sender

_COLUMNS = "sender_id, store_id, phone, display_name, created_at"


async def add(tx: Transaction, sender: Sender) -> bool:
    """Write a sender down; False when its number is taken, in whichever chain."""
    taken = await tx.execute(
        "insert into sender_directory (phone, chain_id, sender_id) values (:phone, :chain_id, :sender_id)"
        " on conflict do nothing",
        {"phone": sender.phone, "chain_id": tx.chain_id, "sender_id": sender.sender_id},
    )
    if not taken.rowcount:
        return False
    await tx.execute(
        "insert into senders (sender_id, chain_id, store_id, phone, display_name, created_at)"
        " values (:sender_id, :chain_id, :store_id, :phone, :display_name, :created_at)",
        {
            "sender_id": sender.sender_id,
            "chain_id": tx.chain_id,
            "store_id": sender.store_id,
            "phone": sender.phone,
            "display_name": sender.display_name,
            "created_at": sender.created_at,
        },
    )
    return True


async def get(tx: Transaction, sender_id: str) -> Sender:
    """Return a sender that is known to exist."""
    found = await tx.execute(f"select {_COLUMNS} from senders where sender_id = :id", {"id": sender_id})
    return _sender(found.one())


async def find_by_store(tx: Transaction, store_id: str) -> Sender | None:
    """Return the number that a store writes from: the one it was given last."""
    found = await tx.execute(
        f"select {_COLUMNS} from senders where store_id = :store_id order by created_at desc, sender_id desc limit 1",
        {"store_id": store_id},
    )
    row = found.one_or_none()
    return None if row is None else _sender(row)


async def find_by_phone(tx: Transaction, phone: str) -> Sender | None:
    """Return the chain's sender with a number."""
    found = await tx.execute(f"select {_COLUMNS} from senders where phone = :phone", {"phone": phone})
    row = found.one_or_none()
    return None if row is None else _sender(row)


async def page(tx: Transaction, *, after: str, most: int) -> Sequence[Sender]:
    """Return up to `most` senders in the order of their ids, which is that of their making."""
    found = await tx.execute(
        f"select {_COLUMNS} from senders where sender_id > :after order by sender_id limit :most",
        {"after": after, "most": most},
    )
    return [_sender(row) for row in found]


def _sender(row: Row[tuple[object, ...]]) -> Sender:
    return Sender(**row._mapping)
