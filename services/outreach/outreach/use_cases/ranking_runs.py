"""Runs: rankings of large chains whose slices replicas share as jobs.

A run holds its chain's lease by its id. Whoever works on a slice checks that it still does, before and in the
transaction that keeps the result; a slice's result is kept once, and whoever keeps the last one merges all of them. A
job that comes twice finds its slice done; one whose merge did not come through merges. A run whose day is over, or
whose lease went to somebody else, is dropped: the next ranking begins anew.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from time import perf_counter

import structlog

from chassis.clock import Clock
from chassis.database import Database, Transaction
from outreach.domain import ScoringRunning
from outreach.scoring.model import ChainModel
from outreach.scoring.slices import Best
from outreach.store import chains, models, ranking_runs
from outreach.store.ranking_runs import RankingRun, Slice
from outreach.store.rules import read_rules
from outreach.telemetry import RANKING_SECONDS, RANKING_SLICES, RANKING_SLICES_WAITING
from outreach.use_cases import ranking
from outreach.use_cases.ranking import LEASE, Plan, Task

# Puts slices of a run (chain, run, numbers of slices) on the queue that replicas share.
PutSlices = Callable[[str, str, Sequence[int]], Awaitable[None]]

_log = structlog.get_logger(__name__)


class _Superseded(Exception):
    """The run is not the chain's ranking any more."""


async def add_run(database: Database, clock: Clock, task: Task, plan: Plan, *, run_id: str) -> None:
    """Keep a run and its model, as long as the chain's lease is its own. Raises SCORING_RUNNING where it is not."""
    async with database.transaction(task.chain.chain_id) as tx:
        now = clock.now()
        if not await chains.renew_lease(tx, token=run_id, until=now + LEASE):
            raise ScoringRunning
        await models.put_model(tx, plan.model, fitted_at=now)
        await ranking_runs.add_run(
            tx,
            RankingRun(
                run_id=run_id,
                as_of=task.as_of,
                began_at=task.began_at,
                clients=plan.clients,
                slices=len(plan.slices),
                slices_done=0,
                is_finished=False,
            ),
            [Slice(number, *reach) for number, reach in enumerate(plan.slices)],
        )


async def resume_run(*, database: Database, clock: Clock, chain_id: str, put_slices: PutSlices) -> bool:
    """Put what is left of the chain's run on the queue again; False where it has none that is still of use.

    A slice that is on the queue already is not put there twice. The lease is left as it is: only work prolongs it.
    """
    async with database.transaction(chain_id) as tx:
        run = await ranking_runs.find_run(tx)
        chain = await chains.get_chain(tx)
        if run is None or run.is_finished or run.as_of != chain.today(clock.now()):
            return False
        if not await chains.holds_lease(tx, token=run.run_id):
            return False
        left = [one.slice for one in await ranking_runs.slices_of(tx, run.run_id) if not one.is_done]
    # All slices done and not merged: any of them merges.
    await put_slices(chain_id, run.run_id, left or [0])
    return True


async def work_on_slice(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    run_id: str,
    slice_: int,
    queue_size: int,
    replay_hold: timedelta,
) -> None:
    """Rank one slice of a run, if that is still to be done, and merge all of them after the last one."""
    started = perf_counter()
    try:
        async with database.transaction(chain_id) as tx:
            run, task, model = await _claim(tx, clock, run_id, queue_size)
            mine = (await ranking_runs.slices_of(tx, run_id))[slice_]
        if mine.is_done:
            RANKING_SLICES.labels("repeated").inc()
            left: int | None = run.slices - run.slices_done
        else:
            best = await ranking.rank_slice(database, task, model, (mine.from_number, mine.until_number))
            async with database.transaction(chain_id) as tx:
                await _claim(tx, clock, run_id, queue_size)
                left = await ranking_runs.finish_slice(
                    tx, run_id, slice_, candidates=best.to_bytes(), now=clock.now()
                )
            RANKING_SLICES.labels("repeated" if left is None else "done").inc()
            if left is not None:
                RANKING_SLICES_WAITING.set(left)
            _log.info(
                "slice ranked",
                chain_id=chain_id,
                run_id=run_id,
                slice=slice_,
                slices=run.slices,
                left=left,
                seconds=round(perf_counter() - started, 3),
            )
        if left == 0:
            await _merge(database, clock, task, model, run, replay_hold=replay_hold)
    except _Superseded:
        RANKING_SLICES.labels("dropped").inc()
        _log.info("slice of a ranking that is over", chain_id=chain_id, run_id=run_id, slice=slice_)


async def _claim(
    tx: Transaction, clock: Clock, run_id: str, queue_size: int
) -> tuple[RankingRun, Task, ChainModel]:
    """Return what a run is about, and keep its lease; raises _Superseded where it is over."""
    now = clock.now()
    run, chain = await ranking_runs.find_run(tx, run_id), await chains.get_chain(tx)
    stored = await models.find_model(tx)
    if run is None or run.is_finished or stored is None or run.as_of != chain.today(now):
        raise _Superseded
    if not await chains.renew_lease(tx, token=run_id, until=now + LEASE):
        raise _Superseded
    return run, Task(chain, await read_rules(tx), run.as_of, run.began_at, queue_size), stored[0]


async def _merge(
    database: Database,
    clock: Clock,
    task: Task,
    model: ChainModel,
    run: RankingRun,
    *,
    replay_hold: timedelta,
) -> None:
    chain_id = task.chain.chain_id
    with RANKING_SECONDS.labels("merge").time():
        async with database.transaction(chain_id) as tx:
            parts = [Best.of_bytes(part) for part in await ranking_runs.candidates_of(tx, run.run_id)]
        if len(parts) < run.slices:
            raise _Superseded  # merged by somebody else at this moment
        ranked = await ranking.tell_best(database, task, model, run.clients, parts)
        try:
            async with database.transaction(chain_id) as tx:
                raised, now = await ranking.write_ranking(
                    tx, task, ranked, token=run.run_id, replay_hold=replay_hold, clock=clock
                )
                await ranking_runs.finish_run(tx, run.run_id, now=now)
        except ScoringRunning as error:
            raise _Superseded from error
    _log.info(
        "chain ranked",
        chain_id=chain_id,
        run_id=run.run_id,
        as_of=task.as_of.isoformat(),
        clients=run.clients,
        suggestions=raised,
        seconds=round((now - run.began_at).total_seconds(), 3),
    )
