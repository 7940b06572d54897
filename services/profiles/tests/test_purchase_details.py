"""How purchases were paid and for whom, surprises among them, and lists of purchases."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from sqlalchemy import event as sql_event

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import proto_date_of

DAY = date(2026, 3, 9)
PIECE = pb.Piece(
    brand_id="brd_1", reference="R-1", serial="S-1", category="ring", description="a ring", metal="platinum",
    stone="diamond", cut="oval", style="solitaire", size="52", carat="1.25", certificate="GIA 2141438171",
    price=Money(currency_code="USD", units=9000),
)  # fmt: skip


def usd(units: int, currency: str = "USD") -> Money:
    return Money(currency_code=currency, units=units)


def day(text: str) -> Date:
    return proto_date_of(date.fromisoformat(text))


def paid(units: int, on: str = "", kind: int = pb.PAYMENT_KIND_CARD, currency: str = "USD") -> pb.Payment:
    return pb.Payment(kind=kind, amount=usd(units, currency), payment_date=day(on) if on else None)


def purchase(house: Any, client: pb.Client, units: int = 9000, **fields: Any) -> pb.RecordPurchaseRequest:
    line = pb.PurchaseLine(piece=PIECE, quantity=1, amount=usd(units))
    fields = {"store_id": house.store_id, "purchase_date": proto_date_of(DAY), "lines": [line], **fields}
    return pb.RecordPurchaseRequest(client_id=client.client_id, **fields)


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def listed(house: Any, **fields: Any) -> list[str]:
    found = await house.stub.ListPurchases(pb.ListPurchasesRequest(**fields))
    return [one.purchase_id for one in found.purchases]


async def merged(house: Any, client: pb.Client, alias_id: str) -> None:
    """Make `alias_id` lead to a client, as a merge does."""
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
            " values (:chain_id, :alias_id, :client_id, 'mrg_1', now())",
            {"chain_id": tx.chain_id, "alias_id": alias_id, "client_id": client.client_id},
        )


async def test_a_purchase_keeps_piece_payments_recipient_and_surprise(house: Any) -> None:
    leo, ana = await house.client(given_name="Leo"), await house.client(given_name="Ana")
    recorded = await house.stub.RecordPurchase(
        purchase(
            house, leo, occasion_kind=pb.OCCASION_KIND_ANNIVERSARY,
            payments=[paid(1000, "2025-12-01", pb.PAYMENT_KIND_CASH), paid(8000)],
            recipient_client_id=ana.client_id,
            surprise_for_client_id=ana.client_id, surprise_end_date=day("2026-05-01"),
        )
    )  # fmt: skip
    assert recorded.lines[0].piece == PIECE
    assert [(one.kind, one.amount, one.payment_date) for one in recorded.payments] == [
        (pb.PAYMENT_KIND_CASH, usd(1000), day("2025-12-01")),
        (pb.PAYMENT_KIND_CARD, usd(8000), day("2026-03-09")),
    ]
    assert (recorded.recipient_client_id, recorded.surprise_for_client_id) == (ana.client_id, ana.client_id)
    assert (recorded.surprise_end_date, recorded.returned) == (day("2026-05-01"), usd(0))
    read = await house.stub.GetPurchase(pb.GetPurchaseRequest(purchase_id=recorded.purchase_id))
    assert read == recorded
    (said,) = await published(house.database, ev.PurchaseRecorded, chain_id=house.chain_id)
    fact = said.purchase
    assert (fact.recipient_client_id, fact.surprise_for_client_id) == (ana.client_id, ana.client_id)
    assert fact.surprise_end_date == day("2026-05-01")


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"payments": [paid(1), paid(1, currency="EUR")]}, "CURRENCY_MISMATCH", "payments[1].amount.currency_code"),
        ({"payments": [paid(1, currency="QQQ")]}, "FIELD_INVALID", "payments[0].amount.currency_code"),
        ({"payments": [paid(9000), paid(1)]}, "PAYMENTS_EXCEED_TOTAL", "payments"),
        ({"payments": [paid(0)]}, "FIELD_INVALID", "payments[0].amount"),
        ({"payments": [paid(-5)]}, "FIELD_INVALID", "payments[0].amount"),
        ({"payments": [paid(1, "2024-03-08")]}, "FIELD_INVALID", "payments[0].payment_date"),
        ({"payments": [paid(1, "2026-03-11")]}, "FIELD_INVALID", "payments[0].payment_date"),
        (
            {"payments": [pb.Payment(kind=1, amount=usd(1), payment_date=Date(year=2026, month=2, day=30))]},
            "FIELD_INVALID", "payments[0].payment_date",
        ),
        ({"purchase_date": day("2026-03-11")}, "PURCHASE_IN_FUTURE", "purchase_date"),
        ({"purchase_date": Date(year=2025, month=2, day=29)}, "FIELD_INVALID", "purchase_date"),
        ({"surprise_end_date": day("2026-05-01")}, "FIELD_INVALID", "surprise_end_date"),
    ],
)  # fmt: skip
async def test_a_purchase_that_cannot_be_is_refused_by_field(
    house: Any, fields: dict[str, Any], reason: str, field: str
) -> None:
    client = await house.client()
    error = await refusal(house.stub.RecordPurchase(purchase(house, client, **fields)))
    assert (error.kind, error.reason) == (Kind.INVALID, reason)
    assert [violation.field for violation in error.violations] == [field]
    assert await listed(house, client_id=client.client_id) == []


@pytest.mark.parametrize("on", ["2024-03-09", "2025-06-01", "2026-03-09", "2026-03-10"])
async def test_a_deposit_may_come_two_years_before_and_an_instalment_until_today(house: Any, on: str) -> None:
    client = await house.client()
    recorded = await house.stub.RecordPurchase(purchase(house, client, payments=[paid(1, on)]))
    assert recorded.payments[0].payment_date == day(on)


def later(
    purchase: pb.Purchase, units: int, on: str = "", *, request_id: str = "", **more: Any
) -> rec.RecordPaymentRequest:
    return rec.RecordPaymentRequest(
        request_id=request_id, purchase_id=purchase.purchase_id, payment=paid(units, on, **more)
    )


async def test_an_instalment_comes_later(house: Any) -> None:
    bought = await house.stub.RecordPurchase(purchase(house, await house.client(), payments=[paid(1000)]))
    request = later(bought, 500, request_id="second")
    after = await house.records.RecordPayment(request)
    assert await house.records.RecordPayment(request) == after
    assert [(one.amount, one.payment_date) for one in after.payments] == [
        (usd(1000), day("2026-03-09")),
        (usd(500), day("2026-03-10")),
    ]
    await house.records.RecordPayment(later(bought, 7500, "2026-03-01"))
    read = await house.stub.GetPurchase(pb.GetPurchaseRequest(purchase_id=bought.purchase_id))
    assert [one.amount.units for one in read.payments] == [1000, 500, 7500]
    error = await refusal(house.records.RecordPayment(later(bought, 1)))
    assert (error.reason, error.violations[0].field) == ("PAYMENTS_EXCEED_TOTAL", "payment")


async def test_twenty_instalments_at_once_are_no_more_than_the_total(house: Any) -> None:
    bought = await house.stub.RecordPurchase(purchase(house, await house.client()))

    async def pay() -> bool:
        try:
            await house.records.RecordPayment(later(bought, 1000))
        except ServiceError as refused:
            assert refused.reason == "PAYMENTS_EXCEED_TOTAL"
            return False
        return True

    assert sum(await asyncio.gather(*(pay() for _ in range(20)))) == 9


@pytest.mark.parametrize(
    ("payment", "reason", "field"),
    [
        (paid(1, currency="EUR"), "CURRENCY_MISMATCH", "payment.amount.currency_code"),
        (paid(0), "FIELD_INVALID", "payment.amount"),
        (paid(1, "2026-03-11"), "FIELD_INVALID", "payment.payment_date"),
        (paid(1, "2024-03-08"), "FIELD_INVALID", "payment.payment_date"),
    ],
)
async def test_an_instalment_that_cannot_be_is_refused_by_field(
    house: Any, payment: pb.Payment, reason: str, field: str
) -> None:
    bought = await house.stub.RecordPurchase(purchase(house, await house.client()))
    request = rec.RecordPaymentRequest(purchase_id=bought.purchase_id, payment=payment)
    error = await refusal(house.records.RecordPayment(request))
    assert (error.kind, error.reason) == (Kind.INVALID, reason)
    assert [violation.field for violation in error.violations] == [field]


async def test_an_instalment_is_of_a_purchase_of_ones_own_store_and_chain(
    house: Any, other_house: Any
) -> None:
    house.act_as()
    bought = await house.stub.RecordPurchase(purchase(house, await house.client()))
    house.act_as(stores=frozenset({"sto_other"}))
    assert (await refusal(house.records.RecordPayment(later(bought, 1)))).reason == "STORE_NOT_YOURS"
    other_house.act_as()
    assert (await refusal(house.records.RecordPayment(later(bought, 1)))).reason == "PURCHASE_NOT_FOUND"


async def test_today_is_the_stores_day(house: Any) -> None:
    client = await house.client()
    house.clock.set(datetime.fromisoformat("2026-03-11T02:00:00+00:00"))  # ten in the evening in New York
    house.act_as()
    await house.stub.RecordPurchase(purchase(house, client, purchase_date=day("2026-03-10")))
    error = await refusal(house.stub.RecordPurchase(purchase(house, client, purchase_date=day("2026-03-11"))))
    assert error.reason == "PURCHASE_IN_FUTURE"


@pytest.mark.parametrize("field", ["recipient_client_id", "surprise_for_client_id"])
async def test_who_it_is_for_is_a_client_of_the_chain(house: Any, other_house: Any, field: str) -> None:
    other_house.act_as()
    stranger = await other_house.client()
    house.act_as()
    client = await house.client()
    for wrong in ("cli_none", stranger.client_id):
        error = await refusal(house.stub.RecordPurchase(purchase(house, client, **{field: wrong})))
        assert (error.kind, error.reason, error.metadata["client_id"]) == (
            Kind.NOT_FOUND,
            "CLIENT_NOT_FOUND",
            wrong,
        )


async def test_who_was_given_a_present_has_a_line_about_it(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    bought = await house.stub.RecordPurchase(purchase(house, leo, recipient_client_id=ana.client_id))
    assert (await house.timeline(ana.client_id))[0] == "Became a client of the house"
    assert "Was given a present" in await house.timeline(ana.client_id)
    assert "Bought 1 piece for USD 9000.00" in await house.timeline(leo.client_id)
    assert await listed(house, client_id=ana.client_id) == []
    assert await listed(house, client_id=leo.client_id) == [bought.purchase_id]
    for_oneself = await house.stub.RecordPurchase(purchase(house, leo, recipient_client_id=leo.client_id))
    assert for_oneself.recipient_client_id == leo.client_id
    assert "Was given a present" not in await house.timeline(leo.client_id)


async def test_a_surprise_is_hidden_from_whom_it_is_for_until_it_is_over(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    await house.stub.RecordPurchase(
        purchase(
            house, leo, recipient_client_id=ana.client_id, surprise_for_client_id=ana.client_id,
            surprise_end_date=day("2026-03-12"),
        )
    )  # fmt: skip
    given = "Was given a present"
    assert given not in await house.timeline(ana.client_id)
    assert given in await house.timeline(ana.client_id, include_surprises=True)
    assert len(await house.timeline(leo.client_id)) == 2
    for days, is_shown in ((2, False), (3, True)):
        house.clock.set(NOON + timedelta(days=days))
        house.act_as()
        assert (given in await house.timeline(ana.client_id)) is is_shown


async def test_a_list_about_somebody_leaves_out_what_is_a_surprise_for_that_client(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    # Bought on Ana's own account, so that the points are hers.
    secret = await house.stub.RecordPurchase(purchase(house, ana, surprise_for_client_id=ana.client_id))
    open_one = await house.stub.RecordPurchase(purchase(house, ana, surprise_for_client_id=leo.client_id))
    await merged(house, ana, "cli_former")
    for ana_id in (ana.client_id, "cli_former"):
        assert await listed(house, client_id=ana_id) == [open_one.purchase_id]
        everything = await listed(house, client_id=ana_id, include_surprises=True)
        assert everything == [open_one.purchase_id, secret.purchase_id]
    shown = await house.stub.ListPurchases(pb.ListPurchasesRequest(store_id=house.store_id))
    assert [one.surprise_for_client_id for one in shown.purchases] == [leo.client_id, ana.client_id]


async def test_a_merged_clients_id_leads_to_the_survivor_everywhere(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    await merged(house, leo, "cli_old_leo")
    await merged(house, ana, "cli_old_ana")
    request = purchase(house, leo, recipient_client_id="cli_old_ana", surprise_for_client_id="cli_old_ana")
    request.client_id = "cli_old_leo"
    recorded = await house.stub.RecordPurchase(request)
    assert (recorded.client_id, recorded.recipient_client_id) == (leo.client_id, ana.client_id)
    assert recorded.surprise_for_client_id == ana.client_id
    assert await listed(house, client_id="cli_old_leo") == [recorded.purchase_id]


async def test_purchases_are_listed_newest_first_by_pages_and_filters(house: Any) -> None:
    client, other = await house.client(), await house.client()
    second_store = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Paris", time_zone="Europe/Paris", country="FR")
    )
    made = []
    for index, on in enumerate(("2026-01-05", "2026-03-01", "2026-02-01", "2026-02-01", "2026-03-09")):
        store_id = second_store.store_id if index == 4 else house.store_id
        buyer = other if index == 1 else client
        request = purchase(house, buyer, purchase_date=day(on), store_id=store_id, payments=[paid(5)])
        made.append((await house.stub.RecordPurchase(request)).purchase_id)
    newest = [made[4], made[1], made[3], made[2], made[0]]
    assert await listed(house) == newest
    assert await listed(house, client_id=client.client_id) == [made[4], made[3], made[2], made[0]]
    assert await listed(house, store_id=house.store_id) == newest[1:]
    assert await listed(house, store_id=second_store.store_id, client_id=other.client_id) == []
    span = {"start_date": day("2026-02-01"), "end_date": day("2026-03-01")}
    assert await listed(house, **span) == [made[1], made[3], made[2]]
    for fields in ({}, {"client_id": client.client_id}, {"store_id": house.store_id}):
        pages: list[str] = []
        token = ""
        while True:
            page = await house.stub.ListPurchases(
                pb.ListPurchasesRequest(page_size=2, page_token=token, **fields)
            )
            pages += [one.purchase_id for one in page.purchases]
            assert all(len(one.lines) == len(one.payments) == 1 for one in page.purchases)
            if not (token := page.next_page_token):
                break
        assert pages == await listed(house, **fields)


async def test_a_list_refuses_what_no_page_gave_and_an_end_before_the_start(house: Any) -> None:
    for fields, field in (
        ({"page_token": "made up"}, "page_token"),
        ({"page_token": "WyJ4IiwieSJd"}, "page_token"),
        ({"start_date": day("2026-03-02"), "end_date": day("2026-03-01")}, "end_date"),
        ({"end_date": Date(year=2026, month=4, day=31)}, "end_date"),
    ):
        error = await refusal(house.stub.ListPurchases(pb.ListPurchasesRequest(**fields)))
        assert (error.kind, error.violations[0].field) == (Kind.INVALID, field)
    error = await refusal(house.stub.ListPurchases(pb.ListPurchasesRequest(client_id="cli_none")))
    assert error.reason == "CLIENT_NOT_FOUND"


async def test_a_page_costs_the_same_number_of_statements_whatever_is_on_it(house: Any) -> None:
    client = await house.client()
    said = 0

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal said
        said += "purchase" in statement  # others look at tables of their own meanwhile

    engine = house.database.engine.sync_engine
    costs = []
    for more in (1, 12):
        await asyncio.gather(
            *(house.stub.RecordPurchase(purchase(house, client, payments=[paid(5)])) for _ in range(more))
        )
        said = 0
        sql_event.listen(engine, "before_cursor_execute", count)
        await listed(house, client_id=client.client_id)
        sql_event.remove(engine, "before_cursor_execute", count)
        costs.append(said)
    assert costs[0] == costs[1] == 3


async def test_another_chains_purchase_is_not_found_and_not_listed(house: Any, other_house: Any) -> None:
    house.act_as()
    theirs = await house.stub.RecordPurchase(purchase(house, await house.client()))
    other_house.act_as()
    error = await refusal(other_house.stub.GetPurchase(pb.GetPurchaseRequest(purchase_id=theirs.purchase_id)))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "PURCHASE_NOT_FOUND")
    assert await listed(other_house) == []


async def test_who_read_purchases_is_written_down(house: Any) -> None:
    client = await house.client()
    bought = await house.stub.RecordPurchase(purchase(house, client))
    await house.stub.GetPurchase(pb.GetPurchaseRequest(purchase_id=bought.purchase_id))
    await listed(house, client_id=client.client_id)
    await listed(house)
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute(
            "select action, client_ids, subject_id from audit_entries where action like '%Purchase%'"
            " order by audit_entry_id"
        )
    assert [tuple(row) for row in found] == [
        ("GetPurchase", [client.client_id], bought.purchase_id),
        ("ListPurchases", [client.client_id], ""),
        ("ListPurchases", [client.client_id], ""),
    ]


async def test_a_caller_of_another_store_does_not_record(house: Any) -> None:
    client = await house.client()
    house.act_as(stores=frozenset({"sto_other"}))
    error = await refusal(house.stub.RecordPurchase(purchase(house, client)))
    assert error.reason == "STORE_NOT_YOURS"
