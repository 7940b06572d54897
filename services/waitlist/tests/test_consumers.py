"""Purchases become standings: each counted once, whatever order and however often the events come."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from carnet.profiles.v1 import events_pb2 as profiles
from google.type.date_pb2 import Date

from chassis.broker import Broker
from chassis.clock import SystemClock
from chassis.consumer import Consumer
from chassis.contracts import event_type_of
from chassis.database import Database
from chassis.events import wrap
from chassis.service import Service
from chassis.testing import NOON, eventually, running, settings_for
from chassis.testing_contract import assert_heard
from waitlist.bootstrap import VERSIONS, build
from waitlist.config import Settings
from waitlist.consumers import subscriptions
from waitlist.store import standings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
numbers = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(make_database, servers, keys) -> AsyncIterator[Service]:
    database = await make_database("waitlist", VERSIONS)
    built = build(settings_for(Settings, "waitlist", database=database, servers=servers, keys=keys))
    async with running(built):
        yield built


@pytest.fixture
def consumer(service) -> Consumer:
    [one] = service.consumers
    return one


def purchase(client_id: str, total: int, day: int = 1, currency: str = "USD") -> profiles.PurchaseFact:
    """Return a purchase in March 2026."""
    return profiles.PurchaseFact(
        purchase_id=f"pur_{next(numbers)}",
        client_id=client_id,
        purchase_date=Date(year=2026, month=3, day=day),
        total_minor=total,
        currency_code=currency,
    )


def envelope_of(event):
    """Wrap an event as profiles would."""
    return wrap(event, source="profiles", chain_id="chn_one", entity_id="x", now=NOON)


async def standing_of(database: Database, client_id: str):
    """Return (currency, purchases, total, last day of March) a currency."""
    async with database.transaction("chn_one") as tx:
        found = await standings.find_of_client(tx, client_id)
    return [
        (
            one.currency,
            one.purchase_count,
            one.total_minor,
            one.last_purchase_day and one.last_purchase_day.day,
        )
        for one in found
    ]


async def test_purchases_add_up_and_the_last_day_is_the_latest_in_any_order(service, consumer) -> None:
    for day in (9, 20, 4):
        await consumer.handle(envelope_of(profiles.PurchaseRecorded(purchase=purchase("cli_sum", 100, day))))
    assert await standing_of(service.foundation.database, "cli_sum") == [("USD", 3, 300, 20)]


async def test_an_event_that_comes_twice_counts_once(service, consumer) -> None:
    envelope = envelope_of(profiles.PurchaseRecorded(purchase=purchase("cli_twice", 100)))
    outcomes = await asyncio.gather(*(consumer.handle(envelope) for _ in range(10)))
    assert sorted(outcomes) == ["duplicate"] * 9 + ["handled"]
    assert await standing_of(service.foundation.database, "cli_twice") == [("USD", 1, 100, 1)]


async def test_a_batch_is_summed_per_client_and_currency(service, consumer) -> None:
    batch = profiles.ImportBatchLanded(
        purchases=[
            purchase("cli_many", 100, 2),
            purchase("cli_other", 7, 3),
            purchase("cli_many", 50, 5),
            purchase("cli_many", 900, 4, "EUR"),
        ]
    )
    envelope = envelope_of(batch)
    assert await consumer.handle(envelope) == "handled"
    assert await consumer.handle(envelope) == "duplicate"
    database = service.foundation.database
    assert await standing_of(database, "cli_many") == [("EUR", 1, 900, 4), ("USD", 2, 150, 5)]
    assert await standing_of(database, "cli_other") == [("USD", 1, 7, 3)]


async def test_a_return_lowers_the_total_and_is_no_purchase(service, consumer) -> None:
    batch = profiles.ImportBatchLanded(purchases=[purchase("cli_ret", 100, 2), purchase("cli_ret", -40, 9)])
    await consumer.handle(envelope_of(batch))
    only = profiles.PurchaseRecorded(purchase=purchase("cli_only_return", -40, 9))
    await consumer.handle(envelope_of(only))
    database = service.foundation.database
    assert await standing_of(database, "cli_ret") == [("USD", 1, 60, 2)]
    assert await standing_of(database, "cli_only_return") == [("USD", 0, -40, None)]


async def test_a_batch_without_purchases_changes_nothing(consumer) -> None:
    assert await consumer.handle(envelope_of(profiles.ImportBatchLanded(import_id="imp_1"))) == "handled"


async def test_batches_with_the_same_clients_in_opposite_order_do_not_deadlock(service, consumer) -> None:
    clients = [f"cli_cross_{number}" for number in range(100)]

    def batch(order: list[str]) -> profiles.ImportBatchLanded:
        return profiles.ImportBatchLanded(purchases=[purchase(client_id, 1) for client_id in order])

    batches = [batch(clients if number % 2 else clients[::-1]) for number in range(20)]
    outcomes = await asyncio.gather(*(consumer.handle(envelope_of(one)) for one in batches))
    assert set(outcomes) == {"handled"}
    assert await standing_of(service.foundation.database, "cli_cross_7") == [("USD", 20, 20, 1)]


async def test_an_event_on_the_stream_of_profiles_arrives(service, servers) -> None:
    producer = Broker(servers.nats_url("profiles"), client_name="profiles")
    await producer.start()
    try:
        await producer.declare_stream("PROFILES")
        envelope = envelope_of(profiles.PurchaseRecorded(purchase=purchase("cli_stream", 5)))
        jetstream = await producer.jetstream()
        await jetstream.publish(envelope.subject, envelope.body, headers=dict(envelope.headers))
        await eventually(lambda: standing_of(service.foundation.database, "cli_stream"))
    finally:
        await producer.stop()


def test_every_consumed_event_has_a_handler_with_its_type() -> None:
    [subscription] = subscriptions(SystemClock())
    unheard = {
        profiles.ChainCreated,  # a chain that has no policy yet has the default one
        profiles.StoreCreated,
        profiles.AssociateCreated,
        profiles.AssociateChanged,
        profiles.ClientCreated,  # ranking knows of a client what was bought and waited for, nothing else
        profiles.ClientChanged,
        profiles.ClientAssigned,
        profiles.BookReassigned,
        profiles.ClientDeleted,  # created by mistake: whoever registered an interest for it withdraws it
        profiles.VisitRecorded,
        profiles.ReturnRecorded,  # ranking counts purchases, not money; who brought a piece back has been here
        profiles.RepairMoved,
        profiles.WishAdded,  # a wish is no registration of interest: the wording was not shown
        profiles.WishChanged,
        profiles.WishRemoved,
        profiles.CashAlertRaised,
        profiles.ConsentCaptured,
        profiles.ImportCompleted,
    }
    assert_heard(subscription.handlers, ["carnet.profiles.v1"], unheard=unheard)
    assert [event_type_of(kind) for kind in subscription.handlers if event_type_of(kind) not in README] == []
