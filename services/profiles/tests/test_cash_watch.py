"""The watch on cash: the limit to the cent, twelve months to the day, linked people, one open alert, races."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import duplicates_pb2 as dup
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import minor_of, money_of, proto_date_of
from profiles.domain.cash_watch import CashFacts, CashPaid, counts_as_cash, facts_above, window_start
from profiles.domain.chain_settings import CashLimit
from profiles.domain.payments import PaymentKind
from profiles.store.payments import PaidPart, add_payments
from profiles.use_cases.cash_watch import watch

CASH, EQUIVALENT = pb.PAYMENT_KIND_CASH, pb.PAYMENT_KIND_CASH_EQUIVALENT
TODAY = date(2026, 3, 10)


def day(text: str) -> Date:
    return proto_date_of(date.fromisoformat(text))


def minor(amount: Money) -> int:
    return minor_of(amount, "amount")[0]


async def pays(
    house: Any,
    client: pb.Client,
    amount: float,
    on: str = "2026-03-10",
    kind: int = CASH,
    currency: str = "USD",
    store_id: str = "",
) -> pb.Purchase:
    """Record a purchase that was paid at once."""
    money = money_of(round(amount * 100), currency)
    return await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client.client_id,
            store_id=store_id or house.store_id,
            purchase_date=day(on),
            lines=[pb.PurchaseLine(piece=pb.Piece(category="watch"), quantity=1, amount=money)],
            payments=[pb.Payment(kind=kind, amount=money)],
        )
    )


async def alerts(house: Any, **fields: Any) -> list[rec.CashAlert]:
    return list((await house.records.ListCashAlerts(rec.ListCashAlertsRequest(**fields))).cash_alerts)


async def totals(house: Any, **fields: Any) -> list[int]:
    """Return the totals of all alerts in whole units, newest first."""
    return [alert.total.units for alert in await alerts(house, **fields)]


async def close(house: Any, alert: rec.CashAlert, note: str = "Form filed.") -> rec.CashAlert:
    return await house.records.CloseCashAlert(
        rec.CloseCashAlertRequest(cash_alert_id=alert.cash_alert_id, note=note)
    )


async def relate(
    house: Any, client: pb.Client, other: pb.Client, kind: int = pb.RELATIONSHIP_KIND_SPOUSE
) -> None:
    relationship = pb.Relationship(kind=kind, related_client_id=other.client_id)
    await house.stub.AddRelationship(
        pb.AddRelationshipRequest(client_id=client.client_id, relationship=relationship)
    )


async def move_to(house: Any, on: str) -> None:
    house.clock.set(datetime.combine(date.fromisoformat(on), NOON.time(), UTC))
    house.act_as()


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


def one(amount: int, on: date, client_id: str = "cli_a", **fields: Any) -> CashPaid:
    """Return a payment of so many cents."""
    fields = {
        "purchase_id": "pur_1", "store_id": "sto_1", "country": "US", "kind": PaymentKind.CASH,
        "currency_code": "USD", "recorded_at": NOON, **fields,
    }  # fmt: skip
    return CashPaid(client_id=client_id, paid_on=on, amount_minor=amount, **fields)


def above(
    *paid: CashPaid, limit: int = 1000, valid_from: date | None = None, **fields: Any
) -> CashFacts | None:
    fields = {"country": "US", "ends_from": date(2000, 1, 1), **fields}
    ordered = sorted(paid, key=lambda paid: paid.paid_on)
    return facts_above("cli_a", ordered, limit=CashLimit(limit, "USD", valid_from), **fields)


# The rule by itself.


def test_the_limit_itself_is_not_above_it_and_one_cent_more_is() -> None:
    assert above(one(1000, TODAY)) is None
    facts = above(one(1000, TODAY), one(1, TODAY))
    assert facts is not None
    assert facts.total_minor == 1001


@pytest.mark.parametrize(
    ("end", "start"),
    [
        (date(2026, 3, 10), date(2025, 3, 10)),
        (date(2028, 2, 29), date(2027, 2, 28)),
        (date(2029, 2, 28), date(2028, 2, 28)),
        (date(2029, 3, 1), date(2028, 3, 1)),
        (date(1, 5, 5), date(1, 1, 1)),
    ],
)
def test_twelve_months_begin_on_the_same_date_a_year_before(end: date, start: date) -> None:
    assert window_start(end) == start


@pytest.mark.parametrize(
    ("first", "last", "counts"),
    [
        (date(2025, 3, 10), date(2026, 3, 10), True),
        (date(2025, 3, 9), date(2026, 3, 10), False),
        (date(2027, 2, 28), date(2028, 2, 29), True),
        (date(2027, 2, 27), date(2028, 2, 29), False),
        (date(2028, 2, 29), date(2029, 2, 28), True),
        (date(2028, 2, 29), date(2029, 3, 1), False),
    ],
)
def test_payments_are_added_within_twelve_months_to_the_day(first: date, last: date, counts: bool) -> None:
    assert (above(one(600, first), one(600, last)) is not None) is counts


def test_a_payment_between_two_others_is_seen_in_the_months_that_hold_most() -> None:
    facts = above(
        one(600, date(2024, 6, 1)), one(700, date(2025, 5, 1)), one(800, date(2026, 3, 1)), limit=1000
    )
    assert facts is not None
    assert (facts.total_minor, facts.start_on, facts.end_on) == (1500, date(2025, 3, 1), date(2026, 3, 1))


@pytest.mark.parametrize(
    ("kind", "amount", "country", "currency", "counts"),
    [
        (PaymentKind.CASH, 5_000_000, "US", "USD", True),
        (PaymentKind.CASH, 1, "US", "EUR", False),
        (PaymentKind.CASH_EQUIVALENT, 1_000_000, "US", "USD", True),
        (PaymentKind.CASH_EQUIVALENT, 1_000_001, "US", "USD", False),
        (PaymentKind.CASH_EQUIVALENT, 1_000_001, "DE", "USD", True),
    ],
)
def test_what_counts_as_cash(
    kind: PaymentKind, amount: int, country: str, currency: str, counts: bool
) -> None:
    paid = one(amount, TODAY, kind=kind, currency_code=currency)
    assert counts_as_cash(paid, country, "USD") is counts


def test_only_who_paid_there_reaches_a_countrys_limit() -> None:
    assert above(one(2000, TODAY, "cli_b")) is None
    assert above(one(2000, TODAY, country="CA")) is None
    facts = above(one(2000, TODAY, "cli_b"), one(1, TODAY), one(1, TODAY, country="CA", store_id="sto_ca"))
    assert facts is not None
    assert (facts.total_minor, facts.linked_client_ids, facts.store_id) == (2002, ("cli_b",), "sto_1")


def test_what_was_paid_before_a_limit_held_does_not_count() -> None:
    since = date(2026, 3, 1)
    assert above(one(900, date(2026, 2, 28)), one(900, TODAY), valid_from=since) is None
    facts = above(one(900, since), one(900, TODAY), valid_from=since)
    assert facts is not None
    assert facts.start_on == since


def test_after_an_alert_was_closed_a_payment_since_then_is_needed() -> None:
    old, closed_at = one(2000, TODAY), NOON + timedelta(hours=1)
    assert above(old, closed_at=closed_at) is None
    for later in (
        one(1, TODAY, recorded_at=NOON + timedelta(hours=2)),
        one(1, TODAY, is_new=True),
    ):
        facts = above(old, later, closed_at=closed_at)
        assert facts is not None
        assert facts.total_minor == 2001


def test_what_ended_long_ago_is_not_looked_at() -> None:
    assert above(one(2000, date(2025, 3, 9)), ends_from=date(2025, 3, 10)) is None
    assert above(one(2000, date(2025, 3, 10)), ends_from=date(2025, 3, 10)) is not None


def test_an_alert_names_the_last_payments_and_adds_all() -> None:
    facts = above(*(one(10, TODAY, purchase_id=f"pur_{index}") for index in range(300)))
    assert facts is not None
    assert (facts.total_minor, len(facts.payments)) == (3000, 200)
    assert facts.payments[-1].purchase_id == "pur_299"


# Through the service.


async def test_more_than_the_limit_in_parts_raises_one_alert_with_the_facts(house: Any) -> None:
    client = await house.client()
    first = await pays(house, client, 6000, "2025-06-01")
    await pays(house, client, 4000, kind=EQUIVALENT)
    await pays(house, client, 9000, kind=pb.PAYMENT_KIND_CARD)
    assert await alerts(house) == []
    last = await pays(house, client, 0.01)
    (alert,) = await alerts(house)
    assert (alert.client_id, alert.store_id, alert.country) == (client.client_id, house.store_id, "US")
    assert (alert.limit, minor(alert.total)) == (money_of(1_000_000, "USD"), 1_000_001)
    assert (alert.start_date, alert.end_date) == (day("2025-03-10"), day("2026-03-10"))
    assert (alert.state, list(alert.linked_client_ids)) == (rec.CASH_ALERT_STATE_OPEN, [])
    assert [(one.purchase_id, one.kind) for one in alert.payments][::2] == [
        (first.purchase_id, CASH),
        (last.purchase_id, CASH),
    ]
    assert [one.amount.units for one in alert.payments] == [6000, 4000, 0]
    (said,) = await published(house.database, ev.CashAlertRaised, chain_id=house.chain_id)
    assert (said.cash_alert_id, said.client_id, said.store_id) == (
        alert.cash_alert_id,
        client.client_id,
        house.store_id,
    )


async def test_an_instalment_in_cash_is_watched(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 9000)
    bought = await pays(house, client, 1, kind=pb.PAYMENT_KIND_CARD)
    dear = await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client.client_id,
            store_id=house.store_id,
            purchase_date=day("2026-03-01"),
            lines=[pb.PurchaseLine(piece=pb.Piece(), quantity=1, amount=money_of(500_000, "USD"))],
        )
    )
    for amount, raised in ((1000, []), (500, [10_500])):
        payment = pb.Payment(kind=CASH, amount=money_of(amount * 100, "USD"))
        await house.records.RecordPayment(
            rec.RecordPaymentRequest(purchase_id=dear.purchase_id, payment=payment)
        )
        assert await totals(house) == raised
    assert bought.purchase_id not in {one.purchase_id for one in (await alerts(house))[0].payments}


async def test_exactly_the_limit_raises_none(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 10_000)
    assert await alerts(house) == []


async def test_an_equivalent_above_ten_thousand_does_not_count_in_the_united_states(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 10_000.01, kind=EQUIVALENT)
    await pays(house, client, 9000)
    assert await alerts(house) == []
    await pays(house, client, 1000.01, kind=EQUIVALENT)
    assert await totals(house) == [10_000]


async def test_months_pass_to_the_day(house: Any) -> None:
    near, far = await house.client(), await house.client()
    await move_to(house, "2028-02-29")
    await pays(house, near, 6000, "2027-02-28")
    await pays(house, far, 6000, "2027-02-27")
    await pays(house, near, 6000, "2028-02-29")
    await pays(house, far, 6000, "2028-02-29")
    assert [alert.client_id for alert in await alerts(house)] == [near.client_id]


async def test_while_an_alert_is_open_payments_go_into_it(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 11_000)
    for amount in (500, 25):
        await pays(house, client, amount)
    (alert,) = await alerts(house)
    assert (alert.total.units, len(alert.payments)) == (11_525, 3)
    assert len(await published(house.database, ev.CashAlertRaised, chain_id=house.chain_id)) == 1


async def test_twenty_payments_at_once_raise_one_alert_with_all_of_them(house: Any) -> None:
    client = await house.client()
    await asyncio.gather(*(pays(house, client, 1000) for _ in range(20)))
    (alert,) = await alerts(house)
    assert (alert.total.units, len(alert.payments)) == (20_000, 20)
    assert len(await published(house.database, ev.CashAlertRaised, chain_id=house.chain_id)) == 1


async def test_twenty_payments_at_once_of_two_linked_people_raise_one_alert(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    await relate(house, leo, ana)
    await asyncio.gather(*(pays(house, who, 1000) for _ in range(10) for who in (leo, ana)))
    (alert,) = await alerts(house)
    assert alert.total.units == 20_000
    assert {alert.client_id, *alert.linked_client_ids} == {leo.client_id, ana.client_id}


async def test_payments_of_linked_people_are_added(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    await relate(house, leo, ana)
    await pays(house, leo, 6000)
    assert await alerts(house) == []
    await pays(house, ana, 5000)
    (alert,) = await alerts(house)
    assert (alert.client_id, list(alert.linked_client_ids)) == (ana.client_id, [leo.client_id])
    await pays(house, leo, 100)
    assert await totals(house) == [11_100]


@pytest.mark.parametrize(
    ("kind", "is_added"),
    [
        (pb.RELATIONSHIP_KIND_PARTNER, True),
        (pb.RELATIONSHIP_KIND_CHILD, True),
        (pb.RELATIONSHIP_KIND_PARENT, True),
        (pb.RELATIONSHIP_KIND_SIBLING, True),
        (pb.RELATIONSHIP_KIND_OTHER, True),
        (pb.RELATIONSHIP_KIND_FRIEND, False),
        (pb.RELATIONSHIP_KIND_COLLEAGUE, False),
    ],
)
async def test_who_was_linked_afterwards_is_added_then(house: Any, kind: int, is_added: bool) -> None:
    leo, ana = await house.client(), await house.client()
    await pays(house, leo, 6000, "2026-03-01")
    await pays(house, ana, 5000)
    assert await alerts(house) == []
    await relate(house, leo, ana, kind)
    found = await alerts(house)
    assert [alert.client_id for alert in found] == ([ana.client_id] if is_added else [])


async def test_links_are_direct_ones_only(house: Any) -> None:
    grandmother, mother, child = [await house.client() for _ in range(3)]
    await relate(house, grandmother, mother, pb.RELATIONSHIP_KIND_CHILD)
    await relate(house, mother, child, pb.RELATIONSHIP_KIND_CHILD)
    await pays(house, grandmother, 6000)
    await pays(house, child, 5000)
    assert await alerts(house) == []
    await pays(house, mother, 1)
    (alert,) = await alerts(house)
    assert (alert.client_id, alert.total.units) == (mother.client_id, 11_001)
    assert list(alert.linked_client_ids) == sorted([grandmother.client_id, child.client_id])


async def test_after_an_alert_was_closed_a_new_payment_raises_a_new_one(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 11_000)
    (alert,) = await alerts(house)
    house.clock.set(NOON + timedelta(minutes=5))
    house.act_as(associate_id=house.ana)
    closed = await close(house, alert)
    assert (closed.state, closed.closed_by, closed.closing_note) == (
        rec.CASH_ALERT_STATE_CLOSED,
        house.ana,
        "Form filed.",
    )
    assert closed.close_time.ToDatetime(UTC) == NOON + timedelta(minutes=5)
    assert await alerts(house) == [closed]
    await pays(house, client, 9000, kind=pb.PAYMENT_KIND_CARD)
    assert await alerts(house) == [closed]
    await pays(house, client, 50)
    assert await totals(house) == [11_050, 11_000]
    assert await totals(house, state=rec.CASH_ALERT_STATE_OPEN) == [11_050]


async def test_a_closed_alert_stays_closed_when_its_people_are_linked_anew(house: Any) -> None:
    leo, ana, eve = [await house.client() for _ in range(3)]
    await relate(house, leo, ana)
    await pays(house, leo, 6000)
    await pays(house, ana, 5000)
    (alert,) = await alerts(house)
    await close(house, alert)
    await relate(house, leo, eve)
    assert await totals(house, state=rec.CASH_ALERT_STATE_OPEN) == []
    await pays(house, leo, 1)
    assert await totals(house, state=rec.CASH_ALERT_STATE_OPEN) == [11_001]


async def test_a_payment_that_has_aged_out_does_not_bring_the_total_above_again(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 11_000)
    (alert,) = await alerts(house)
    await close(house, alert)
    await move_to(house, "2027-03-11")
    await pays(house, client, 50, "2027-03-11")
    assert await totals(house) == [11_000]


async def test_only_payments_in_the_limits_currency_count(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 9000)
    await pays(house, client, 9000, currency="EUR")
    assert await alerts(house) == []


async def test_a_chains_own_limit_goes_before_the_built_in_one(house: Any) -> None:
    await house.stub.UpdateChainSettings(
        pb.UpdateChainSettingsRequest(
            settings=pb.ChainSettings(
                cash_limits=[pb.CashLimit(country="US", limit=money_of(300_000, "USD"))]
            ),
            etag="v0",
        )
    )
    client = await house.client()
    await pays(house, client, 3000)
    assert await alerts(house) == []
    await pays(house, client, 0.01)
    (alert,) = await alerts(house)
    assert alert.limit == money_of(300_000, "USD")


async def test_the_union_begins_to_count_on_its_day(house: Any) -> None:
    berlin = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Berlin", time_zone="Europe/Berlin", country="DE")
    )
    where = {"store_id": berlin.store_id, "currency": "EUR"}
    client = await house.client()
    await move_to(house, "2027-07-20")
    await pays(house, client, 9000, "2027-07-09", **where)
    await pays(house, client, 10_000, "2027-07-10", **where)
    assert await alerts(house) == []
    await pays(house, client, 0.01, "2027-07-20", **where)
    (alert,) = await alerts(house)
    assert (alert.country, minor(alert.total), alert.start_date) == ("DE", 1_000_001, day("2027-07-10"))


async def test_a_batch_of_an_import_is_watched_at_once(house: Any) -> None:
    clients = [await house.client() for _ in range(3)]
    bought = [await pays(house, one, 12_000, kind=pb.PAYMENT_KIND_OTHER) for one in clients]
    parts = [
        PaidPart(bought[0].purchase_id, 1, "cash", 1_000_001, TODAY),
        PaidPart(bought[1].purchase_id, 1, "cash", 1_000_000, TODAY),
        PaidPart(bought[2].purchase_id, 1, "card", 1_100_000, TODAY),
    ]
    async with house.database.transaction(house.chain_id) as tx:
        await add_payments(tx, parts, now=NOON)
        raised = await watch(tx, [one.client_id for one in clients], now=NOON)
    assert [alert.client_id for alert in raised] == [clients[0].client_id]
    assert await totals(house) == [10_000]
    async with house.database.transaction(house.chain_id) as tx:
        assert await watch(tx, [one.client_id for one in clients], now=NOON) == []
        assert await watch(tx, [], now=NOON) == []


async def merge(house: Any, surviving: pb.Client, merged: pb.Client) -> dup.Merge:
    return await house.duplicates.MergeClients(
        dup.MergeClientsRequest(surviving_client_id=surviving.client_id, merged_client_id=merged.client_id)
    )


async def test_payments_of_clients_who_are_made_one_are_added(house: Any) -> None:
    leo, leon = await house.client(), await house.client()
    await pays(house, leo, 6000)
    await pays(house, leon, 5000)
    await merge(house, leo, leon)
    (alert,) = await alerts(house, client_id=leon.client_id)
    assert (alert.client_id, alert.total.units) == (leo.client_id, 11_000)


async def test_two_alerts_of_clients_who_are_made_one_become_one_and_two_again(house: Any) -> None:
    leo, leon = await house.client(), await house.client()
    await pays(house, leo, 11_000)
    await pays(house, leon, 12_000)
    merged = await merge(house, leo, leon)
    still_open = {"state": rec.CASH_ALERT_STATE_OPEN}
    assert await totals(house, **still_open) == [23_000]
    assert len(await alerts(house)) == 1
    await house.duplicates.UndoMerge(dup.UndoMergeRequest(merge_id=merged.merge_id))
    assert await totals(house, client_id=leo.client_id, **still_open) == [11_000]
    assert await totals(house, client_id=leon.client_id, **still_open) == [12_000]


async def test_a_refused_purchase_raises_nothing(house: Any) -> None:
    client = await house.client()
    await refusal(pays(house, client, 11_000, "2026-03-11"))
    assert await alerts(house) == []
    assert not await published(house.database, ev.CashAlertRaised, chain_id=house.chain_id)


async def test_an_alert_is_closed_once_and_with_a_note(house: Any) -> None:
    await pays(house, await house.client(), 11_000)
    (alert,) = await alerts(house)
    error = await refusal(close(house, alert, note="  "))
    assert (error.kind, error.violations[0].field) == (Kind.INVALID, "note")
    error = await refusal(close(house, alert, note=""))
    assert (error.kind, error.violations[0].field) == (Kind.INVALID, "note")

    async def attempt() -> str:
        try:
            await close(house, alert)
        except ServiceError as refused:
            return refused.reason
        return ""

    answers = await asyncio.gather(*(attempt() for _ in range(20)))
    assert sorted(answers) == ["", *["CASH_ALERT_CLOSED"] * 19]


async def test_a_manager_sees_and_closes_those_of_own_stores(house: Any) -> None:
    second = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Madison", time_zone="America/New_York", country="US")
    )
    await pays(house, await house.client(), 11_000)
    await pays(house, await house.client(), 12_000, store_id=second.store_id)
    (of_second,) = await alerts(house, store_id=second.store_id)
    house.act_as(stores=frozenset({house.store_id}))
    assert await totals(house) == [11_000]
    for call in (alerts(house, store_id=second.store_id), close(house, of_second)):
        assert (await refusal(call)).reason == "STORE_NOT_YOURS"


async def test_alerts_are_listed_by_client_and_page_and_who_looked_is_written_down(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    await pays(house, leo, 11_000)
    await pays(house, ana, 12_000)
    assert await totals(house, client_id=leo.client_id) == [11_000]
    page = await house.records.ListCashAlerts(rec.ListCashAlertsRequest(page_size=1))
    rest = await house.records.ListCashAlerts(
        rec.ListCashAlertsRequest(page_size=1, page_token=page.next_page_token)
    )
    assert [one.total.units for one in (*page.cash_alerts, *rest.cash_alerts)] == [12_000, 11_000]
    assert not rest.next_page_token
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute("select client_ids from audit_entries where action = 'ListCashAlerts'")
    assert sorted(map(tuple, found.scalars())) == sorted(
        [(leo.client_id,), (ana.client_id,), (leo.client_id,)]
    )


async def test_another_chains_alert_is_not_found(house: Any, other_house: Any) -> None:
    house.act_as()
    await pays(house, await house.client(), 11_000)
    (alert,) = await alerts(house)
    other_house.act_as()
    assert await alerts(other_house) == []
    error = await refusal(close(other_house, alert))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "CASH_ALERT_NOT_FOUND")


async def test_the_watch_reads_no_purchases_without_cash(house: Any) -> None:
    client = await house.client()
    await pays(house, client, 10, kind=pb.PAYMENT_KIND_CARD)
    await pays(house, client, 20)
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute("select last_cash_on from purchases order by total_minor")
    assert list(found.scalars()) == [None, TODAY]
