"""How a chain is ranked, in one go or in slices; the steps that one process takes alone and that replicas share.

A large chain is never held as a whole: the model is fitted to what was bought, each slice gives each associate's best,
and words are found for the best of all slices only. In slices or in one go, the result is the same. A step is read in
a short transaction, and worked out in a thread without any.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, Transaction
from outreach import events
from outreach.domain import ScoringRunning, TierAction
from outreach.scoring import model as models_
from outreach.scoring.choosing import Entry, choose
from outreach.scoring.model import ChainModel
from outreach.scoring.ranking import Candidate, best, tell, weigh, without
from outreach.scoring.rules import Rules
from outreach.scoring.slices import Best, best_of_all, bounds
from outreach.signals.book import Book, Integers
from outreach.signals.finding import day_number
from outreach.store import books, chains, histories, models, ranking_results
from outreach.store.chains import Chain
from outreach.store.histories import KnownClient
from outreach.store.ranking_results import Moment, RankedRow
from outreach.store.suggestions import reasons_document
from outreach.telemetry import RANKED_CLIENTS, RANKING_SECONDS
from outreach.use_cases.evaluation import rests_at
from outreach.use_cases.leaving_alone import leave_alone, numbers_left_alone

LEASE = timedelta(
    seconds=60
)  # longer than a step of any ranking takes; a crashed one blocks its chain for so long

_ROWS = 5_000  # that are written at a time


@dataclass(frozen=True)
class Task:
    """Which ranking: the chain, its rules, the day, when it began, how many suggestions an associate gets."""

    chain: Chain
    rules: Rules
    as_of: date
    began_at: datetime
    queue_size: int


@dataclass(frozen=True)
class Plan:
    """A large chain made ready: its model, how many clients it has, and from which to which number slices reach."""

    model: ChainModel
    clients: int
    slices: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Ranked:
    """What a ranking found; `always` are the numbers of clients whose suggestion is put away until later."""

    model: ChainModel
    clients: int
    candidates: Sequence[Candidate]
    always: Integers


async def rank_whole(database: Database, task: Task, *, is_today: bool) -> Ranked:
    """Fit and rank a chain in one go: one that is small enough, or as of an earlier day."""
    chain_id, chain = task.chain.chain_id, task.chain
    async with database.transaction(chain_id) as tx:
        rests = rests_at(task.began_at)
        always = await histories.numbers_of_snoozed(tx, today=chain.today(task.began_at))
        alone = await _left_alone(tx, task)
        if is_today:
            book = await books.read_book(tx, chain, as_of=task.as_of, rests=rests)
            history = None
        else:
            history = await histories.read_histories(tx, chain, as_of=task.as_of, rests=rests)

    def work_out() -> Ranked:
        whole = book if history is None else Book.of(history, day_number(task.as_of))
        model, estimates = models_.fit_and_estimate(whole, task.as_of, minor_per_unit=chain.minor_per_unit)
        weighed = weigh(
            whole,
            model,
            task.as_of,
            minor_per_unit=chain.minor_per_unit,
            rules=task.rules,
            estimates=estimates,
        )
        weighed = without(whole, weighed, alone)
        chosen = best(whole, weighed, task.queue_size, always=always)
        found = tell(whole, weighed, chosen, model, currency=chain.currency, rules=task.rules)
        return Ranked(model, len(whole), found, always)

    return await asyncio.to_thread(work_out)


async def plan(database: Database, task: Task, *, slice_clients: int) -> Plan:
    """Fit the model of a large chain to what was bought, and cut the chain into slices."""
    with RANKING_SECONDS.labels("fit").time():
        async with database.transaction(task.chain.chain_id) as tx:
            book = await books.read_purchase_book(
                tx, task.chain, as_of=task.as_of, rests=rests_at(task.began_at)
            )

        def work_out() -> Plan:
            model = models_.fit(book, task.as_of, minor_per_unit=task.chain.minor_per_unit)
            return Plan(model, len(book), bounds(book.number, slice_clients))

        return await asyncio.to_thread(work_out)


async def rank_slice(database: Database, task: Task, model: ChainModel, reach: tuple[int, int]) -> Best:
    """Return the best of one slice."""
    with RANKING_SECONDS.labels("slice").time():
        async with database.transaction(task.chain.chain_id) as tx:
            always = await histories.numbers_of_snoozed(tx, today=task.chain.today(task.began_at))
            alone = await _left_alone(tx, task)
            book = await books.read_book(
                tx,
                task.chain,
                as_of=task.as_of,
                rests=rests_at(task.began_at),
                from_number=reach[0],
                until_number=reach[1],
            )

        def work_out() -> Best:
            weighed = weigh(
                book, model, task.as_of, minor_per_unit=task.chain.minor_per_unit, rules=task.rules
            )
            return Best.of(book, without(book, weighed, alone), task.queue_size, always=always)

        return await asyncio.to_thread(work_out)


async def tell_best(
    database: Database, task: Task, model: ChainModel, clients: int, parts: Sequence[Best]
) -> Ranked:
    """Return the best of all slices with their reasons in words; what changed since their slice is seen anew."""
    async with database.transaction(task.chain.chain_id) as tx:
        always = await histories.numbers_of_snoozed(tx, today=task.chain.today(task.began_at))
        numbers = best_of_all(parts, task.queue_size, task.as_of, always=always, rules=task.rules)
        book = await books.read_book(
            tx, task.chain, as_of=task.as_of, rests=rests_at(task.began_at), numbers=numbers.tolist()
        )

    def work_out() -> Ranked:
        weighed = weigh(book, model, task.as_of, minor_per_unit=task.chain.minor_per_unit, rules=task.rules)
        chosen = weighed.is_due.nonzero()[0]
        found = tell(book, weighed, chosen, model, currency=task.chain.currency, rules=task.rules)
        return Ranked(model, clients, found, always)

    return await asyncio.to_thread(work_out)


async def write_ranking(
    tx: Transaction, task: Task, ranked: Ranked, *, token: str, replay_hold: timedelta, clock: Clock
) -> tuple[int, datetime]:
    """Make the queues what a ranking says, say so, and give its lease back; return how many it stands behind, and when.

    Raises SCORING_RUNNING, and writes nothing, when the lease is another one's by now.
    """
    # Nobody who is merged at this moment gets a suggestion of her own.
    await identities.hold(tx)
    if not await chains.release_lease(tx, token=token):
        raise ScoringRunning
    now = clock.now()
    today = task.chain.today(task.began_at)
    moment = Moment(began_at=task.began_at, as_of=task.as_of, today=today, now=now)
    known = await histories.known_clients(tx, [candidate.client for candidate in ranked.candidates])
    chosen = await asyncio.to_thread(_choose, task, ranked, known)
    if task.rules.settings.holdout_share > 0:
        alone = await leave_alone(
            tx,
            {
                candidate.client: (client, [reason.signal for reason in candidate.reasons])
                for candidate, client, _ in chosen
            },
            share=task.rules.settings.holdout_share,
            as_of=task.as_of,
            now=now,
        )
        chosen = [one for one in chosen if one[0].client not in alone]
    queues = await ranking_results.expire_others(tx, [client.client_id for _, client, _ in chosen], moment)
    raised = 0
    # While rows are written, the next ones are put into words.
    parts = [chosen[start : start + _ROWS] for start in range(0, len(chosen), _ROWS)]
    making = [asyncio.ensure_future(asyncio.to_thread(_rows, part)) for part in parts[:1]]
    try:
        for number in range(len(parts)):
            rows = await making.pop()
            making += [
                asyncio.ensure_future(asyncio.to_thread(_rows, part))
                for part in parts[number + 1 : number + 2]
            ]
            raised += await ranking_results.write_ranked(tx, rows, moment, queues)
    finally:
        await asyncio.gather(*making, return_exceptions=True)
    await models.put_model(tx, ranked.model, fitted_at=now)
    is_replay = task.as_of < today
    await chains.set_replay(
        tx, day=task.as_of if is_replay else None, until=now + replay_hold if is_replay else None
    )
    await chains.clear_request(tx, asked_by=task.began_at)
    tx.publish(
        events.scoring_completed(
            as_of=task.as_of,
            model_state=ranked.model.state,
            clients_scored=ranked.clients,
            suggestions_raised=raised,
        ),
        entity_id=task.chain.chain_id,
    )
    RANKED_CLIENTS.inc(ranked.clients)
    return raised, now


async def _left_alone(tx: Transaction, task: Task) -> Integers:
    return await numbers_left_alone(tx, share=task.rules.settings.holdout_share, as_of=task.as_of)


def _choose(
    task: Task, ranked: Ranked, known: Mapping[int, KnownClient]
) -> Sequence[tuple[Candidate, KnownClient, bool]]:
    """Return who comes on a queue, and whether by exploration, in the order of client ids."""
    found = {candidate.client: candidate for candidate in ranked.candidates if candidate.client in known}
    chosen = choose(
        _entries(found.values(), known),
        task.queue_size,
        chain_id=task.chain.chain_id,
        as_of=task.as_of,
        exploration_share=task.rules.settings.exploration_share,
        always=set(ranked.always.tolist()),
    )
    return sorted(
        ((found[number], known[number], is_explored) for number, is_explored in chosen.items()),
        key=lambda one: one[1].client_id,
    )


def _rows(chosen: Sequence[tuple[Candidate, KnownClient, bool]]) -> Sequence[RankedRow]:
    return [
        RankedRow(
            client_id=client.client_id,
            associate_id=client.associate_id,
            store_id=client.store_id,
            expires_on=candidate.expires_on,
            score=candidate.score,
            reasons=reasons_document(candidate.reasons),
            signals=",".join([reason.signal for reason in candidate.reasons]),
            model_note=candidate.model_note,
            tier=candidate.tier,
            action=candidate.action,
            is_explored=is_explored,
        )
        for candidate, client, is_explored in chosen
    ]


def _entries(candidates: Collection[Candidate], known: Mapping[int, KnownClient]) -> Sequence[Entry]:
    """Return who may come on a queue: that of whoever has the client in the book at this moment, if anybody."""
    queues: dict[str, int] = {}
    entries: list[Entry] = []
    for candidate in candidates:
        client = known[candidate.client]
        if client.associate_id:
            number = 2 * queues.setdefault(client.associate_id, len(queues))
            queue = number + (candidate.action is TierAction.AUTOMATED)
            entries.append(Entry(candidate.client, queue, candidate.score, client.client_id))
    return entries
