"""Two clients become one, and two again: places in line, offers and pieces are kept."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from carnet.profiles.v1 import events_pb2 as profiles
from carnet.waitlist.v1 import waitlist_pb2 as pb
from google.type.date_pb2 import Date
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.testing import NOON
from waitlist.domain.interests import Claim, unite

WAITING, OFFERED, MERGED = (
    pb.INTEREST_STATE_WAITING,
    pb.INTEREST_STATE_OFFERED,
    pb.INTEREST_STATE_MERGED,
)


async def states(house, client_id):
    return {one.interest_id: one.state for one in await house.interests_of(client_id)}


async def ranked(house, allocation):
    found = await house.stub.RankCandidates(pb.RankCandidatesRequest(allocation_id=allocation.allocation_id))
    return list(found.candidates)


async def test_interests_in_different_references_are_linked_and_come_apart(house) -> None:
    one, other = house.client(), house.client()
    mine = await house.interest(await house.reference(), one)
    others = await house.interest(await house.reference(), other)
    merge_id = await house.merge(one, other)
    both = {mine.interest_id: WAITING, others.interest_id: WAITING}
    assert await states(house, one) == await states(house, other) == both
    assert {interest.client_id for interest in await house.interests_of(one)} == {one}
    await house.unmerge(one, other, merge_id)
    assert await states(house, one) == {mine.interest_id: WAITING}
    assert await states(house, other) == {others.interest_id: WAITING}


@pytest.mark.parametrize("older", ["survivor", "merged"])
async def test_of_two_in_one_reference_the_older_keeps_its_place_and_the_other_comes_back(
    house, go_on, outcome, older
) -> None:
    reference = await house.reference()
    one, other = house.client(), house.client()
    first, second = (one, other) if older == "survivor" else (other, one)
    old = await house.interest(reference, first)
    go_on(days=30)
    between = await house.interest(reference)
    go_on(days=30)
    young = await house.interest(reference, second)
    merge_id = await house.merge(one, other)
    assert await states(house, one) == {old.interest_id: WAITING, young.interest_id: MERGED}
    candidates = await ranked(house, await house.allocation(reference))
    assert [c.interest_id for c in candidates] == [old.interest_id, between.interest_id]
    assert candidates[0].parts[0].sentence == "Has waited 60 days."
    assert await outcome(house.interest(reference, other)) == "INTEREST_ALREADY_REGISTERED"
    withdraw = pb.WithdrawInterestRequest(interest_id=young.interest_id)
    assert await outcome(house.stub.WithdrawInterest(withdraw)) == "INTEREST_MERGED"
    await house.unmerge(one, other, merge_id)
    assert await states(house, first) == {old.interest_id: WAITING}
    assert await states(house, second) == {young.interest_id: WAITING}
    assert await outcome(house.stub.WithdrawInterest(withdraw)) == "OK"


async def test_a_held_piece_stays_held_and_its_interest_waits_in_the_place_of_the_older(house, go_on) -> None:
    reference = await house.reference()
    one, other = house.client(), house.client()
    young = await house.interest(reference, other)
    allocation = await house.allocation(reference)
    offer = await house.offer(allocation, hold_hours=720)
    go_on(days=-90)
    old = await house.interest(reference, one)
    go_on(days=90)
    merge_id = await house.merge(one, other)
    assert await states(house, one) == {old.interest_id: MERGED, young.interest_id: OFFERED}
    assert await house.pieces_now(allocation.allocation_id) == ["HELD"]
    found = await house.stub.GetOffer(pb.GetOfferRequest(offer_id=offer.offer_id))
    assert (found.client_id, found.state) == (one, pb.OFFER_STATE_OPEN)
    await house.decline(offer)
    assert (await states(house, one))[young.interest_id] == WAITING
    (candidate,) = await ranked(house, await house.allocation(reference))
    assert candidate.interest_id == young.interest_id
    assert candidate.parts[0].sentence == "Has waited 90 days."
    await house.unmerge(one, other, merge_id)
    assert await states(house, one) == {old.interest_id: WAITING}
    assert await states(house, other) == {young.interest_id: WAITING}


async def test_two_offers_of_one_reference_both_stay_and_no_third_is_made(house, outcome, sign_in) -> None:
    house.chain_id = "chn_without_gate"
    sign_in(*house.all_scopes, chain_id=house.chain_id, clock=house.clock)
    policy = pb.Policy(waiting_time_weight=1, recent_allocation_days=0)
    await house.stub.UpdatePolicy(pb.UpdatePolicyRequest(policy=policy))
    reference = await house.reference()
    one, other = house.client(), house.client()
    for client_id in (one, other):
        await house.interest(reference, client_id)
    allocation = await house.allocation(reference, pieces=3)
    offers = [await house.offer(allocation) for _ in range(2)]
    merge_id = await house.merge(one, other)
    assert await house.pieces_now(allocation.allocation_id) == ["HELD", "HELD", "AVAILABLE"]
    standing = await states(house, one)
    [shown] = [offer for offer in offers if standing[offer.interest_id] == OFFERED]
    [hidden] = [offer for offer in offers if standing[offer.interest_id] == MERGED]
    await house.decline(shown)
    fresh = await house.allocation(reference)
    assert await outcome(house.offer(fresh)) == "NO_CANDIDATE"
    (candidate,) = await ranked(house, fresh)
    assert candidate.ineligible_reason == "Has an offer for this reference that is not answered yet."
    await house.accept(hidden)
    assert sorted(await house.pieces_now(allocation.allocation_id)) == ["AVAILABLE", "AVAILABLE", "PROMISED"]
    await house.unmerge(one, other, merge_id)
    assert set((await states(house, shown.client_id)).values()) == {WAITING}
    assert set((await states(house, hidden.client_id)).values()) == {pb.INTEREST_STATE_FULFILLED}


async def test_an_offer_of_one_keeps_the_other_from_a_second_piece_while_they_are_one(house) -> None:
    wanted, held = await house.reference(), await house.reference()
    one, other = house.client(), house.client()
    await house.interest(held, other)
    offer = await house.offer(await house.allocation(held))
    await house.interest(wanted, one)
    allocation = await house.allocation(wanted)
    assert (await ranked(house, allocation))[0].rank == 1
    merge_id = await house.merge(one, other)
    assert "another piece" in (await ranked(house, allocation))[0].ineligible_reason
    offers = await house.stub.ListOffers(pb.ListOffersRequest(client_id=other))
    assert [found.offer_id for found in offers.offers] == [offer.offer_id]
    await house.unmerge(one, other, merge_id)
    assert (await ranked(house, allocation))[0].rank == 1


async def test_purchases_of_both_count_for_the_one_and_come_apart(house) -> None:
    reference = await house.reference()
    one, other = house.client(), house.client()
    await house.interest(reference, one)
    allocation = await house.allocation(reference)

    def bought(client_id: str) -> profiles.PurchaseRecorded:
        return profiles.PurchaseRecorded(
            purchase=profiles.PurchaseFact(
                purchase_id=f"pur_{next(house.numbers)}",
                client_id=client_id,
                purchase_date=Date(year=2026, month=3, day=1),
                total_minor=100,
                currency_code="USD",
            )
        )

    async def history() -> str:
        return (await ranked(house, allocation))[0].parts[1].sentence

    await house.hear(bought(one))
    await house.hear(bought(other))
    merge_id = await house.merge(one, other)
    assert await history() == "Has bought 2 times in this house."
    await house.hear(bought(other))
    assert await history() == "Has bought 3 times in this house."
    await house.unmerge(one, other, merge_id)
    assert await history() == "Has bought 1 time in this house."


async def test_what_is_registered_in_between_stays_with_the_survivor(house) -> None:
    one, other = house.client(), house.client()
    merge_id = await house.merge(one, other)
    interest = await house.interest(await house.reference(), other)
    assert interest.client_id == one
    await house.unmerge(one, other, merge_id)
    assert await states(house, other) == {}
    assert await states(house, one) == {interest.interest_id: WAITING}


_runs = itertools.count(1)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(3)), again=st.lists(st.integers(0, 2), max_size=4))
async def test_any_order_and_repetition_of_merges_leaves_everybody_the_same(house, order, again) -> None:
    run = next(_runs)
    reference = await house.reference()
    a, b, c = (house.client() for _ in range(3))
    interests = {client_id: await house.interest(reference, client_id) for client_id in (a, b, c)}
    events = [
        house.merged(a, b, f"mrg_order_{run:04}_1"),
        house.unmerged(a, b, f"mrg_order_{run:04}_1"),
        house.merged(c, b, f"mrg_order_{run:04}_2"),
    ]
    for at in [*order, *again]:
        await house.hear(events[at])
    assert await states(house, a) == {interests[a].interest_id: WAITING}
    assert await states(house, c) == {interests[b].interest_id: WAITING, interests[c].interest_id: MERGED}


async def test_a_merge_while_twenty_register_leaves_one_live_interest(house, outcome) -> None:
    reference = await house.reference()
    one, other = house.client(), house.client()
    merge_id = f"mrg_{next(house.numbers)}"
    await asyncio.gather(
        *(outcome(house.interest(reference, client_id)) for client_id in (one, other) for _ in range(5)),
        house.hear(house.merged(one, other, merge_id)),
        *(outcome(house.interest(reference, client_id)) for client_id in (one, other) for _ in range(5)),
    )
    live = [state for state in (await states(house, one)).values() if state == WAITING]
    assert len(live) == 1


def claim(number, client_id="cli_1", *, offer=False, live=True, into=""):
    return Claim(
        interest_id=f"int_{number}",
        reference_id="ref_1",
        client_id=client_id,
        is_live=live,
        has_offer=offer,
        registered_at=NOON + timedelta(days=number),
        merged_into_id=into,
    )


def test_a_closed_interest_stands_for_nobody_new_but_keeps_whom_it_stood_for() -> None:
    assert unite([claim(1, live=False), claim(2)]) == {}
    assert unite([claim(1, live=False), claim(2, into="int_1")]) == {}
    assert unite([claim(1, "cli_other", live=False), claim(2, into="int_1")]) == {"int_2": ""}


_claims = st.lists(
    st.tuples(st.sampled_from(["cli_1", "cli_2"]), st.booleans(), st.booleans(), st.integers(0, 5)),
    max_size=6,
)


@given(drawn=_claims)
def test_one_live_interest_stands_for_each_client_and_nothing_is_left_to_do_after(drawn) -> None:
    claims = [
        claim(number, client_id, offer=offer and live, live=live, into=f"int_{into}" if into < number else "")
        for number, (client_id, offer, live, into) in enumerate(drawn)
    ]
    changes = unite(claims)
    after = [
        Claim(**{**vars(one), "merged_into_id": changes.get(one.interest_id, one.merged_into_id)})
        for one in claims
    ]
    alone = [one.client_id for one in after if one.is_live and not one.merged_into_id]
    assert len(alone) == len(set(alone))
    assert unite(after) == {}
