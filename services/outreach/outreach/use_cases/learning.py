"""Learn from outcomes how well signals work at a chain, and work all of that out anew from contacts and outcomes."""

from chassis.clock import Clock
from chassis.database import Database
from outreach.store import learning, outcomes
from outreach.store.settings import get_settings
from outreach.use_cases.outcomes import credit_clients, learning_window

_AT_ONCE = 2000
_CLIENTS_AT_ONCE = 500


async def learn_from_outcomes(*, database: Database, clock: Clock) -> int:
    """Count the contacts whose time has come, chain by chain; return how many. Replicas share the chains."""
    looked_at = 0
    while True:
        async with database.platform_transaction() as platform:
            chain_id = await learning.take_due(platform, clock.now())
        if chain_id is None:
            return looked_at
        looked_at += await count_contacts(database=database, clock=clock, chain_id=chain_id)


async def count_contacts(*, database: Database, clock: Clock, chain_id: str) -> int:
    """Count a chain's contacts that are due, in short transactions; return how many were looked at."""
    total = 0
    while True:
        now = clock.now()
        async with database.transaction(chain_id) as tx:
            window = learning_window((await get_settings(tx)).attribution)
            looked_at = await learning.count(tx, window=window, now=now, limit=_AT_ONCE)
            if looked_at < _AT_ONCE:
                next_at = await learning.next_due(tx)
                if next_at is not None:
                    await learning.note_due(tx, next_at)
        total += looked_at
        if looked_at < _AT_ONCE:
            return total


async def rebuild(*, database: Database, clock: Clock, chain_id: str) -> int:
    """Work out anew what a chain's outcomes are credited to, and count all contacts anew; return how many.

    Changes nothing where nothing is wrong, but for counts that are short while it runs. Safe to repeat.
    """
    after = ""
    while True:
        async with database.transaction(chain_id) as tx:
            clients = await outcomes.clients_after(tx, after, limit=_CLIENTS_AT_ONCE)
            await credit_clients(tx, dict.fromkeys(clients), now=clock.now())
        if len(clients) < _CLIENTS_AT_ONCE:
            break
        after = clients[-1]
    async with database.transaction(chain_id) as tx:
        await learning.forget_counts(tx)
        await learning.note_due(tx, clock.now())
    return await count_contacts(database=database, clock=clock, chain_id=chain_id)
