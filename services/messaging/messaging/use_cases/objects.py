"""Remove the objects that nobody needs any more: of removed messages, interrupted uploads, unused pictures."""

import asyncio

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.objects import ObjectStore
from messaging.store import objects as store

_BATCH = 100
_AT_ONCE = 8


async def sweep_objects(*, database: Database, clock: Clock, objects: ObjectStore) -> int:
    """Remove what is due, and return how much that was. What cannot be removed now is tried again in five minutes."""
    count = 0
    while due := await store.take_due(database, now=clock.now(), limit=_BATCH):
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
        await store.forget_removed(database, removed)
        count += len(removed)
        if len(due) < _BATCH or len(removed) < len(due):
            break
    return count
