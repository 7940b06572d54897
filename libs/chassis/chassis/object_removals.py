"""Rows that say which objects are to be removed, and when, and the sweep that does it. Other tables hold the keys that
stay; `object_removals` is a table of each service that keeps objects.

An object is written after its removal was planned, and kept by cancelling that in the transaction that makes it
visible: so nothing is left of a put that nobody finished, whichever process died where.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import ServiceError
from chassis.objects import ObjectStore

_LEASE = timedelta(minutes=5)  # in which a sweep must be through with what it took
_BATCH = 100
_AT_ONCE = 8


async def plan_removal(tx: Transaction, object_key: str, *, due_at: datetime) -> None:
    """Have an object removed at that time; an earlier time goes before a later one."""
    await tx.execute(
        "insert into object_removals (chain_id, object_key, due_at) values (:chain_id, :object_key, :due_at)"
        " on conflict (chain_id, object_key) do update"
        " set due_at = least(object_removals.due_at, excluded.due_at)",
        {"chain_id": tx.chain_id, "object_key": object_key, "due_at": due_at},
    )


async def cancel_removal(tx: Transaction, object_key: str) -> bool:
    """Keep an object; False when it may be gone already, because its time had come."""
    cancelled = await tx.execute(
        "delete from object_removals where object_key = :object_key", {"object_key": object_key}
    )
    return bool(cancelled.rowcount)


async def sweep_objects(*, database: Database, clock: Clock, objects: ObjectStore) -> int:
    """Remove what is due, and return how much that was. What cannot be removed now is tried again in five minutes."""
    count = 0
    while due := await _take_due(database, now=clock.now(), limit=_BATCH):
        slots = asyncio.Semaphore(_AT_ONCE)

        async def remove(key: str, slots: asyncio.Semaphore = slots) -> bool:
            async with slots:
                try:
                    await objects.delete(key)
                except ServiceError:
                    return False
                return True

        outcomes = await asyncio.gather(*(remove(key) for _, key in due))
        removed = [one for one, is_gone in zip(due, outcomes, strict=True) if is_gone]
        await _forget_removed(database, removed)
        count += len(removed)
        if len(due) < _BATCH or len(removed) < len(due):
            break
    return count


async def _take_due(database: Database, *, now: datetime, limit: int) -> list[tuple[str, str]]:
    """Return chain and key of objects to remove; nobody else gets them for five minutes."""
    async with database.platform_transaction() as connection:
        taken = await connection.execute(
            text(
                "update object_removals r set due_at = :until from (select chain_id, object_key from object_removals"
                " where due_at <= :now order by due_at limit :limit for update skip locked) due"
                " where r.chain_id = due.chain_id and r.object_key = due.object_key"
                " returning r.chain_id, r.object_key"
            ),
            {"now": now, "until": now + _LEASE, "limit": limit},
        )
        return [(row.chain_id, row.object_key) for row in taken]


async def _forget_removed(database: Database, removed: Sequence[tuple[str, str]]) -> None:
    """Delete the rows of objects that are gone."""
    async with database.platform_transaction() as connection:
        await connection.execute(
            text(
                "delete from object_removals r using unnest(cast(:chains as text[]), cast(:keys as text[]))"
                " gone (chain_id, object_key) where r.chain_id = gone.chain_id and r.object_key = gone.object_key"
            ),
            {"chains": [chain for chain, _ in removed], "keys": [key for _, key in removed]},
        )
