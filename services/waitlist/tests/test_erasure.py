"""A client is forgotten: pieces are free again, and decisions can still be replayed without knowing who it was."""

import asyncio

from carnet.profiles.v1 import events_pb2 as profiles
from carnet.waitlist.v1 import events_pb2
from carnet.waitlist.v1 import waitlist_pb2 as pb
from google.type.date_pb2 import Date
from sqlalchemy import text

from chassis.testing import published
from waitlist.domain import ranking
from waitlist.store import offers as offer_rows

TABLES = ("interests", "offers", "client_standings", "requests")


async def rows_with(house, client_id) -> int:
    """Return how many rows of any table name a client."""
    async with house.database.transaction("chn_one") as tx:
        counts = [
            (
                await tx.execute(
                    text(f"select count(*) from {table} t where position(:id in row_to_json(t)::text) > 0"),
                    {"id": f'"{client_id}"'},
                )
            ).scalar_one()
            for table in TABLES
        ]
    return sum(counts)


async def receipts(house, client_id):
    said = await published(house.database, events_pb2.ClientForgotten, chain_id="chn_one")
    return [event.receipt for event in said if event.receipt.client_id == client_id]


def bought(client_id):
    return profiles.PurchaseRecorded(
        purchase=profiles.PurchaseFact(
            purchase_id="pur_1",
            client_id=client_id,
            purchase_date=Date(year=2026, month=3, day=1),
            total_minor=100,
            currency_code="USD",
        )
    )


async def test_a_waiting_client_is_withdrawn_and_nowhere_named(house) -> None:
    client_id = house.client()
    interest = await house.interest(await house.reference(), client_id, purpose="for the wedding")
    await house.hear(bought(client_id))
    await house.erase(client_id)
    assert await rows_with(house, client_id) == 0
    assert await house.interests_of(client_id) == []
    assert await house.interest_now(interest.interest_id, interest.reference_id) == "WITHDRAWN"
    (receipt,) = await receipts(house, client_id)
    assert receipt.erased == {"interests": 1, "offers": 0, "standings": 1}
    withdrawn = await published(house.database, events_pb2.InterestWithdrawn, chain_id="chn_one")
    assert interest.interest_id in {event.interest_id for event in withdrawn}


async def test_a_held_piece_is_free_for_the_next_one(house) -> None:
    reference = await house.reference()
    client_id, next_id = house.client(), house.client()
    await house.interest(reference, client_id)
    await house.interest(reference, next_id)
    allocation = await house.allocation(reference)
    offer = await house.offer(allocation)
    assert offer.client_id == client_id
    await house.erase(client_id)
    assert await house.pieces_now(allocation.allocation_id) == ["AVAILABLE"]
    declined = await published(house.database, events_pb2.OfferDeclined, chain_id="chn_one")
    assert offer.offer_id in {event.offer.offer_id for event in declined}
    assert (await house.offer(allocation)).client_id == next_id


async def test_the_decision_can_be_replayed_and_names_nobody(house) -> None:
    reference = await house.reference()
    client_id, other = house.client(), house.client()
    await house.interest(reference, client_id)
    await house.interest(reference, other)
    offer = await house.offer(await house.allocation(reference))
    await house.accept(offer)
    await house.erase(client_id)
    assert await rows_with(house, client_id) == 0
    found = await house.stub.GetOffer(pb.GetOfferRequest(offer_id=offer.offer_id))
    assert found.state == pb.OFFER_STATE_ACCEPTED
    nobody = found.client_id
    assert nobody.startswith("anon_")
    assert {candidate.client_id for candidate in found.candidates} == {nobody, other}
    async with house.database.transaction("chn_one") as tx:
        decision = await offer_rows.get_decision(tx, offer.offer_id)
    again = ranking.rank(
        [one.candidate for one in decision.candidates],
        policy=decision.policy,
        store_id=decision.store_id,
        now=decision.decided_at,
    )
    assert again == decision.candidates
    (receipt,) = await receipts(house, client_id)
    (kept,) = receipt.retained
    assert (kept.category, kept.count) == ("allocation_decisions", 1)
    assert "art. 17(3)(e)" in kept.basis
    piece = await house.stub.SellPiece(pb.SellPieceRequest(piece_id=offer.piece_id))
    assert piece.state == pb.PIECE_STATE_SOLD


async def test_former_ids_go_too_whether_the_merge_was_heard_of_or_not(house) -> None:
    for heard in (True, False):
        reference = await house.reference()
        one, other = house.client(), house.client()
        for client_id in (one, other):
            await house.interest(reference, client_id)
        if heard:
            await house.merge(one, other)
        await house.erase(one, other)
        await house.merge(one, other)
        assert [await rows_with(house, client_id) for client_id in (one, other)] == [0, 0]
        (receipt,) = await receipts(house, one)
        assert receipt.erased["interests"] == 2


async def test_who_was_taken_apart_in_time_keeps_the_place_in_line(house) -> None:
    reference = await house.reference()
    one, other = house.client(), house.client()
    await house.interest(reference, one)
    others = await house.interest(reference, other)
    merge_id = await house.merge(one, other)
    await house.erase(one)
    await house.unmerge(one, other, merge_id)
    assert [(i.interest_id, i.state) for i in await house.interests_of(other)] == [
        (others.interest_id, pb.INTEREST_STATE_WAITING)
    ]


async def test_late_purchases_are_dropped_and_calls_refused(house, outcome) -> None:
    client_id = house.client()
    await house.erase(client_id)
    await house.hear(bought(client_id))
    assert await rows_with(house, client_id) == 0
    assert await outcome(house.interest(await house.reference(), client_id)) == "CLIENT_NOT_FOUND"


async def test_asked_again_the_same_receipt_is_said_again(house) -> None:
    client_id = house.client()
    await house.interest(await house.reference(), client_id)
    await house.erase(client_id)
    await house.erase(client_id)
    one, again = await receipts(house, client_id)
    assert one == again


async def test_an_erasure_while_twenty_register_leaves_no_row(house, outcome) -> None:
    client_id = house.client()
    references = [await house.reference() for _ in range(20)]
    await asyncio.gather(
        *(outcome(house.interest(reference, client_id)) for reference in references[:10]),
        house.erase(client_id),
        *(outcome(house.interest(reference, client_id)) for reference in references[10:]),
    )
    assert await rows_with(house, client_id) == 0


async def test_another_chain_s_rows_stay(house, sign_in) -> None:
    client_id = house.client()
    interest = await house.interest(await house.reference(), client_id)
    await house.hear(profiles.ClientErased(erasure_id="ers_x", client_id=client_id), chain_id="chn_two")
    assert [one.interest_id for one in await house.interests_of(client_id)] == [interest.interest_id]
