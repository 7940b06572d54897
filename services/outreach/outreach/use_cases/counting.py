"""Count anew the rows of clients who wait for it: of batches, of days that came, of a whole chain on request.

Works in sets, each in a transaction of its own, so that any number of replicas may do it at once and one that ends in
the middle leaves the rest queued.
"""

from datetime import timedelta

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database
from outreach.store import chains, refresh
from outreach.use_cases.arrivals import follow_shelf

_SET = 1_000
# While an import goes on its clients are not counted: most would be again. One that stands still is not followed by a
# ranking, which counts whoever waits.
_QUIET = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(minutes=15)


async def count_waiting(*, database: Database, clock: Clock, chain_id: str) -> int:
    """Count every client whose row is not up to date today; return how many were counted."""
    async with database.transaction(chain_id) as tx:
        await refresh.queue_changed(tx, await chains.get_chain(tx), now=clock.now())
    return await _count_queued(database, clock, chain_id)


async def count_left_behind(*, database: Database, clock: Clock) -> int:
    """Count the clients of all chains whose import stands still, or goes on for long; return how many were counted."""
    now = clock.now()
    async with database.platform_transaction() as platform:
        waiting = await refresh.chains_left_behind(
            platform, quiet_since=now - _QUIET, waiting_since=now - _LONGEST_WAIT
        )
    counted = 0
    for chain_id in waiting:
        counted += await _count_queued(database, clock, chain_id)
    return counted


async def rebuild_facts(*, database: Database, clock: Clock, chain_id: str) -> int:
    """Count every client of a chain anew from the facts behind the rows; return how many were counted."""
    async with database.transaction(chain_id) as tx:
        await refresh.queue_chain(tx, now=clock.now())
    return await _count_queued(database, clock, chain_id)


async def _count_queued(database: Database, clock: Clock, chain_id: str) -> int:
    counted = 0
    while True:
        async with database.transaction(chain_id) as tx:
            await identities.hold(tx)
            clients = await refresh.take_queued(tx, most=_SET)
            if not clients:
                return counted
            await refresh.hold_clients(tx, list(clients))
            chain, now = await chains.get_chain(tx), clock.now()
            tastes_of = [client_id for client_id, tastes in clients.items() if tastes]
            await refresh.refresh_client_facts(tx, chain, clients, tastes_of=tastes_of, now=now)
            # For whom something is in the store that was not noted yet is queued again, and counted in the next set.
            await follow_shelf(tx, clients, today=chain.today(now), now=now)
        counted += len(clients)
