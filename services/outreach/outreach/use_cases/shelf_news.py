"""Find out for whom it means something that pieces came to a store, or left it."""

from datetime import datetime

import structlog

from chassis import context as work
from chassis import identities
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Kind, ServiceError
from outreach.store import arrivals, chains
from outreach.use_cases.arrivals import follow_shelf
from outreach.use_cases.attention import look_again

_NEWS = 2_000
_CLIENTS = 2_000

_log = structlog.get_logger(__name__)


async def follow_news(*, database: Database, clock: Clock) -> int:
    """Work off what came to shelves and left them, in all chains; return how many clients it meant something to.

    Replicas share the work, a store's news at a time. What fails comes again at the next look.
    """
    told = 0
    while True:
        now = clock.now()
        async with database.platform_transaction() as platform:
            found = await arrivals.find_news(platform, now=now)
        if found is None:
            return told
        work.begin_work()
        try:
            news, clients = await _follow_store(database, *found, now=now)
        except ServiceError as error:
            if error.kind not in (Kind.CONFLICT, Kind.UNAVAILABLE):
                raise
            _log.info("news of a shelf waits", chain_id=found[0], store_id=found[1], reason=error.reason)
            return told
        if not news:
            return told
        told += clients


async def _follow_store(
    database: Database, chain_id: str, store_id: str, *, now: datetime
) -> tuple[int, int]:
    async with database.transaction(chain_id) as tx:
        await identities.hold(tx)
        today = (await chains.get_chain(tx)).today(now)
        news, client_ids = await arrivals.take_news(tx, store_id, today=today, now=now, most=_NEWS)
        changed: list[str] = []
        for begin in range(0, len(client_ids), _CLIENTS):
            changed += await follow_shelf(tx, client_ids[begin : begin + _CLIENTS], today=today, now=now)
        if changed:
            await look_again(tx, changed, now=now)
    if changed:
        _log.info("pieces arrived or left", chain_id=chain_id, store_id=store_id, clients=len(changed))
    return news, len(changed)
