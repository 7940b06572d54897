"""Senders and the directory of their numbers, which are unique over all chains."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import Channel, Sender, SenderState

COLUMNS = (
    "sender_id", "store_id", "phone", "display_name", "created_at", "channel", "brand_registration_id",
    "messaging_service_id", "segments_per_second", "state", "stop_reason",
)  # fmt: skip
_COLUMNS = ", ".join(COLUMNS)
_CHANGING = (
    "display_name", "brand_registration_id", "messaging_service_id", "segments_per_second", "state", "stop_reason",
)  # fmt: skip


async def add(tx: Transaction, sender: Sender) -> bool:
    """Write a sender down; False when its number is taken, in whichever chain."""
    taken = await tx.execute(
        "insert into sender_directory (channel, phone, chain_id, sender_id, messaging_service_id)"
        " values (:channel, :phone, :chain_id, :sender_id, :messaging_service_id) on conflict do nothing",
        {
            "channel": sender.channel,
            "phone": sender.phone,
            "chain_id": tx.chain_id,
            "sender_id": sender.sender_id,
            "messaging_service_id": sender.messaging_service_id,
        },
    )
    if not taken.rowcount:
        return False
    await tx.execute(
        f"insert into senders (chain_id, {_COLUMNS}) values (:chain_id, {', '.join(f':{name}' for name in COLUMNS)})",
        {"chain_id": tx.chain_id, **asdict(sender)},
    )
    return True


async def get(tx: Transaction, sender_id: str) -> Sender:
    """Return a sender that is known to exist."""
    found = await tx.execute(f"select {_COLUMNS} from senders where sender_id = :id", {"id": sender_id})
    return sender_of(found.one())


async def find_by_store(tx: Transaction, store_id: str, channel: Channel = Channel.SMS) -> Sender | None:
    """Return what a store writes from on a channel: the one it was given last."""
    found = await tx.execute(
        f"select {_COLUMNS} from senders where store_id = :store_id and channel = :channel"
        " order by created_at desc, sender_id desc limit 1",
        {"store_id": store_id, "channel": channel},
    )
    row = found.one_or_none()
    return None if row is None else sender_of(row)


async def find_by_phone(tx: Transaction, phone: str, channel: Channel = Channel.SMS) -> Sender | None:
    """Return the chain's sender with a number, or an e-mail address, on a channel."""
    found = await tx.execute(
        f"select {_COLUMNS} from senders where phone = :phone and channel = :channel",
        {"phone": phone, "channel": channel},
    )
    row = found.one_or_none()
    return None if row is None else sender_of(row)


async def page(tx: Transaction, *, after: str, most: int) -> Sequence[Sender]:
    """Return up to `most` senders in the order of their ids, which is that of their making."""
    found = await tx.execute(
        f"select {_COLUMNS} from senders where sender_id > :after order by sender_id limit :most",
        {"after": after, "most": most},
    )
    return [sender_of(row) for row in found]


def sender_of(row: Row[Any], prefix: str = "") -> Sender:
    """Return the sender whose columns stand in a row, each behind a prefix."""
    fields = {name: getattr(row, f"{prefix}{name}") for name in COLUMNS}
    return Sender(**{**fields, "channel": Channel(fields["channel"]), "state": SenderState(fields["state"])})


async def find(tx: Transaction, sender_id: str, *, lock: bool = False) -> Sender | None:
    """Return one sender; `lock` keeps others from changing it."""
    found = await tx.execute(
        f"select {_COLUMNS} from senders where sender_id = :id {'for update' if lock else ''}",
        {"id": sender_id},
    )
    row = found.one_or_none()
    return None if row is None else sender_of(row)


async def save(tx: Transaction, sender: Sender) -> None:
    """Write down what can change of a sender."""
    parameters = {name: getattr(sender, name) for name in ("sender_id", *_CHANGING)}
    await tx.execute(
        f"update senders set {', '.join(f'{name} = :{name}' for name in _CHANGING)} where sender_id = :sender_id",
        parameters,
    )
    await tx.execute(
        "update sender_directory set messaging_service_id = :messaging_service_id where chain_id = :chain_id"
        " and sender_id = :sender_id and messaging_service_id <> :messaging_service_id",
        {
            "chain_id": tx.chain_id,
            "sender_id": sender.sender_id,
            "messaging_service_id": sender.messaging_service_id,
        },
    )
