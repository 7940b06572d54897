"""Hashes of erased persons, who must not come back with an import."""

from collections.abc import Collection, Mapping
from datetime import datetime

from chassis.database import Transaction
from profiles.suppression import SuppressedKind


async def find(tx: Transaction, hashes: Collection[bytes]) -> set[bytes]:
    """Return those of the hashes that belong to somebody who was erased from this chain."""
    if not hashes:
        return set()
    found = await tx.execute(
        "select key_hash from suppressions where chain_id = :chain_id and key_hash = any(:hashes)",
        {"chain_id": tx.chain_id, "hashes": list(hashes)},
    )
    return set(found.scalars())


async def any_in_chain(tx: Transaction) -> bool:
    """Return whether anybody was ever erased from this chain; while nobody was, an import need not hash."""
    found = await tx.execute(
        "select exists (select from suppressions where chain_id = :chain_id)", {"chain_id": tx.chain_id}
    )
    return bool(found.scalar_one())


async def add(
    tx: Transaction, hashes: Mapping[bytes, SuppressedKind], *, erasure_id: str, now: datetime
) -> None:
    """Remember the hashes of an erased person; those of somebody erased before stay as they are."""
    if not hashes:
        return
    await tx.execute(
        "insert into suppressions (chain_id, key_hash, kind, erasure_id, created_at)"
        " values (:chain_id, :key_hash, :kind, :erasure_id, :now) on conflict do nothing",
        [
            {
                "chain_id": tx.chain_id,
                "key_hash": key_hash,
                "kind": kind,
                "erasure_id": erasure_id,
                "now": now,
            }
            for key_hash, kind in hashes.items()
        ],
    )
