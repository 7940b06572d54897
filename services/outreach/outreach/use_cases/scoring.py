"""Fit the model and rank a whole chain: on request, after an import, and every night.

A ranking reads facts in one short transaction, works in a thread without any, and writes in another. A lease on the
chain's row keeps two rankings of a chain apart; its token is checked again when the result is written, so one that
overran its lease writes nothing. A ranking asked for an earlier day is a replay: for `replay_hold_hours` the queue
is that day's and background rankings, also those that imports ask for meanwhile, wait; any ranking for today ends it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import perf_counter

import structlog

from chassis import context as work
from chassis import identities
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from outreach import events
from outreach.domain import AsOfAhead, ScoringRunning
from outreach.scoring import model as models_
from outreach.scoring.model import ChainModel
from outreach.scoring.ranking import Candidate, rank
from outreach.signals.book import Book, Histories, Integers
from outreach.signals.finding import day_number
from outreach.store import chains, histories, models, suggestions
from outreach.store.chains import Chain
from outreach.store.histories import KnownClient
from outreach.use_cases.evaluation import rests_at, suggestion_of

_LEASE = timedelta(seconds=60)  # longer than any ranking takes; a crashed one blocks its chain for so long
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
    wait_seconds: float = _WAIT_SECONDS,
) -> Scored:
    """Rank a chain as of a day, today where none is given.

    Raises AS_OF_AHEAD for a day to come, and SCORING_RUNNING when another ranking of the chain does not end in time.
    """
    started = perf_counter()
    token = new_id("run")
    await _take_lease(database, clock, chain_id, token, wait_seconds)
    try:
        began_at = clock.now()
        async with database.transaction(chain_id) as tx:
            chain = await chains.get_chain(tx)
            today = chain.today(began_at)
            day = as_of or today
            if day > today:
                raise AsOfAhead(day, today)
            history = await histories.read_histories(tx, chain, as_of=day, rests=rests_at(began_at))
            snoozed = await histories.numbers_of_snoozed(tx, today=today)
        model, candidates = await asyncio.to_thread(_work_out, history, chain, day, queue_size, snoozed)
        async with database.transaction(chain_id) as tx:
            # Nobody who is merged at this moment gets a suggestion of her own.
            await identities.hold(tx)
            if not await chains.release_lease(tx, token=token):
                raise ScoringRunning
            now = clock.now()
            known = await histories.known_clients(tx, [candidate.client for candidate in candidates])
            chosen = _cut(candidates, known, queue_size, always=set(snoozed.tolist()))
            raised = await suggestions.replace_ranking(
                tx,
                [suggestion_of(candidate, client, as_of=day, now=now) for candidate, client in chosen],
                began_at=began_at,
                today=today,
                now=now,
            )
            await models.put_model(tx, model, fitted_at=now)
            is_replay = day < today
            await chains.set_replay(
                tx, day=day if is_replay else None, until=now + replay_hold if is_replay else None
            )
            await chains.clear_request(tx, asked_by=began_at)
            clients_scored = len(history.clients)
            tx.publish(
                events.scoring_completed(
                    as_of=day,
                    model_state=model.state,
                    clients_scored=clients_scored,
                    suggestions_raised=raised,
                ),
                entity_id=chain_id,
            )
    except BaseException:
        await _give_up_lease(database, chain_id, token)
        raise
    seconds = perf_counter() - started
    _log.info(
        "chain ranked",
        chain_id=chain_id,
        as_of=day.isoformat(),
        clients=clients_scored,
        seconds=round(seconds, 3),
    )
    return Scored(model, now, clients_scored, raised, seconds)


async def score_waiting_chains(
    *, database: Database, clock: Clock, nightly_hour: int, queue_size: int, replay_hold: timedelta
) -> int:
    """Turn nights that have come into requests, then rank every chain that waits; return how many were ranked.

    Replicas share the work: each takes one chain at a time. A ranking that fails comes again after a minute.
    """
    while True:
        async with database.platform_transaction() as platform:
            if await chains.take_night(platform, hour=nightly_hour, now=clock.now()) is None:
                break
    ranked = 0
    while True:
        now = clock.now()
        async with database.platform_transaction() as platform:
            chain_id = await chains.take_request(platform, now=now, again_at=now + _LEASE)
        if chain_id is None:
            return ranked
        work.begin_work()
        try:
            await run_scoring(
                database=database,
                clock=clock,
                chain_id=chain_id,
                as_of=None,
                queue_size=queue_size,
                replay_hold=replay_hold,
                wait_seconds=0,
            )
            ranked += 1
        except ServiceError as error:
            if error.kind not in (Kind.CONFLICT, Kind.UNAVAILABLE):
                raise
            _log.info("chain will be ranked later", chain_id=chain_id, reason=error.reason)


async def _take_lease(
    database: Database, clock: Clock, chain_id: str, token: str, wait_seconds: float
) -> None:
    give_up_at = perf_counter() + work.seconds_left(wait_seconds)
    while True:
        now = clock.now()
        async with database.transaction(chain_id) as tx:
            if await chains.take_lease(tx, token=token, now=now, until=now + _LEASE):
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


def _work_out(
    history: Histories, chain: Chain, day: date, queue_size: int, snoozed: Integers
) -> tuple[ChainModel, Sequence[Candidate]]:
    book = Book.of(history, day_number(day))
    model = models_.fit(book, day, minor_per_unit=chain.minor_per_unit)
    candidates = rank(
        book,
        model,
        day,
        currency=chain.currency,
        minor_per_unit=chain.minor_per_unit,
        keep=queue_size,
        always=snoozed,
    )
    return model, candidates


def _cut(
    candidates: Sequence[Candidate], known: dict[int, KnownClient], queue_size: int, *, always: set[int]
) -> list[tuple[Candidate, KnownClient]]:
    """Return each associate's best `queue_size`; ties go by client id. Snoozed ones come on top."""
    places: dict[str, int] = {}
    chosen: list[tuple[Candidate, KnownClient]] = []
    found = [(candidate, known[candidate.client]) for candidate in candidates if candidate.client in known]
    for candidate, client in sorted(found, key=lambda pair: (-pair[0].score, pair[1].client_id)):
        if not client.associate_id:
            continue
        is_snoozed = candidate.client in always
        place = places.get(client.associate_id, 0)
        if is_snoozed or place < queue_size:
            chosen.append((candidate, client))
            places[client.associate_id] = place + (not is_snoozed)
    return chosen
