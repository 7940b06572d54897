"""Rank candidates, offer pieces, take answers, let offers lapse.

An offer that was declined or lapsed frees its piece and its client waits on, but not for the same allocation: the piece
went past once. Locks are taken in the order allocation, offer, piece, interest.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chassis import identities
from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token
from waitlist import events
from waitlist.domain import ranking
from waitlist.domain.allocations import Allocation, PieceState
from waitlist.domain.interests import InterestState
from waitlist.domain.offers import (
    DEFAULT_HOLD,
    Decision,
    NoCandidate,
    NoPieceAvailable,
    Offer,
    OfferExpired,
    OfferState,
    Step,
)
from waitlist.store import allocations, interests, standings
from waitlist.store import offers as rows
from waitlist.use_cases.policies import policy_in_force

_SWEEP_BATCH = 100  # offers that one sweeping transaction lets lapse


async def _decide(tx: Transaction, allocation: Allocation, clock: Clock) -> Decision:
    policy, now = await policy_in_force(tx, clock), clock.now()
    candidates = await standings.find_candidates(tx, allocation)
    ranked = ranking.rank(candidates, policy=policy, store_id=allocation.store_id, now=now)
    return Decision(ranking.FORMULA_VERSION, policy, allocation.store_id, now, ranked)


async def rank_candidates(
    *, database: Database, clock: Clock, caller: Caller, allocation_id: str
) -> Decision:
    """Return who would be offered a piece of the allocation now, and why."""
    async with database.transaction(caller.chain_id) as tx:
        return await _decide(tx, await allocations.get(tx, allocation_id), clock)


async def make_offer(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    allocation_id: str,
    hold: timedelta | None,
) -> tuple[Offer, Decision]:
    """Hold the next free piece of an allocation for the best candidate, for `hold` or DEFAULT_HOLD.

    Raises NoPieceAvailable and NoCandidate; then nothing is changed.
    """
    async with database.transaction(caller.chain_id) as tx:
        # Whoever is merged or erased at this moment waits: the offer is written for who the client is.
        await identities.hold(tx)
        offer_id, is_repeat = await tx.once(key, new_id("off"))
        if is_repeat:
            return await rows.get(tx, offer_id), await rows.get_decision(tx, offer_id)
        allocation = await allocations.lock(tx, allocation_id)
        caller.require_store(allocation.store_id)
        await expire_overdue(tx, clock.now(), allocation_id=allocation_id)
        if (piece := await allocations.take_free_piece(tx, allocation_id)) is None:
            raise NoPieceAvailable(allocation_id)
        decision, best = await _take_best_candidate(tx, allocation, clock)
        offer = Offer(
            offer_id=offer_id,
            allocation_id=allocation_id,
            reference_id=allocation.reference_id,
            reference_code=allocation.reference_code,
            brand_id=allocation.brand_id,
            store_id=allocation.store_id,
            piece_id=piece.piece_id,
            serial=piece.serial,
            interest_id=best.interest_id,
            client_id=best.client_id,
            state=OfferState.OPEN,
            made_at=decision.decided_at,
            expires_at=decision.decided_at + (hold or DEFAULT_HOLD),
            answered_at=None,
            policy_version=decision.policy.version,
        )
        await rows.add(tx, offer, decision, made_by=caller.actor_id)
        piece = await allocations.move_piece(tx, piece.piece_id, PieceState.HELD, offer_id=offer_id)
        tx.publish(events.offer_made(offer, piece), entity_id=piece.piece_id)
        return offer, decision


async def _take_best_candidate(
    tx: Transaction, allocation: Allocation, clock: Clock
) -> tuple[Decision, ranking.Candidate]:
    while True:
        decision = await _decide(tx, allocation, clock)
        if not decision.candidates or not decision.candidates[0].rank:
            raise NoCandidate(allocation.allocation_id, decision.policy.version)
        best = decision.candidates[0].candidate
        if await interests.move(
            tx, best.interest_id, before=InterestState.WAITING, after=InterestState.OFFERED
        ):
            return decision, best
        # Withdrawn, or taken for another allocation, at this moment: the decision is made again without that client.


async def get_offer(*, database: Database, caller: Caller, offer_id: str) -> tuple[Offer, Decision]:
    """Read an offer with the decision behind it. Raises NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        return await rows.get(tx, offer_id), await rows.get_decision(tx, offer_id)


async def list_offers(
    *,
    database: Database,
    caller: Caller,
    allocation_id: str,
    client_id: str,
    page_size: int,
    page_token: str,
) -> tuple[Sequence[Offer], str]:
    """Return one page of offers, newest first, and the token of the next."""
    before = decode_page_token(page_token, str)
    async with database.transaction(caller.chain_id) as tx:
        found = await rows.page(
            tx,
            allocation_id=allocation_id,
            client_id=await identities.find_current(tx, client_id) or client_id,
            before=str(before[0]) if before else "",
            limit=page_size + 1,
        )
    return cut_page(found, page_size, lambda offer: (offer.offer_id,))


async def answer_offer(
    *, database: Database, clock: Clock, caller: Caller, offer_id: str, answer: OfferState
) -> tuple[Offer, Decision]:
    """Take a client's ACCEPTED or DECLINED; the same answer again is harmless.

    Raises OfferAlreadyAnswered and OfferExpired. Whose time is up is expired by this call, sweeper or not.
    """
    async with database.transaction(caller.chain_id) as tx:
        offer = await rows.lock(tx, offer_id)
        caller.require_store(offer.store_id)
        now = clock.now()
        step = offer.step_for(answer, now)
        if step is Step.TAKE_ANSWER:
            offer = await take_answer(tx, offer, answer, now=now, actor_id=caller.actor_id)
        elif step is Step.EXPIRE:
            await _expire(tx, offer)
        decision = await rows.get_decision(tx, offer_id)
    # After the commit, so that the expiry stays written.
    if step is Step.EXPIRE:
        raise OfferExpired(offer)
    return offer, decision


async def take_answer(
    tx: Transaction, offer: Offer, answer: OfferState, *, now: datetime, actor_id: str
) -> Offer:
    """Write ACCEPTED or DECLINED for an open offer that is locked, and move its piece and its interest."""
    answered = replace(offer, state=answer, answered_at=now)
    await rows.close(tx, offer.offer_id, answer, answered_at=now, answered_by=actor_id)
    if answer is OfferState.ACCEPTED:
        piece = await allocations.move_piece(tx, offer.piece_id, PieceState.PROMISED, offer_id=offer.offer_id)
        await interests.move(
            tx, offer.interest_id, before=InterestState.OFFERED, after=InterestState.FULFILLED
        )
        tx.publish(events.offer_accepted(answered, piece), entity_id=offer.piece_id)
    else:
        piece = await allocations.move_piece(tx, offer.piece_id, PieceState.AVAILABLE, offer_id="")
        await interests.move(tx, offer.interest_id, before=InterestState.OFFERED, after=InterestState.WAITING)
        tx.publish(events.offer_declined(answered, piece), entity_id=offer.piece_id)
    return answered


async def _expire(tx: Transaction, offer: Offer) -> None:
    expired = replace(offer, state=OfferState.EXPIRED)
    await rows.close(tx, offer.offer_id, OfferState.EXPIRED, answered_at=None, answered_by="")
    piece = await allocations.move_piece(tx, offer.piece_id, PieceState.AVAILABLE, offer_id="")
    await interests.move(tx, offer.interest_id, before=InterestState.OFFERED, after=InterestState.WAITING)
    tx.publish(events.offer_expired(expired, piece), entity_id=offer.piece_id)


async def expire_overdue(
    tx: Transaction,
    now: datetime,
    *,
    allocation_id: str = "",
    interest_id: str = "",
    limit: int = 1000,
) -> int:
    """Let open offers lapse whose time is up: of an allocation, of an interest, or of the chain; return how many."""
    overdue = await rows.lock_overdue(
        tx, now, allocation_id=allocation_id, interest_id=interest_id, limit=limit
    )
    for offer in overdue:
        await _expire(tx, offer)
    return len(overdue)


async def sweep_offers(*, database: Database, clock: Clock) -> int:
    """Let the overdue offers of all chains lapse, in short transactions that pass over what is being answered."""
    async with database.platform_transaction() as connection:
        chains = await rows.find_chains_with_overdue(connection, clock.now())
    swept = 0
    for chain_id in chains:
        while True:
            async with database.transaction(chain_id) as tx:
                count = await expire_overdue(tx, clock.now(), limit=_SWEEP_BATCH)
            swept += count
            if count < _SWEEP_BATCH:
                break
    return swept
