"""When a client is looked at again: at once, or together with all others about whom something was said.

An event that comes alone when it is said has its client looked at in its own transaction. One that comes late, or with
others in one set, is one of many, as after an outage; one that is about many clients is many at once. Their clients are
marked, and all that are marked are looked at in sets, a moment later.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from time import perf_counter

import numpy as np
import structlog

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, Transaction
from outreach import events
from outreach.scoring.choosing import best_of, least_of
from outreach.scoring.ranking import Candidate, tell, weigh
from outreach.store import (
    books,
    chains,
    due_clients,
    models,
    ranking_results,
    refresh,
    suggestions,
)
from outreach.store.chains import Chain
from outreach.store.rules import read_rules
from outreach.telemetry import DUE_CLIENTS
from outreach.use_cases.arrivals import follow_shelf
from outreach.use_cases.evaluation import evaluate_client, rests_at, suggestion_of
from outreach.use_cases.leaving_alone import leave_alone

# An event that waited for longer has others behind it.
LATE = timedelta(seconds=0.5)
SET_CLIENTS = 5_000
AT_ONCE = 2  # clients whom an event may be about to be looked at in its own transaction
_COUNTED = 1_000  # in one transaction
# Of more clients at a time only those get a new suggestion who are among an associate's best, as at night.
FEW = 500

# When the event was said whose effect is being made, and how many share its transaction; outside of consumers nothing
# was said, and nobody shares.
said_at: ContextVar[datetime | None] = ContextVar("said_at", default=None)
set_size: ContextVar[int] = ContextVar("set_size", default=1)

_log = structlog.get_logger(__name__)


def is_one_of_many(*, now: datetime) -> bool:
    """Return whether the event whose effect is being made is one of many, or has waited, so that others wait behind."""
    said = said_at.get()
    return set_size.get() > AT_ONCE or (said is not None and now - said > LATE)


async def look_again(tx: Transaction, client_ids: Collection[str], *, now: datetime) -> None:
    """Look at clients again about whom something was said, now or soon."""
    if len(client_ids) > AT_ONCE or is_one_of_many(now=now):
        await due_clients.mark_due(tx, client_ids, now=now)
        return
    for client_id in sorted(client_ids):
        await evaluate_client(tx, client_id, now=now)


async def find_due(database: Database) -> Sequence[tuple[str, int, datetime]]:
    """Return the chains with clients to be looked at, in how many sets, and when the last of them was marked."""
    async with database.platform_transaction() as platform:
        waiting = await due_clients.waiting_chains(platform)
    return [(chain_id, -(-clients // SET_CLIENTS), marked_at) for chain_id, clients, marked_at in waiting]


async def evaluate_due(*, database: Database, clock: Clock, chain_id: str, queue_size: int) -> int:
    """Look at a set of a chain's clients who wait for it; return how many. Nobody else looks at them meanwhile.

    Of many at a time, only those are held and written who are on a queue or belong there; they are counted in
    transactions of their own, so that nobody is held for longer than that takes.
    """
    started = perf_counter()
    async with database.transaction(chain_id) as tx:
        await identities.hold(tx)
        taken = await due_clients.take_due(tx, most=SET_CLIENTS)
        if taken:
            now, chain = clock.now(), await chains.get_chain(tx)
            uncounted = await due_clients.take_uncounted(tx, taken)
            some: Mapping[str, int] = taken
            if len(taken) <= FEW:
                await refresh.hold_clients(tx, list(taken))  # all at once, in the order of everybody
                await _count(tx, chain, uncounted, now=now)
                await _follow_shelf(tx, chain, taken, now=now)
            else:
                await _count_apart(database, chain, uncounted, now=now)
                await _follow_shelf(tx, chain, taken, now=now)
                some = await _worth_a_look(tx, chain, taken, now=now, queue_size=queue_size)
            await _evaluate(tx, chain, some, now=now)
    if taken:
        DUE_CLIENTS.inc(len(taken))
        _log.info(
            "clients looked at",
            chain_id=chain_id,
            clients=len(taken),
            counted=len(uncounted),
            chosen=len(some),
            seconds=round(perf_counter() - started, 3),
        )
    return len(taken)


async def _count(tx: Transaction, chain: Chain, clients: Mapping[str, bool], *, now: datetime) -> None:
    if clients:
        await refresh.hold_clients(tx, list(clients))
        tastes_of = [client_id for client_id, tastes in clients.items() if tastes]
        await refresh.refresh_client_facts(tx, chain, clients, tastes_of=tastes_of, now=now)


async def _count_apart(
    database: Database, chain: Chain, clients: Mapping[str, bool], *, now: datetime
) -> None:
    rows = list(clients.items())
    for start in range(0, len(rows), _COUNTED):
        async with database.transaction(chain.chain_id) as tx:
            await _count(tx, chain, dict(rows[start : start + _COUNTED]), now=now)


async def _follow_shelf(tx: Transaction, chain: Chain, client_ids: Collection[str], *, now: datetime) -> None:
    changed = await follow_shelf(tx, client_ids, today=chain.today(now), now=now)
    await _count(tx, chain, await due_clients.take_uncounted(tx, changed), now=now)


async def _worth_a_look(
    tx: Transaction, chain: Chain, clients: Mapping[str, int], *, now: datetime, queue_size: int
) -> Mapping[str, int]:
    """Return of many clients those who are on a queue, or among the best of one, by their numbers.

    Holds nobody: who is chosen is held and seen anew, and whoever changes another one looks at that one.
    """
    today = chain.today(now)
    rules, stored = await read_rules(tx), await models.find_model(tx)
    book = await books.read_book(
        tx, chain, as_of=today, rests=rests_at(now), numbers=sorted(set(clients.values()))
    )
    standing = await ranking_results.clients_standing(tx, clients)
    full, least = await ranking_results.least_scores(tx, queue_size)

    def best() -> set[int]:
        model = stored[0] if stored else None
        weighed = weigh(book, model, today, minor_per_unit=chain.minor_per_unit, rules=rules)
        stands = np.isin(book.number, [clients[client_id] for client_id in standing])
        is_new = weighed.is_due & ~stands & (weighed.score >= least_of(full, least, weighed.queue))
        found = best_of(np.flatnonzero(is_new), weighed.score, weighed.queue, queue_size)
        return set(book.number[found].tolist())

    new = await asyncio.to_thread(best)
    return {
        client_id: number for client_id, number in clients.items() if client_id in standing or number in new
    }


async def _evaluate(tx: Transaction, chain: Chain, clients: Collection[str], *, now: datetime) -> None:
    """Raise, refresh or expire the suggestions of clients as of today, as `evaluate_client` does with each of them."""
    today, queue_day = chain.today(now), chain.queue_day(now)
    known = {one.client_id: one for one in await due_clients.hold_known(tx, clients)}
    live = await ranking_results.lock_live(tx, clients)
    is_replaying = chain.is_replaying(now) and queue_day != today
    kept = {
        client_id
        for client_id, one in live.items()
        if client_id in known and (one.is_on_its_way or (is_replaying and one.as_of == queue_day))
    }
    if kept:
        await suggestions.hand_over(tx, sorted(kept), now=now)
    looked_at = {one.number: one for client_id, one in known.items() if client_id not in kept}
    book = await books.read_book(tx, chain, as_of=today, rests=rests_at(now), numbers=sorted(looked_at))
    rules, stored = await read_rules(tx), await models.find_model(tx)
    model = stored[0] if stored else None

    def work_out() -> Sequence[Candidate]:
        weighed = weigh(book, model, today, minor_per_unit=chain.minor_per_unit, rules=rules)
        due = np.flatnonzero(weighed.is_due)
        return tell(book, weighed, due, model, currency=chain.currency, rules=rules)

    found = {looked_at[one.client].client_id: one for one in await asyncio.to_thread(work_out)}
    gone = [
        one.suggestion_id
        for client_id, one in live.items()
        if client_id not in kept and (client_id not in found or one.expires_on < today)
    ]
    if gone:
        await ranking_results.expire(tx, gone, now=now)
    share = rules.settings.holdout_share
    if share > 0:
        new = {
            one.client: (known[client_id], [reason.signal for reason in one.reasons])
            for client_id, one in found.items()
            if client_id not in live
        }
        alone = await leave_alone(tx, new, share=share, as_of=today, now=now)
        found = {client_id: one for client_id, one in found.items() if one.client not in alone}
    if found:
        ranked = [
            suggestion_of(one, known[client_id], as_of=today, now=now) for client_id, one in found.items()
        ]
        added = await ranking_results.refresh(tx, ranked, now=now)
        for suggestion in ranked:
            if suggestion.suggestion_id in added:
                tx.publish(events.suggestion_raised(suggestion), entity_id=suggestion.suggestion_id)
