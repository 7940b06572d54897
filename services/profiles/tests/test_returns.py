"""What comes back of a purchase, for money or for another piece; never more than was bought."""

import asyncio
from datetime import date
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.errors import Kind, ServiceError
from chassis.testing import published
from chassis.values import proto_date_of


def usd(units: int, currency: str = "USD") -> Money:
    return Money(currency_code=currency, units=units)


def day(text: str) -> Date:
    return proto_date_of(date.fromisoformat(text))


async def bought(house: Any, client: pb.Client, *lines: tuple[int, int], **fields: Any) -> pb.Purchase:
    """Record a purchase of lines of so many pieces for so much."""
    return await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client.client_id,
            store_id=house.store_id,
            purchase_date=day("2026-03-01"),
            lines=[
                pb.PurchaseLine(piece=pb.Piece(category="ring"), quantity=quantity, amount=usd(units))
                for quantity, units in lines
            ],
            **fields,
        )
    )


def back(line: int, quantity: int, units: int, currency: str = "USD") -> rec.ReturnLine:
    return rec.ReturnLine(purchase_line=line, quantity=quantity, amount=usd(units, currency))


def returning(
    house: Any, purchase: pb.Purchase, *lines: rec.ReturnLine, **fields: Any
) -> rec.RecordReturnRequest:
    fields = {"return_date": day("2026-03-08"), "store_id": house.store_id, **fields}
    return rec.RecordReturnRequest(purchase_id=purchase.purchase_id, lines=lines, **fields)


async def returns_of(house: Any, purchase: pb.Purchase, **fields: Any) -> rec.ListReturnsResponse:
    request = rec.ListReturnsRequest(purchase_id=purchase.purchase_id, **fields)
    return await house.records.ListReturns(request)


async def returned(house: Any, purchase: pb.Purchase) -> Money:
    request = pb.GetPurchaseRequest(purchase_id=purchase.purchase_id)
    return (await house.stub.GetPurchase(request)).returned


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def test_what_came_back_is_recorded_said_and_told(house: Any) -> None:
    client = await house.client()
    purchase = await bought(house, client, (2, 200), (1, 50))
    request = returning(
        house, purchase, back(0, 1, 90), back(1, 1, 50), request_id="back", reason="too small"
    )
    recorded = await house.records.RecordReturn(request)
    assert await house.records.RecordReturn(request) == recorded
    assert (recorded.client_id, recorded.total, recorded.reason) == (client.client_id, usd(140), "too small")
    assert list((await returns_of(house, purchase)).returns) == [recorded]
    assert await returned(house, purchase) == usd(140)
    listed = await house.stub.ListPurchases(pb.ListPurchasesRequest(client_id=client.client_id))
    assert listed.purchases[0].returned == usd(140)
    (said,) = await published(house.database, ev.ReturnRecorded, chain_id=house.chain_id)
    assert (said.return_id, said.purchase_id, said.client_id) == (
        recorded.return_id,
        purchase.purchase_id,
        client.client_id,
    )
    assert (said.total_minor, said.currency_code, said.return_date) == (14000, "USD", day("2026-03-08"))
    lines = await house.timeline(client.client_id, kinds=[pb.TIMELINE_KIND_RETURN])
    assert lines == ["Returned 2 pieces for USD 140.00"]


async def test_a_piece_is_exchanged_for_another(house: Any) -> None:
    client = await house.client()
    purchase, instead = await bought(house, client, (1, 100)), await bought(house, client, (1, 120))
    recorded = await house.records.RecordReturn(
        returning(house, purchase, back(0, 1, 100), exchange_purchase_id=instead.purchase_id)
    )
    assert recorded.exchange_purchase_id == instead.purchase_id
    assert await house.timeline(client.client_id, kinds=[pb.TIMELINE_KIND_RETURN]) == [
        "Exchanged 1 piece for USD 100.00"
    ]


async def test_a_purchase_comes_back_in_parts_and_never_more_than_it_was(house: Any) -> None:
    purchase = await bought(house, await house.client(), (3, 300))
    first = await house.records.RecordReturn(returning(house, purchase, back(0, 2, 200)))
    error = await refusal(house.records.RecordReturn(returning(house, purchase, back(0, 2, 100))))
    assert (error.kind, error.reason) == (Kind.PRECONDITION, "RETURN_EXCEEDS_PURCHASE")
    assert error.violations[0].field == "lines[0].quantity"
    error = await refusal(house.records.RecordReturn(returning(house, purchase, back(0, 1, 101))))
    assert (error.reason, error.violations[0].field) == ("RETURN_EXCEEDS_PURCHASE", "lines[0].amount")
    last = await house.records.RecordReturn(returning(house, purchase, back(0, 1, 100)))
    assert await returned(house, purchase) == usd(300)
    page = await returns_of(house, purchase, page_size=1)
    rest = await returns_of(house, purchase, page_size=1, page_token=page.next_page_token)
    assert ([*page.returns], [*rest.returns], rest.next_page_token) == ([first], [last], "")


async def test_one_line_named_twice_counts_together(house: Any) -> None:
    purchase = await bought(house, await house.client(), (3, 300))
    error = await refusal(
        house.records.RecordReturn(returning(house, purchase, back(0, 2, 10), back(0, 2, 10)))
    )
    assert (error.reason, error.violations[0].field) == ("RETURN_EXCEEDS_PURCHASE", "lines[1].quantity")
    await house.records.RecordReturn(returning(house, purchase, back(0, 2, 10), back(0, 1, 10)))


async def test_twenty_at_once_bring_back_what_there_is_and_no_more(house: Any) -> None:
    purchase = await bought(house, await house.client(), (7, 700))

    async def bring_one_back() -> bool:
        try:
            await house.records.RecordReturn(returning(house, purchase, back(0, 1, 100)))
        except ServiceError as refused:
            assert refused.reason == "RETURN_EXCEEDS_PURCHASE"
            return False
        return True

    assert sum(await asyncio.gather(*(bring_one_back() for _ in range(20)))) == 7
    assert await returned(house, purchase) == usd(700)
    assert len(await published(house.database, ev.ReturnRecorded, chain_id=house.chain_id)) == 7


async def test_twenty_repeats_at_once_are_one_return(house: Any) -> None:
    purchase = await bought(house, await house.client(), (7, 700))
    request = returning(house, purchase, back(0, 1, 100), request_id="once")
    made = await asyncio.gather(*(house.records.RecordReturn(request) for _ in range(20)))
    assert len({one.return_id for one in made}) == 1
    assert await returned(house, purchase) == usd(100)


@pytest.mark.parametrize(
    ("lines", "fields", "reason", "field"),
    [
        ([back(0, 1, 1)], {"return_date": day("2026-02-28")}, "RETURN_BEFORE_PURCHASE", "return_date"),
        ([back(0, 1, 1)], {"return_date": day("2026-03-11")}, "FIELD_INVALID", "return_date"),
        ([back(0, 1, 1)], {"return_date": Date(year=2026, month=2, day=30)}, "FIELD_INVALID", "return_date"),
        ([back(0, 1, 1, "EUR")], {}, "CURRENCY_MISMATCH", "lines[0].amount.currency_code"),
        ([back(0, 1, 1), back(1, 1, 1)], {}, "FIELD_INVALID", "lines[1].purchase_line"),
        ([back(0, 1, -1)], {}, "FIELD_INVALID", "lines[0].amount"),
    ],
)
async def test_a_return_that_cannot_be_is_refused_by_field(
    house: Any, lines: list[rec.ReturnLine], fields: dict[str, Any], reason: str, field: str
) -> None:
    purchase = await bought(house, await house.client(), (2, 200))
    error = await refusal(house.records.RecordReturn(returning(house, purchase, *lines, **fields)))
    assert (error.kind, error.reason) == (Kind.INVALID, reason)
    assert [violation.field for violation in error.violations] == [field]
    assert await returned(house, purchase) == usd(0)


async def test_the_day_of_the_purchase_is_early_enough(house: Any) -> None:
    purchase = await bought(house, await house.client(), (1, 200))
    await house.records.RecordReturn(
        returning(house, purchase, back(0, 1, 200), return_date=purchase.purchase_date)
    )


async def test_a_line_that_is_a_return_does_not_come_back(house: Any) -> None:
    purchase = await bought(house, await house.client(), (1, 200), (1, -50))
    error = await refusal(house.records.RecordReturn(returning(house, purchase, back(1, 1, 0))))
    assert (error.reason, error.violations[0].field) == (
        "RETURN_EXCEEDS_PURCHASE",
        "lines[0].purchase_line",
    )


async def test_an_exchange_is_another_purchase_of_the_same_client(house: Any) -> None:
    client, other = await house.client(), await house.client()
    purchase, theirs = await bought(house, client, (1, 100)), await bought(house, other, (1, 100))
    for exchange_id, reason in (
        (theirs.purchase_id, "EXCHANGE_OF_ANOTHER_CLIENT"),
        (purchase.purchase_id, "FIELD_INVALID"),
        ("pur_none", "PURCHASE_NOT_FOUND"),
    ):
        error = await refusal(
            house.records.RecordReturn(
                returning(house, purchase, back(0, 1, 100), exchange_purchase_id=exchange_id)
            )
        )
        assert error.reason == reason


async def test_a_return_of_a_surprise_is_one_too(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    purchase = await bought(house, ana, (1, 100), surprise_for_client_id=ana.client_id)
    told = await bought(house, leo, (1, 100), surprise_for_client_id=ana.client_id)
    for one in (purchase, told):
        await house.records.RecordReturn(returning(house, one, back(0, 1, 100)))
    kinds = [pb.TIMELINE_KIND_RETURN]
    assert await house.timeline(ana.client_id, kinds=kinds) == []
    assert len(await house.timeline(ana.client_id, kinds=kinds, include_surprises=True)) == 1
    assert len(await house.timeline(leo.client_id, kinds=kinds)) == 1


async def test_what_is_nobodys_or_another_chains_is_not_found(house: Any, other_house: Any) -> None:
    house.act_as()
    purchase = await bought(house, await house.client(), (1, 100))
    error = await refusal(
        house.records.RecordReturn(returning(house, purchase, back(0, 1, 1), store_id="sto_none"))
    )
    assert error.reason == "STORE_NOT_FOUND"
    other_house.act_as()
    for call in (
        other_house.records.RecordReturn(returning(other_house, purchase, back(0, 1, 1))),
        returns_of(other_house, purchase),
    ):
        error = await refusal(call)
        assert (error.kind, error.reason) == (Kind.NOT_FOUND, "PURCHASE_NOT_FOUND")


async def test_a_caller_of_another_store_takes_nothing_back(house: Any) -> None:
    purchase = await bought(house, await house.client(), (1, 100))
    house.act_as(stores=frozenset({"sto_other"}))
    error = await refusal(house.records.RecordReturn(returning(house, purchase, back(0, 1, 1))))
    assert error.reason == "STORE_NOT_YOURS"


async def test_a_failed_return_leaves_nothing(house: Any) -> None:
    purchase = await bought(house, await house.client(), (1, 100), (1, 100))
    await refusal(house.records.RecordReturn(returning(house, purchase, back(0, 1, 100), back(1, 2, 100))))
    assert not (await returns_of(house, purchase)).returns
    assert not await published(house.database, ev.ReturnRecorded, chain_id=house.chain_id)
