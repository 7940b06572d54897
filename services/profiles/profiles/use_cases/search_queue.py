"""Let what imports say clients bought be found and counted: at the end of an upload, and after one that never ended."""

from datetime import timedelta

from chassis.clock import Clock
from chassis.database import Database, Transaction
from profiles.store import client_facts
from profiles.store import search as search_store
from profiles.store import search_queue as store

SET = 2000  # clients at a time: large enough to share the work, and done within a second or two
_LEFT_BEHIND = timedelta(minutes=10)


async def work_off(tx: Transaction) -> int:
    """Bring words and facts of a set of the chain's queued clients in line and return how many there were."""
    client_ids = await store.take(tx, most=SET)
    await client_facts.refresh(tx, client_ids)
    await search_store.refresh_search(tx, client_ids)
    return len(client_ids)


async def work_off_left_behind(*, database: Database, clock: Clock) -> None:
    """Do it for every chain in which an upload stopped half way, or goes on for longer than one may wait."""
    async with database.platform_transaction() as connection:
        chains = await store.chains_left_behind(connection, before=clock.now() - _LEFT_BEHIND)
    for chain_id in chains:
        count = SET
        while count == SET:
            async with database.transaction(chain_id) as tx:
                count = await work_off(tx)
