"""Look for clients who are one person: those who changed, soon after; all of a chain, on request, slice by slice.

A slice is one short transaction with its progress in it, so that what was cut off goes on where it was. Replicas share
the work by locks on the rows that say what is to be done. Must not decide who is alike: domain/duplicates.py does.
"""

import asyncio
from collections.abc import Collection, Mapping
from itertools import combinations

import structlog

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError
from profiles.domain.duplicates import REVIEW_SCORE, Features, Score, is_met_under, keys_of, score
from profiles.store import chain_settings
from profiles.store import duplicates as store
from profiles.store import matching as match_store
from profiles.store.matching import Pair
from profiles.use_cases.merges import merge_if_certain

QUEUE_SLICE = 200  # clients who changed, compared in one transaction
KEY_SLICE = 1000  # clients of a pass whose keys are looked after in one transaction
BLOCK_SLICE = 5000  # keys of a pass whose clients are compared in one transaction
_MERGES_AT_ONCE = 20
_MOST_FAILURES = 5  # of slices in a row
_IN_A_THREAD = 200  # pairs from which on comparing them would keep calls waiting
_log = structlog.get_logger(__name__)


async def match_all(*, database: Database, clock: Clock) -> None:
    """Work off the queue and the passes of every chain until there is nothing left."""
    while True:
        is_idle = True
        for chain_id in await match_store.list_waiting_chains(database):
            if await match_changed(database=database, clock=clock, chain_id=chain_id):
                is_idle = False
        for chain_id, pass_id in await store.list_running_passes(database):
            if await move_pass(database=database, clock=clock, chain_id=chain_id, pass_id=pass_id):
                is_idle = False
        if is_idle:
            return


async def match_changed(*, database: Database, clock: Clock, chain_id: str, most: int = QUEUE_SLICE) -> bool:
    """Compare some of those who changed with others; False when nobody waits."""
    try:
        async with database.transaction(chain_id) as tx:
            client_ids = await match_store.take_queued(tx, most=most)
            if not client_ids:
                return False
            await match_clients(tx, client_ids, clock=clock)
    except Exception as error:
        if isinstance(error, ServiceError) and error.kind in (Kind.CONFLICT, Kind.UNAVAILABLE):
            raise
        if most > 1:  # one of them cannot be compared, and must not keep the others waiting: which one?
            return await match_changed(database=database, clock=clock, chain_id=chain_id, most=1)
        async with database.transaction(chain_id) as tx:
            client_ids = await match_store.take_queued(tx, most=1)
        _log.error("a client cannot be compared", client_ids=client_ids, exc_info=error)
    await _merge_certain(database, clock, chain_id)
    return True


async def match_clients(tx: Transaction, client_ids: Collection[str], *, clock: Clock) -> None:
    """Bring the keys of clients in line, compare them with those who share one, and write what comes of it."""
    features = await match_store.load_features(tx, client_ids)
    keys = {client_id: keys_of(client) for client_id, client in features.items()}
    await match_store.save_keys(tx, keys)
    pairs = await match_store.find_holders(
        tx, ((one, key) for one, found in keys.items() for key in found if is_met_under(key))
    )
    pairs |= await store.find_pairs_of(tx, list(features))
    scores = await _score(tx, pairs, features)
    await store.record_scores(tx, scores, now=clock.now())


async def _score(
    tx: Transaction, pairs: Collection[Pair], known: Mapping[str, Features]
) -> dict[Pair, Score]:
    """Return how pairs score; those with somebody who is not there are left out."""
    everybody = {client_id for pair in pairs for client_id in pair}
    features = dict(known)
    if missing := everybody - features.keys():
        features |= await match_store.load_features(tx, missing)
    there = [pair for pair in pairs if pair[0] in features and pair[1] in features]
    related = await match_store.find_related(tx, everybody) if there else set()

    def compare() -> dict[Pair, Score]:
        return {
            pair: score(features[pair[0]], features[pair[1]], are_related=pair in related) for pair in there
        }

    scores = await asyncio.to_thread(compare) if len(there) > _IN_A_THREAD else compare()
    # Whether a number is a crowd's is looked up only where it matters.
    shared = {
        pair: (features[pair[0]].phones & features[pair[1]].phones)
        | (features[pair[0]].emails & features[pair[1]].emails)
        for pair, found in scores.items()
        if found.value >= REVIEW_SCORE
    }
    contacts = {contact for both in shared.values() for contact in both}
    if contacts and (crowded := await match_store.find_crowded(tx, contacts)):
        for pair, both in shared.items():
            if both & crowded:
                scores[pair] = score(
                    features[pair[0]], features[pair[1]], are_related=pair in related, crowded=crowded
                )
    return scores


async def move_pass(*, database: Database, clock: Clock, chain_id: str, pass_id: str) -> bool:
    """Work on one slice of a pass; False when it is over, or another replica works on it."""
    try:
        async with database.transaction(chain_id) as tx:
            reached = await store.take_pass(tx, pass_id)
            if reached is None:
                return False
            keyed_until, compared_until = reached
            if compared_until is None:
                await _key_slice(tx, pass_id, keyed_until)
                return True
            is_through = not await _compare_slice(tx, pass_id, compared_until, clock=clock)
        await _merge_certain(database, clock, chain_id, pass_id)
        if is_through:
            async with database.transaction(chain_id) as tx:
                await store.finish_pass(tx, pass_id, now=clock.now())
        return True
    except ServiceError as error:
        if error.kind in (Kind.CONFLICT, Kind.UNAVAILABLE):
            raise
        return await _count_failure(database, clock, chain_id, pass_id, error)
    except Exception as error:
        return await _count_failure(database, clock, chain_id, pass_id, error)


async def _count_failure(
    database: Database, clock: Clock, chain_id: str, pass_id: str, error: Exception
) -> bool:
    _log.warning("a slice of a pass failed", duplicate_pass_id=pass_id, exc_info=error)
    async with database.transaction(chain_id) as tx:
        await store.count_failure(
            tx,
            pass_id,
            f"A slice could not be worked on ({type(error).__name__}).",
            most=_MOST_FAILURES,
            now=clock.now(),
        )
    return False


async def _key_slice(tx: Transaction, pass_id: str, after: str) -> None:
    client_ids = await match_store.list_client_ids(tx, after=after, limit=KEY_SLICE)
    if not client_ids:
        await store.begin_comparing(tx, pass_id)
        return
    features = await match_store.load_features(tx, client_ids)
    keys = await asyncio.to_thread(
        lambda: {client_id: keys_of(client) for client_id, client in features.items()}
    )
    await match_store.save_keys(tx, keys)
    await store.move_pass(tx, pass_id, keyed_until=client_ids[-1], clients_read=len(client_ids))


async def _compare_slice(tx: Transaction, pass_id: str, after: int, *, clock: Clock) -> bool:
    """Compare who meets under the next keys; False when there is no key left."""
    blocks, last = await match_store.list_blocks(tx, after=after, limit=BLOCK_SLICE)
    if last is None:
        return False
    pairs = {pair for members in blocks for pair in combinations(sorted(members), 2)}
    scores = await _score(tx, pairs, {})
    found = await store.record_scores(tx, scores, pass_id=pass_id, now=clock.now())
    await store.move_pass(
        tx, pass_id, compared_until=last, pairs_compared=len(scores), duplicates_found=found
    )
    return True


async def _merge_certain(database: Database, clock: Clock, chain_id: str, pass_id: str = "") -> None:
    """Merge those whom nobody need look at, if the chain decided so."""
    while True:
        async with database.transaction(chain_id) as tx:
            pairs = await store.list_certain(tx, most=_MERGES_AT_ONCE)
            if not pairs or not (await chain_settings.get_settings(tx)).merges_automatically:
                return
        caller = Caller(chain_id, "service:profiles", "service", frozenset())
        for pair in pairs:
            merge = await merge_if_certain(
                database=database, clock=clock, caller=caller, one_id=pair[0], other_id=pair[1]
            )
            async with database.transaction(chain_id) as tx:
                if merge is None:
                    await store.leave_to_people(tx, pair)
                elif pass_id:
                    await store.move_pass(tx, pass_id, merged_automatically=1)
