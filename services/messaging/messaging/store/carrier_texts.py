"""Which attempt of ours a text at a carrier belongs to. Whoever says so first is right, and that never changes.

A carrier without references of ours shows texts by number and words only; two attempts may look alike there, and each
of its texts must count for one of them. Holds ids only.
"""

from collections.abc import Collection
from datetime import datetime

from chassis.database import Transaction
from messaging.domain import message_id_of


async def claim(
    tx: Transaction,
    *,
    provider: str,
    provider_message_id: str,
    reference: str,
    now: datetime,
) -> str:
    """Say that a carrier's text is an attempt of ours, and return whose it is: another's, if that was said before.

    Of a message that was removed nothing is kept.
    """
    key = {"chain_id": tx.chain_id, "provider": provider, "id": provider_message_id}
    await tx.execute(
        "insert into carrier_texts (chain_id, provider, provider_message_id, message_id, reference, noted_at)"
        " select :chain_id, :provider, :id, message_id, :reference, :now from messages"
        " where message_id = :message_id on conflict do nothing",
        {
            **key,
            "message_id": message_id_of(reference),
            "reference": reference,
            "now": now,
        },
    )
    owner = await owner_of(tx, provider=provider, provider_message_id=provider_message_id)
    return owner or reference


async def owner_of(tx: Transaction, *, provider: str, provider_message_id: str) -> str | None:
    """Return the attempt that a carrier's text belongs to."""
    found = await tx.execute(
        "select reference from carrier_texts where chain_id = :chain_id and provider = :provider"
        " and provider_message_id = :id",
        {"chain_id": tx.chain_id, "provider": provider, "id": provider_message_id},
    )
    return found.scalar_one_or_none()


async def of_reference(tx: Transaction, *, provider: str, reference: str) -> str | None:
    """Return the carrier's text of an attempt, the first when it made two of one."""
    found = await tx.execute(
        "select provider_message_id from carrier_texts where chain_id = :chain_id and message_id = :message_id"
        " and provider = :provider and reference = :reference order by noted_at, provider_message_id limit 1",
        {
            "chain_id": tx.chain_id,
            "message_id": message_id_of(reference),
            "provider": provider,
            "reference": reference,
        },
    )
    return found.scalar_one_or_none()


async def claimed(tx: Transaction, *, provider: str, provider_message_ids: Collection[str]) -> set[str]:
    """Return which of a carrier's texts belong to an attempt already."""
    found = await tx.execute(
        "select provider_message_id from carrier_texts where chain_id = :chain_id and provider = :provider"
        " and provider_message_id = any(:ids)",
        {"chain_id": tx.chain_id, "provider": provider, "ids": list(provider_message_ids)},
    )
    return set(found.scalars())
