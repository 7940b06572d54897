"""Rank whole chains: on request, after an import, and every night.

A ranking reads facts in short transactions, works in threads without any, and writes in one. A lease on the chain's
row keeps two rankings of a chain apart; its token is checked again when the result is written, so one that overran
its lease writes nothing. A ranking asked for an earlier day is a replay: for `replay_hold_hours` the queue is that
day's and background rankings, also those that imports ask for meanwhile, wait; any ranking for today ends it.

In the background, a chain of more than one slice becomes a run whose slices replicas share (`ranking_runs`).
"""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import perf_counter

import structlog

from chassis import context as work
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from outreach.domain import AsOfAhead, ScoringRunning
from outreach.scoring.model import ChainModel
from outreach.scoring.slices import Best
from outreach.store import books, chains
from outreach.store.rules import read_rules
from outreach.telemetry import RANKING_SECONDS
from outreach.use_cases import ranking, ranking_runs
from outreach.use_cases.counting import count_waiting
from outreach.use_cases.ranking import LEASE, Ranked, Task
from outreach.use_cases.ranking_runs import PutSlices

SLICE_CLIENTS = 100_000

_WAIT_SECONDS = 8.0  # below the deadline that callers have by default
_POLL_SECONDS = 0.1

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Scored:
    """What a ranking came to; `suggestions_raised` counts those it stands behind, new ones and refreshed ones."""

    model: ChainModel
    fitted_at: datetime
    clients_scored: int
    suggestions_raised: int
    duration_seconds: float


async def run_scoring(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    as_of: date | None,
    queue_size: int,
    replay_hold: timedelta,
    slice_clients: int = SLICE_CLIENTS,
    wait_seconds: float = _WAIT_SECONDS,
) -> Scored:
    """Rank a chain as of a day, today where none is given.

    Raises AS_OF_AHEAD for a day to come, and SCORING_RUNNING when another ranking of the chain does not end in time.
    """
    started = perf_counter()
    token = new_id("run")
    # Before the lease: after an import it may take longer than a lease lasts.
    await count_waiting(database=database, clock=clock, chain_id=chain_id)
    await _take_lease(database, clock, chain_id, token, wait_seconds)
    try:
        began_at = clock.now()
        async with database.transaction(chain_id) as tx:
            chain = await chains.get_chain(tx)
            today = chain.today(began_at)
            day = as_of or today
            if day > today:
                raise AsOfAhead(day, today)
            rules = await read_rules(tx)
            is_small = day < today or await books.count_clients(tx, most=slice_clients + 1) <= slice_clients
        task = Task(chain, rules, day, began_at, queue_size)
        if is_small:
            ranked = await ranking.rank_whole(database, task, is_today=day == today)
        else:
            ranked = await _rank_slices(database, clock, task, token, slice_clients)
        async with database.transaction(chain_id) as tx:
            raised, now = await ranking.write_ranking(
                tx, task, ranked, token=token, replay_hold=replay_hold, clock=clock
            )
    except BaseException:
        await _give_up_lease(database, chain_id, token)
        raise
    seconds = perf_counter() - started
    RANKING_SECONDS.labels("whole").observe(seconds)
    _log.info(
        "chain ranked",
        chain_id=chain_id,
        as_of=day.isoformat(),
        clients=ranked.clients,
        seconds=round(seconds, 3),
    )
    return Scored(ranked.model, now, ranked.clients, raised, seconds)


async def score_waiting_chains(
    *,
    database: Database,
    clock: Clock,
    nightly_hour: int,
    queue_size: int,
    replay_hold: timedelta,
    slice_clients: int = SLICE_CLIENTS,
    put_slices: PutSlices | None = None,
) -> int:
    """Turn nights that have come into requests, then rank every chain that waits; return how many were ranked.

    Replicas share the work: each takes one chain at a time, and puts the slices of a large one on the queue that all of
    them work on. A ranking that fails, or whose slices stand still, comes again after a minute. Without `put_slices`
    this process ranks large chains, too.
    """
    while True:
        async with database.platform_transaction() as platform:
            if await chains.take_night(platform, hour=nightly_hour, now=clock.now()) is None:
                break
    ranked = 0
    while True:
        now = clock.now()
        async with database.platform_transaction() as platform:
            chain_id = await chains.take_request(platform, now=now, again_at=now + LEASE)
        if chain_id is None:
            return ranked
        work.begin_work()
        try:
            if put_slices is not None and await _is_large(database, clock, chain_id, slice_clients):
                if not await ranking_runs.resume_run(
                    database=database, clock=clock, chain_id=chain_id, put_slices=put_slices
                ):
                    await start_run(
                        database=database,
                        clock=clock,
                        chain_id=chain_id,
                        queue_size=queue_size,
                        slice_clients=slice_clients,
                        put_slices=put_slices,
                    )
                continue
            await run_scoring(
                database=database,
                clock=clock,
                chain_id=chain_id,
                as_of=None,
                queue_size=queue_size,
                replay_hold=replay_hold,
                slice_clients=slice_clients,
                wait_seconds=0,
            )
            ranked += 1
        except ServiceError as error:
            if error.kind not in (Kind.CONFLICT, Kind.UNAVAILABLE):
                raise
            _log.info("chain will be ranked later", chain_id=chain_id, reason=error.reason)


async def start_run(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    queue_size: int,
    slice_clients: int,
    put_slices: PutSlices,
) -> str:
    """Make a large chain's ranking ready and share out its slices; return the run's id.

    Raises SCORING_RUNNING while the chain is being ranked.
    """
    run_id = new_id("run")
    await count_waiting(database=database, clock=clock, chain_id=chain_id)
    await _take_lease(database, clock, chain_id, run_id, wait_seconds=0)
    try:
        began_at = clock.now()
        async with database.transaction(chain_id) as tx:
            chain = await chains.get_chain(tx)
            rules = await read_rules(tx)
        task = Task(chain, rules, chain.today(began_at), began_at, queue_size)
        plan = await ranking.plan(database, task, slice_clients=slice_clients)
        await ranking_runs.add_run(database, clock, task, plan, run_id=run_id)
    except BaseException:
        await _give_up_lease(database, chain_id, run_id)
        raise
    _log.info(
        "ranking shared out",
        chain_id=chain_id,
        run_id=run_id,
        clients=plan.clients,
        slices=len(plan.slices),
        seconds=round((clock.now() - began_at).total_seconds(), 3),
    )
    # From here on the lease is the run's: whoever works on its slices keeps it, and `resume_run` puts what is lost.
    await put_slices(chain_id, run_id, range(len(plan.slices)))
    return run_id


async def _rank_slices(
    database: Database, clock: Clock, task: Task, token: str, slice_clients: int
) -> Ranked:
    """Rank a large chain in this process: a slice is read while the one before it is worked out."""
    plan = await ranking.plan(database, task, slice_clients=slice_clients)
    at_once = asyncio.Semaphore(2)

    async def best_of(reach: tuple[int, int]) -> Best:
        async with at_once:
            found = await ranking.rank_slice(database, task, plan.model, reach)
            async with database.transaction(task.chain.chain_id) as tx:
                if not await chains.renew_lease(tx, token=token, until=clock.now() + LEASE):
                    raise ScoringRunning
            return found

    parts = await asyncio.gather(*(best_of(reach) for reach in plan.slices))
    return await ranking.tell_best(database, task, plan.model, plan.clients, parts)


async def _is_large(database: Database, clock: Clock, chain_id: str, slice_clients: int) -> bool:
    await count_waiting(database=database, clock=clock, chain_id=chain_id)
    async with database.transaction(chain_id) as tx:
        return await books.count_clients(tx, most=slice_clients + 1) > slice_clients


async def _take_lease(
    database: Database, clock: Clock, chain_id: str, token: str, wait_seconds: float
) -> None:
    give_up_at = perf_counter() + work.seconds_left(wait_seconds)
    while True:
        now = clock.now()
        async with database.transaction(chain_id) as tx:
            if await chains.take_lease(tx, token=token, now=now, until=now + LEASE):
                return
        if perf_counter() >= give_up_at:
            raise ScoringRunning
        await asyncio.sleep(_POLL_SECONDS)


async def _give_up_lease(database: Database, chain_id: str, token: str) -> None:
    try:
        async with database.transaction(chain_id) as tx:
            await chains.release_lease(tx, token=token)
    except ServiceError:
        _log.warning("lease is left to run out", chain_id=chain_id)
