"""Offers on real servers: one piece, one client, also under load and at the edge of time."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from carnet.waitlist.v1 import events_pb2, waitlist_pb2_grpc
from carnet.waitlist.v1 import waitlist_pb2 as pb
from sqlalchemy.exc import DBAPIError

from chassis.clock import FixedClock
from chassis.testing import NOON, channel_to, eventually, published, running, settings_for
from chassis.values import datetime_of
from waitlist.bootstrap import VERSIONS, build
from waitlist.config import Settings
from waitlist.domain.ranking import rank
from waitlist.store import offers as rows
from waitlist.use_cases.offers import sweep_offers


async def facts(house, kind, offer_id):
    """Return the facts of one kind about an offer."""
    return [
        event.offer for event in await published(house.database, kind) if event.offer.offer_id == offer_id
    ]


async def test_the_next_piece_is_held_for_the_best_candidate(house) -> None:
    reference = await house.reference()
    far = await house.interest(reference, store_id="sto_far")
    near = await house.interest(reference)
    allocation = await house.allocation(reference, pieces=2)
    offer = await house.offer(allocation)
    assert (offer.interest_id, offer.client_id) == (near.interest_id, near.client_id)
    assert offer.state == pb.OFFER_STATE_OPEN
    assert datetime_of(offer.expire_time) == NOON + timedelta(hours=48)
    assert [candidate.rank for candidate in offer.candidates] == [1, 2]
    assert await house.pieces_now(allocation.allocation_id) == ["HELD", "AVAILABLE"]
    assert await house.interest_now(near.interest_id, reference.reference_id) == "OFFERED"
    assert await house.interest_now(far.interest_id, reference.reference_id) == "WAITING"


async def test_an_offer_event_says_what_a_brand_may_know(house) -> None:
    reference = await house.reference(brand_id="brd_two")
    await house.interest(reference)
    allocation = await house.allocation(reference)
    offer = await house.offer(allocation, hold_hours=2)
    [fact] = await facts(house, events_pb2.OfferMade, offer.offer_id)
    assert fact == events_pb2.OfferFact(
        offer_id=offer.offer_id,
        allocation_id=allocation.allocation_id,
        reference_id=reference.reference_id,
        brand_id="brd_two",
        store_id="sto_one",
        piece_id=allocation.pieces[0].piece_id,
        serial=allocation.pieces[0].serial,
        client_id=offer.client_id,
        version=2,
        expire_time=offer.expire_time,
        policy_version=1,
        reference_code=reference.code,
    )


async def test_twenty_workers_offering_three_pieces_make_three_offers(house, outcome) -> None:
    reference = await house.reference()
    await asyncio.gather(*(house.interest(reference) for _ in range(20)))
    allocation = await house.allocation(reference, pieces=3)
    outcomes = await asyncio.gather(*(outcome(house.offer(allocation)) for _ in range(20)))
    assert Counter(outcomes) == {"OK": 3, "NO_PIECE_AVAILABLE": 17}
    made = await house.stub.ListOffers(pb.ListOffersRequest(allocation_id=allocation.allocation_id))
    assert len({offer.piece_id for offer in made.offers}) == 3
    assert len({offer.client_id for offer in made.offers}) == 3


async def test_twenty_allocations_of_one_reference_never_take_the_same_client(house, outcome) -> None:
    reference = await house.reference()
    for _ in range(12):
        await house.interest(reference)
    allocations = [await house.allocation(reference) for _ in range(20)]
    outcomes = await asyncio.gather(*(outcome(house.offer(allocation)) for allocation in allocations))
    assert Counter(outcomes) == {"OK": 12, "NO_CANDIDATE": 8}
    for allocation in allocations:
        page = await house.stub.ListOffers(pb.ListOffersRequest(allocation_id=allocation.allocation_id))
        for listed in page.offers:
            offer = await house.stub.GetOffer(pb.GetOfferRequest(offer_id=listed.offer_id))
            assert offer.candidates[0].interest_id == offer.interest_id  # decided on what was true then


async def test_the_same_request_id_makes_one_offer(house) -> None:
    reference = await house.reference()
    await asyncio.gather(*(house.interest(reference) for _ in range(3)))
    allocation = await house.allocation(reference, pieces=3)
    offers = await asyncio.gather(*(house.offer(allocation, request_id="once") for _ in range(20)))
    assert len({offer.offer_id for offer in offers}) == 1
    assert (await house.pieces_now(allocation.allocation_id)).count("HELD") == 1


async def test_without_a_candidate_nothing_is_held_and_nothing_is_said(house, outcome) -> None:
    allocation = await house.allocation(await house.reference())
    before = len(await published(house.database, events_pb2.OfferMade))
    assert await outcome(house.offer(allocation, request_id="nobody")) == "NO_CANDIDATE"
    assert await house.pieces_now(allocation.allocation_id) == ["AVAILABLE"]
    assert len(await published(house.database, events_pb2.OfferMade)) == before


async def test_a_failure_in_the_middle_of_an_offer_leaves_nothing(house, outcome, monkeypatch) -> None:
    reference = await house.reference()
    interest = await house.interest(reference)
    allocation = await house.allocation(reference)

    async def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("the last statement fails")

    with monkeypatch.context() as patched:
        patched.setattr("waitlist.store.allocations.move_piece", break_down)
        assert await outcome(house.offer(allocation, request_id="broken")) == "INTERNAL"
    assert await house.pieces_now(allocation.allocation_id) == ["AVAILABLE"]
    assert await house.interest_now(interest.interest_id, reference.reference_id) == "WAITING"
    page = await house.stub.ListOffers(pb.ListOffersRequest(allocation_id=allocation.allocation_id))
    assert list(page.offers) == []
    assert await outcome(house.offer(allocation, request_id="broken")) == "OK"


async def test_accepting_promises_the_piece_and_fulfils_the_interest(house) -> None:
    offer = await house.open_offer()
    accepted = await house.accept(offer)
    assert accepted.state == pb.OFFER_STATE_ACCEPTED
    assert datetime_of(accepted.answer_time) == NOON
    assert await house.pieces_now(offer.allocation_id) == ["PROMISED"]
    [fact] = await facts(house, events_pb2.OfferAccepted, offer.offer_id)
    assert fact.version == 3
    allocation = await house.stub.GetAllocation(pb.GetAllocationRequest(allocation_id=offer.allocation_id))
    assert await house.interest_now(offer.interest_id, allocation.reference_id) == "FULFILLED"


async def test_declining_frees_the_piece_for_the_next_and_not_for_the_same_client(house, outcome) -> None:
    reference = await house.reference()
    first = await house.interest(reference)
    allocation = await house.allocation(reference)
    await house.decline(await house.offer(allocation))
    assert await house.pieces_now(allocation.allocation_id) == ["AVAILABLE"]
    assert await house.interest_now(first.interest_id, reference.reference_id) == "WAITING"
    assert await outcome(house.offer(allocation)) == "NO_CANDIDATE"
    second = await house.interest(reference)
    offer = await house.offer(allocation)
    assert offer.interest_id == second.interest_id
    assert "did not take it" in offer.candidates[1].ineligible_reason
    another = await house.offer(await house.allocation(reference))
    assert another.interest_id == first.interest_id


async def test_the_same_answer_again_is_harmless_and_the_other_is_refused(house, outcome) -> None:
    accepted, declined = await house.open_offer(), await house.open_offer()
    assert await house.accept(accepted) == await house.accept(accepted)
    assert await outcome(house.decline(accepted)) == "OFFER_ALREADY_ANSWERED"
    assert await house.decline(declined) == await house.decline(declined)
    assert await outcome(house.accept(declined)) == "OFFER_ALREADY_ANSWERED"
    assert len(await facts(house, events_pb2.OfferAccepted, accepted.offer_id)) == 1
    assert len(await facts(house, events_pb2.OfferDeclined, declined.offer_id)) == 1


async def test_twenty_workers_answering_one_offer_give_it_one_answer(house, outcome) -> None:
    offer = await house.open_offer()
    answers = [house.accept if number % 2 else house.decline for number in range(20)]
    outcomes = await asyncio.gather(*(outcome(answer(offer)) for answer in answers))
    assert Counter(outcomes) == {"OK": 10, "OFFER_ALREADY_ANSWERED": 10}
    accepted = await facts(house, events_pb2.OfferAccepted, offer.offer_id)
    declined = await facts(house, events_pb2.OfferDeclined, offer.offer_id)
    assert len(accepted) + len(declined) == 1


@pytest.mark.parametrize(("microseconds", "result"), [(-1, "OK"), (0, "OFFER_EXPIRED")])
async def test_an_offer_lapses_at_its_very_moment(house, go_on, outcome, microseconds, result) -> None:
    offer = await house.open_offer(hold_hours=1)
    go_on(hours=1, microseconds=microseconds)
    assert await outcome(house.accept(offer)) == result


async def test_an_answer_that_comes_too_late_writes_the_expiry(house, go_on, outcome) -> None:
    offer = await house.open_offer(hold_hours=1)
    go_on(hours=1)
    assert await outcome(house.decline(offer)) == "OFFER_EXPIRED"
    assert await outcome(house.accept(offer)) == "OFFER_EXPIRED"
    read = await house.stub.GetOffer(pb.GetOfferRequest(offer_id=offer.offer_id))
    assert read.state == pb.OFFER_STATE_EXPIRED
    assert not read.HasField("answer_time")
    assert await house.pieces_now(offer.allocation_id) == ["AVAILABLE"]
    [fact] = await facts(house, events_pb2.OfferExpired, offer.offer_id)
    assert fact.version == 3


async def test_an_overdue_offer_is_expired_by_the_next_one_of_its_allocation(house, go_on) -> None:
    reference = await house.reference()
    first, second = await house.interest(reference), await house.interest(reference)
    allocation = await house.allocation(reference)
    overdue = await house.offer(allocation, hold_hours=1)
    go_on(hours=1)
    following = await house.offer(allocation)
    assert (overdue.interest_id, following.interest_id) == (first.interest_id, second.interest_id)
    assert following.piece_id == overdue.piece_id
    [expired] = await facts(house, events_pb2.OfferExpired, overdue.offer_id)
    [made] = await facts(house, events_pb2.OfferMade, following.offer_id)
    assert (expired.version, made.version) == (3, 4)


async def test_the_sweeper_expires_the_offers_of_all_chains_once(house, sign_in, go_on) -> None:
    here = await house.open_offer(hold_hours=1)
    later = await house.open_offer(hold_hours=2)
    sign_in(*house.all_scopes, chain_id="chn_two", clock=house.clock)
    there = await house.open_offer(hold_hours=1)
    assert await sweep_offers(database=house.database, clock=house.clock) == 0
    go_on(hours=1)
    swept = await asyncio.gather(
        *(sweep_offers(database=house.database, clock=house.clock) for _ in range(5))
    )
    assert sum(swept) >= 2
    for offer in (here, there):
        assert len(await facts(house, events_pb2.OfferExpired, offer.offer_id)) == 1
    assert await facts(house, events_pb2.OfferExpired, later.offer_id) == []
    assert await sweep_offers(database=house.database, clock=house.clock) == 0


async def test_accepting_expiring_and_offering_at_one_moment_settle_on_one_story(
    house, go_on, outcome
) -> None:
    reference = await house.reference()
    for _ in range(5):
        await house.interest(reference)
    for moment in (0, -1):
        allocation = await house.allocation(reference)
        offer = await house.offer(allocation, hold_hours=1)
        go_on(hours=1, microseconds=moment)
        outcomes = await asyncio.gather(
            *(outcome(house.accept(offer)) for _ in range(8)),
            *(outcome(house.offer(allocation)) for _ in range(8)),
            *(sweep_offers(database=house.database, clock=house.clock) for _ in range(4)),
        )
        answers, offers = Counter(outcomes[:8]), Counter(outcomes[8:16])
        expired = len(await facts(house, events_pb2.OfferExpired, offer.offer_id))
        accepted = len(await facts(house, events_pb2.OfferAccepted, offer.offer_id))
        if moment == 0:
            assert answers == {"OFFER_EXPIRED": 8}
            assert (expired, accepted) == (1, 0)
            assert offers["OK"] <= 1
        else:
            assert answers == {"OK": 8}
            assert (expired, accepted) == (0, 1)
            assert offers == {"NO_PIECE_AVAILABLE": 8}


async def test_the_database_refuses_a_second_live_offer_for_a_piece(house) -> None:
    offer = await house.open_offer()
    await house.accept(offer)
    with pytest.raises(DBAPIError, match="offers_one_live_per_piece"):
        async with house.database.transaction("chn_one") as tx:
            await tx.execute(
                "insert into offers (offer_id, chain_id, allocation_id, piece_id, interest_id, client_id, state,"
                " made_at, made_by, expires_at, policy_version, decision) select 'off_second', chain_id,"
                " allocation_id, piece_id, interest_id, client_id, 'OPEN', made_at, made_by, expires_at,"
                " policy_version, decision from offers where offer_id = :offer_id",
                {"offer_id": offer.offer_id},
            )


async def test_a_decision_can_be_replayed_from_what_was_stored(house, go_on) -> None:
    reference = await house.reference()
    for store_id in ("sto_one", "sto_two", "sto_one"):
        await house.interest(reference, store_id=store_id)
        go_on(days=30)
    offer = await house.offer(await house.allocation(reference))
    await house.stub.UpdatePolicy(
        pb.UpdatePolicyRequest(policy=pb.Policy(local_store_weight=3, recent_allocation_days=0))
    )
    async with house.database.transaction("chn_one") as tx:
        decision = await rows.get_decision(tx, offer.offer_id)
    again = rank(
        reversed([ranked.candidate for ranked in decision.candidates]),
        policy=decision.policy,
        store_id=decision.store_id,
        now=decision.decided_at,
    )
    assert again == decision.candidates
    assert again[0].candidate.interest_id == offer.interest_id


async def test_a_list_of_offers_is_newest_first_in_pages_and_without_decisions(house) -> None:
    reference = await house.reference()
    for _ in range(3):
        await house.interest(reference)
    allocation = await house.allocation(reference, pieces=3)
    made = [(await house.offer(allocation)).offer_id for _ in range(3)]
    seen, token = [], ""
    while True:
        page = await house.stub.ListOffers(
            pb.ListOffersRequest(allocation_id=allocation.allocation_id, page_size=2, page_token=token)
        )
        seen += page.offers
        if not (token := page.next_page_token):
            break
    assert [offer.offer_id for offer in seen] == made[::-1]
    assert all(not offer.candidates for offer in seen)


async def test_another_chains_offer_is_not_there(house, sign_in, outcome) -> None:
    offer = await house.open_offer()
    sign_in(*house.all_scopes, chain_id="chn_two", clock=house.clock)
    get = house.stub.GetOffer(pb.GetOfferRequest(offer_id=offer.offer_id))
    for call in (house.accept(offer), house.decline(offer), get):
        assert await outcome(call) == "OFFER_NOT_FOUND"
    call = house.stub.MakeOffer(pb.MakeOfferRequest(allocation_id=offer.allocation_id))
    assert await outcome(call) == "ALLOCATION_NOT_FOUND"


async def test_an_associate_of_another_store_may_neither_offer_nor_answer(house, sign_in, outcome) -> None:
    offer = await house.open_offer()
    sign_in(*house.all_scopes, stores=frozenset({"sto_elsewhere"}), clock=house.clock)
    for call in (
        house.accept(offer),
        house.decline(offer),
        house.stub.MakeOffer(pb.MakeOfferRequest(allocation_id=offer.allocation_id)),
    ):
        assert await outcome(call) == "STORE_NOT_YOURS"


async def test_an_answer_needs_its_scope(house, sign_in, outcome) -> None:
    offer = await house.open_offer()
    sign_in("waitlist:read", clock=house.clock)
    assert await outcome(house.accept(offer)) == "SCOPE_MISSING"


async def test_a_running_service_expires_offers_by_itself(make_database, servers, keys, sign_in) -> None:
    clock = FixedClock(NOON)
    database = await make_database("waitlist", VERSIONS)
    settings = settings_for(
        Settings, "waitlist", database=database, servers=servers, keys=keys, offer_sweep_seconds=0.05
    )
    service = build(settings, clock=clock)
    async with running(service, without=("consumer",)) as address, channel_to(address) as channel:
        sign_in(
            "waitlist:read",
            "waitlist:write",
            "references:write",
            "allocations:write",
            "offers:write",
            clock=clock,
        )
        stub = waitlist_pb2_grpc.WaitlistServiceStub(channel)
        reference = await stub.CreateReference(
            pb.CreateReferenceRequest(brand_id="brd_one", code="116500", display_name="Chronograph")
        )
        await stub.RegisterInterest(
            pb.RegisterInterestRequest(
                reference_id=reference.reference_id,
                client_id="cli_one",
                store_id="sto_one",
                wording="Registering interest does not guarantee a watch.",
            )
        )
        allocation = await stub.ReceiveAllocation(
            pb.ReceiveAllocationRequest(
                reference_id=reference.reference_id, store_id="sto_one", serials=["SN1"]
            )
        )
        await stub.MakeOffer(pb.MakeOfferRequest(allocation_id=allocation.allocation_id, hold_hours=1))
        clock.advance(timedelta(hours=1))
        [expired] = await eventually(lambda: published(service.foundation.database, events_pb2.OfferExpired))
    assert (expired.offer.serial, expired.offer.version) == ("SN1", 3)
