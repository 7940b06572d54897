"""References, interests, allocations and policies through the running service."""

import asyncio
from collections import Counter

import pytest
from carnet.waitlist.v1 import events_pb2
from carnet.waitlist.v1 import waitlist_pb2 as pb
from google.type.money_pb2 import Money

from chassis.errors import Kind, ServiceError
from chassis.testing import published


async def test_a_reference_reads_as_it_was_created(house) -> None:
    made = await house.reference(price=Money(currency_code="CHF", units=9850, nanos=500_000_000))
    read = await house.stub.GetReference(pb.GetReferenceRequest(reference_id=made.reference_id))
    assert read == made
    assert (made.price.units, made.price.nanos) == (9850, 500_000_000)


async def test_a_code_is_a_brands_own(house, outcome) -> None:
    await house.reference(code="126610LN")
    assert await outcome(house.reference(code="126610LN")) == "REFERENCE_TAKEN"
    assert await outcome(house.reference(code="126610LN", brand_id="brd_two")) == "OK"


async def test_twenty_workers_create_a_reference_once(house, outcome) -> None:
    outcomes = await asyncio.gather(*(outcome(house.reference(code="5711")) for _ in range(20)))
    assert Counter(outcomes) == {"OK": 1, "REFERENCE_TAKEN": 19}


async def test_a_price_of_no_currency_is_a_bad_field(house) -> None:
    with pytest.raises(ServiceError) as refusal:
        await house.reference(price=Money(currency_code="XX", units=1))
    assert refusal.value.kind is Kind.INVALID
    assert [violation.field for violation in refusal.value.violations] == ["price.currency_code"]


@pytest.mark.parametrize("units", [-1, 10**13 + 1, 9 * 10**18])
async def test_a_price_that_is_none_is_a_bad_field(house, outcome, units) -> None:
    assert await outcome(house.reference(price=Money(currency_code="USD", units=units))) == "FIELD_INVALID"


async def test_references_are_listed_by_code_in_pages_of_one_brand(house) -> None:
    for code in ("C", "A", "B"):
        await house.reference(code=code, brand_id="brd_listed")
    first = await house.stub.ListReferences(pb.ListReferencesRequest(brand_id="brd_listed", page_size=2))
    second = await house.stub.ListReferences(
        pb.ListReferencesRequest(brand_id="brd_listed", page_size=2, page_token=first.next_page_token)
    )
    assert [one.code for one in [*first.references, *second.references]] == ["A", "B", "C"]
    assert second.next_page_token == ""


@pytest.mark.parametrize("token", ["nonsense", "W10", "WzFd"])
async def test_a_made_up_page_token_is_a_bad_field(house, outcome, token) -> None:
    call = house.stub.ListInterests(pb.ListInterestsRequest(page_token=token))
    assert await outcome(call) == "FIELD_INVALID"


async def test_a_client_has_one_live_interest_in_a_reference(house, outcome) -> None:
    reference = await house.reference()
    calls = [outcome(house.interest(reference, "cli_keen")) for _ in range(20)]
    assert Counter(await asyncio.gather(*calls)) == {"OK": 1, "INTEREST_ALREADY_REGISTERED": 19}
    assert await outcome(house.interest(await house.reference(), "cli_keen")) == "OK"
    said = await published(house.database, events_pb2.InterestRegistered)
    [event] = [e for e in said if e.reference_id == reference.reference_id]
    assert (event.brand_id, event.client_id, event.store_id) == ("brd_one", "cli_keen", "sto_one")


async def test_interest_needs_a_reference_of_this_chain(house, sign_in, outcome) -> None:
    reference = await house.reference()
    sign_in(*house.all_scopes, chain_id="chn_two", clock=house.clock)
    assert await outcome(house.interest(reference)) == "REFERENCE_NOT_FOUND"


async def test_who_withdrew_may_register_again_behind_the_others(house) -> None:
    reference = await house.reference()
    first = await house.interest(reference, "cli_back")
    request = pb.WithdrawInterestRequest(interest_id=first.interest_id)
    withdrawn = await house.stub.WithdrawInterest(request)
    assert withdrawn.state == pb.INTEREST_STATE_WITHDRAWN
    assert await house.stub.WithdrawInterest(request) == withdrawn
    said = await published(house.database, events_pb2.InterestWithdrawn)
    assert [e.interest_id for e in said].count(first.interest_id) == 1
    second = await house.interest(reference, "cli_back")
    page = await house.stub.ListInterests(pb.ListInterestsRequest(client_id="cli_back"))
    assert [one.interest_id for one in page.interests] == [first.interest_id, second.interest_id]


async def test_an_interest_with_an_offer_stays_until_the_offer_lapses(house, go_on, outcome) -> None:
    offer = await house.open_offer(hold_hours=1)
    request = pb.WithdrawInterestRequest(interest_id=offer.interest_id)
    assert await outcome(house.stub.WithdrawInterest(request)) == "INTEREST_HAS_OFFER"
    go_on(hours=1)
    withdrawn = await house.stub.WithdrawInterest(request)
    assert withdrawn.state == pb.INTEREST_STATE_WITHDRAWN
    assert await outcome(house.accept(offer)) == "OFFER_EXPIRED"
    assert await house.pieces_now(offer.allocation_id) == ["AVAILABLE"]


async def test_a_fulfilled_interest_cannot_be_withdrawn(house, outcome) -> None:
    offer = await house.open_offer()
    await house.accept(offer)
    call = house.stub.WithdrawInterest(pb.WithdrawInterestRequest(interest_id=offer.interest_id))
    assert await outcome(call) == "INTEREST_FULFILLED"


async def test_withdrawing_while_offers_are_made_neither_deadlocks_nor_offers_the_withdrawn(
    house, outcome
) -> None:
    reference = await house.reference()
    interests = [await house.interest(reference) for _ in range(10)]
    allocation = await house.allocation(reference, pieces=10)
    withdrawals = [
        outcome(house.stub.WithdrawInterest(pb.WithdrawInterestRequest(interest_id=one.interest_id)))
        for one in interests[:6]
    ]
    offers = [outcome(house.offer(allocation)) for _ in range(10)]
    outcomes = await asyncio.gather(*withdrawals, *offers)
    assert set(outcomes) <= {"OK", "INTEREST_HAS_OFFER", "NO_CANDIDATE"}
    page = await house.stub.ListInterests(pb.ListInterestsRequest(reference_id=reference.reference_id))
    states = Counter(one.state for one in page.interests)
    assert states[pb.INTEREST_STATE_WITHDRAWN] + states[pb.INTEREST_STATE_OFFERED] == 10
    assert states[pb.INTEREST_STATE_OFFERED] == (await house.pieces_now(allocation.allocation_id)).count(
        "HELD"
    )


async def test_an_allocation_says_its_serials_and_reads_in_their_order(house) -> None:
    reference = await house.reference()
    allocation = await house.allocation(reference, serials=["Z-9", "A-1", "M-5"])
    assert [piece.serial for piece in allocation.pieces] == ["Z-9", "A-1", "M-5"]
    read = await house.stub.GetAllocation(pb.GetAllocationRequest(allocation_id=allocation.allocation_id))
    assert read == allocation
    said = await published(house.database, events_pb2.AllocationReceived)
    [event] = [e for e in said if e.allocation_id == allocation.allocation_id]
    assert list(event.serials) == ["Z-9", "A-1", "M-5"]
    assert (event.brand_id, event.reference_code) == ("brd_one", reference.code)


async def test_a_serial_that_is_in_keeps_the_whole_delivery_out(house) -> None:
    reference = await house.reference()
    await house.allocation(reference, serials=["S-1", "S-2"])
    with pytest.raises(ServiceError) as refusal:
        await house.allocation(reference, serials=["S-3", "S-2"])
    assert (refusal.value.reason, refusal.value.metadata) == ("SERIAL_TAKEN", {"serials": "S-2"})
    page = await house.stub.ListAllocations(pb.ListAllocationsRequest(reference_id=reference.reference_id))
    assert len(page.allocations) == 1


async def test_twenty_deliveries_with_common_serials_are_booked_in_once(house, outcome) -> None:
    reference = await house.reference()
    serials = [f"T-{number}" for number in range(30)]
    calls = [
        outcome(house.allocation(reference, serials=serials if number % 2 else serials[::-1]))
        for number in range(20)
    ]
    assert Counter(await asyncio.gather(*calls)) == {"OK": 1, "SERIAL_TAKEN": 19}


async def test_a_piece_that_went_back_may_come_again(house, outcome) -> None:
    reference = await house.reference()
    allocation = await house.allocation(reference, serials=["B-1"])
    request = pb.ReturnPieceRequest(piece_id=allocation.pieces[0].piece_id)
    returned = await house.stub.ReturnPiece(request)
    assert returned.state == pb.PIECE_STATE_RETURNED
    assert await house.stub.ReturnPiece(request) == returned
    said = await published(house.database, events_pb2.PieceReturned)
    [event] = [e for e in said if e.piece_id == returned.piece_id]
    assert (event.version, event.serial, event.brand_id) == (2, "B-1", "brd_one")
    assert await outcome(house.allocation(reference, serials=["B-1"])) == "OK"


async def test_a_piece_is_sold_after_it_was_promised_only(house, outcome) -> None:
    offer = await house.open_offer()
    request = pb.SellPieceRequest(piece_id=offer.piece_id)
    assert await outcome(house.stub.SellPiece(request)) == "PIECE_NOT_PROMISED"
    await house.accept(offer)
    sold = await house.stub.SellPiece(request)
    assert (sold.state, sold.offer_id) == (pb.PIECE_STATE_SOLD, offer.offer_id)
    assert await house.stub.SellPiece(request) == sold
    said = await published(house.database, events_pb2.PieceSold)
    [fact] = [e.offer for e in said if e.offer.piece_id == offer.piece_id]
    assert (fact.version, fact.client_id) == (4, offer.client_id)


async def test_a_piece_goes_back_while_it_is_free_only(house, outcome) -> None:
    offer = await house.open_offer()
    request = pb.ReturnPieceRequest(piece_id=offer.piece_id)
    assert await outcome(house.stub.ReturnPiece(request)) == "PIECE_NOT_AVAILABLE"
    await house.decline(offer)
    assert await outcome(house.stub.ReturnPiece(request)) == "OK"


async def test_returning_and_offering_one_piece_at_once_leaves_one_of_them(house, outcome) -> None:
    reference = await house.reference()
    for _ in range(5):
        await house.interest(reference)
        allocation = await house.allocation(reference)
        request = pb.ReturnPieceRequest(piece_id=allocation.pieces[0].piece_id)
        outcomes = await asyncio.gather(
            outcome(house.offer(allocation)), outcome(house.stub.ReturnPiece(request))
        )
        assert sorted(outcomes) in (["NO_PIECE_AVAILABLE", "OK"], ["OK", "PIECE_NOT_AVAILABLE"])


async def test_unknown_things_are_not_found_by_name(house, outcome) -> None:
    for call, reason in (
        (house.stub.GetReference(pb.GetReferenceRequest(reference_id="x")), "REFERENCE_NOT_FOUND"),
        (house.stub.WithdrawInterest(pb.WithdrawInterestRequest(interest_id="x")), "INTEREST_NOT_FOUND"),
        (house.stub.GetAllocation(pb.GetAllocationRequest(allocation_id="x")), "ALLOCATION_NOT_FOUND"),
        (house.stub.RankCandidates(pb.RankCandidatesRequest(allocation_id="x")), "ALLOCATION_NOT_FOUND"),
        (house.stub.SellPiece(pb.SellPieceRequest(piece_id="x")), "PIECE_NOT_FOUND"),
        (house.stub.ReturnPiece(pb.ReturnPieceRequest(piece_id="x")), "PIECE_NOT_FOUND"),
        (house.stub.AcceptOffer(pb.AcceptOfferRequest(offer_id="x")), "OFFER_NOT_FOUND"),
    ):
        assert await outcome(call) == reason


async def test_an_associate_of_another_store_may_not_write(house, sign_in, outcome) -> None:
    offer = await house.open_offer()
    reference = await house.reference()
    sign_in(*house.all_scopes, stores=frozenset({"sto_elsewhere"}), clock=house.clock)
    for call in (
        house.interest(reference),
        house.allocation(reference),
        house.stub.WithdrawInterest(pb.WithdrawInterestRequest(interest_id=offer.interest_id)),
        house.stub.SellPiece(pb.SellPieceRequest(piece_id=offer.piece_id)),
        house.stub.ReturnPiece(pb.ReturnPieceRequest(piece_id=offer.piece_id)),
    ):
        assert await outcome(call) == "STORE_NOT_YOURS"


async def test_a_chain_begins_with_the_default_policy_and_counts_its_versions(house, sign_in) -> None:
    sign_in(*house.all_scopes, chain_id="chn_policy", clock=house.clock)
    first = await asyncio.gather(*(house.stub.GetPolicy(pb.GetPolicyRequest()) for _ in range(20)))
    assert {(policy.version, policy.created_by) for policy in first} == {(1, "carnet")}
    wanted = pb.Policy(waiting_time_weight=1, first_time_buyer_weight=2, recent_allocation_days=90)
    second = await house.stub.UpdatePolicy(pb.UpdatePolicyRequest(policy=wanted))
    assert (second.version, second.created_by, second.history_weight) == (2, "usr_test", 0)
    assert await house.stub.UpdatePolicy(pb.UpdatePolicyRequest(policy=wanted)) == second
    assert await house.stub.GetPolicy(pb.GetPolicyRequest()) == second


async def test_twenty_new_policies_at_once_get_versions_of_their_own(house, sign_in, outcome) -> None:
    sign_in(*house.all_scopes, chain_id="chn_policies", clock=house.clock)
    calls = [
        outcome(
            house.stub.UpdatePolicy(
                pb.UpdatePolicyRequest(policy=pb.Policy(waiting_time_weight=number + 1, history_weight=1))
            )
        )
        for number in range(20)
    ]
    outcomes = Counter(await asyncio.gather(*calls))
    assert set(outcomes) <= {"OK", "TRY_AGAIN"}
    assert (await house.stub.GetPolicy(pb.GetPolicyRequest())).version == 1 + outcomes["OK"]


async def test_a_weight_that_is_none_is_a_bad_field(house, outcome) -> None:
    for wrong in (-1, 101, float("nan"), float("inf")):
        call = house.stub.UpdatePolicy(pb.UpdatePolicyRequest(policy=pb.Policy(waiting_time_weight=wrong)))
        assert await outcome(call) == "FIELD_INVALID"


async def test_the_gate_keeps_out_who_got_a_piece_lately_until_the_days_are_over(house, go_on) -> None:
    reference, other = await house.reference(), await house.reference()
    await house.stub.UpdatePolicy(
        pb.UpdatePolicyRequest(policy=pb.Policy(waiting_time_weight=7, recent_allocation_days=10))
    )
    await house.interest(reference, "cli_lucky")
    await house.interest(other, "cli_lucky")
    offer = await house.offer(await house.allocation(reference))
    allocation = await house.allocation(other)
    request = pb.RankCandidatesRequest(allocation_id=allocation.allocation_id)

    async def reason() -> str:
        [candidate] = (await house.stub.RankCandidates(request)).candidates
        assert candidate.rank == (0 if candidate.ineligible_reason else 1)
        return candidate.ineligible_reason

    assert await reason() == "Has an offer for another piece that is not answered yet."
    await house.accept(offer)
    go_on(days=10, microseconds=-1)
    assert await reason() == "Got a piece 9 days ago; the policy asks for 10 days between two."
    go_on(microseconds=1)
    assert await reason() == ""
