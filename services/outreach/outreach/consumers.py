"""What outreach listens to: one handler an event. Must only translate; effects are in `use_cases.facts`."""

from collections.abc import Sequence
from datetime import date

from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.messaging.v1 import messaging_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from google.type.date_pb2 import Date

from chassis.clock import Clock
from chassis.consumer import Delivery, Handlers
from chassis.values import date_of, datetime_of
from outreach.config import Settings
from outreach.store import chains, facts
from outreach.store.facts import ClientRow, PurchaseRow
from outreach.use_cases import facts as use_cases

_LEAP_YEAR = 2000


def handlers(clock: Clock, settings: Settings) -> Handlers:
    """Return the table of events and what is done with each."""

    async def on_chain_created(delivery: Delivery[profiles_events.ChainCreated]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await use_cases.open_chain(
                tx,
                time_zone=event.time_zone,
                currency=event.currency_code,
                nightly_hour=settings.nightly_hour,
                now=clock.now(),
            )
            await facts.note_event(tx, delivery.envelope.time)

    async def on_associate_created(delivery: Delivery[profiles_events.AssociateCreated]) -> None:
        async with delivery.transaction() as tx:
            await chains.put_associate(tx, delivery.event.associate_id, delivery.event.store_id)
            await facts.note_event(tx, delivery.envelope.time)

    async def on_client(
        delivery: Delivery[
            profiles_events.ClientCreated | profiles_events.ClientChanged | profiles_events.ClientAssigned
        ],
    ) -> None:
        async with delivery.transaction() as tx:
            await use_cases.take_client(tx, client_row(delivery.event.client), now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    async def on_book_reassigned(delivery: Delivery[profiles_events.BookReassigned]) -> None:
        clients = [client_row(client) for client in delivery.event.clients]
        async with delivery.transaction() as tx:
            await use_cases.take_book(tx, clients, now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    async def on_client_deleted(delivery: Delivery[profiles_events.ClientDeleted]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.drop_client(tx, delivery.event.client_id, now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    async def on_purchase_recorded(delivery: Delivery[profiles_events.PurchaseRecorded]) -> None:
        async with delivery.transaction() as tx:
            row = purchase_row(delivery.event.purchase)
            await use_cases.take_purchase(tx, row, now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    async def on_visit_recorded(delivery: Delivery[profiles_events.VisitRecorded]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await use_cases.take_visit(
                tx,
                visit_id=event.visit_id,
                client_id=event.client_id,
                visited_at=datetime_of(event.visit_time),
                now=clock.now(),
            )
            await facts.note_event(tx, delivery.envelope.time)

    async def on_import_batch_landed(delivery: Delivery[profiles_events.ImportBatchLanded]) -> None:
        clients = [client_row(client) for client in delivery.event.clients]
        purchases = [purchase_row(purchase) for purchase in delivery.event.purchases]
        async with delivery.transaction() as tx:
            await use_cases.take_batch(tx, clients, purchases, now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    async def on_import_completed(delivery: Delivery[profiles_events.ImportCompleted]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.finish_import(tx, now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    async def on_message_sent(delivery: Delivery[messaging_events.MessageSent]) -> None:
        event = delivery.event
        if not event.client_id:
            delivery.ignore()
            return
        sent_at = datetime_of(event.send_time)
        is_marketing = event.purpose == messaging_pb2.PURPOSE_MARKETING
        async with delivery.transaction() as tx:
            await facts.note_contact(
                tx,
                event.client_id,
                sent_at=sent_at,
                marketing_at=sent_at if is_marketing else None,
                now=clock.now(),
            )
            await facts.note_event(tx, delivery.envelope.time)

    async def on_message_received(delivery: Delivery[messaging_events.MessageReceived]) -> None:
        event = delivery.event
        if not event.client_id:
            delivery.ignore()
            return
        async with delivery.transaction() as tx:
            received_at = datetime_of(event.receive_time)
            await facts.note_contact(tx, event.client_id, received_at=received_at, now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    return {
        profiles_events.ChainCreated: on_chain_created,
        profiles_events.AssociateCreated: on_associate_created,
        profiles_events.ClientCreated: on_client,
        profiles_events.ClientChanged: on_client,
        profiles_events.ClientAssigned: on_client,
        profiles_events.BookReassigned: on_book_reassigned,
        profiles_events.ClientDeleted: on_client_deleted,
        profiles_events.PurchaseRecorded: on_purchase_recorded,
        profiles_events.VisitRecorded: on_visit_recorded,
        profiles_events.ImportBatchLanded: on_import_batch_landed,
        profiles_events.ImportCompleted: on_import_completed,
        messaging_events.MessageSent: on_message_sent,
        messaging_events.MessageReceived: on_message_received,
    }


def client_row(fact: profiles_events.ClientFact) -> ClientRow:
    """Return a client as the tables hold one."""
    return ClientRow(
        client_id=fact.client_id,
        associate_id=fact.associate_id,
        store_id=fact.home_store_id,
        language=fact.language,
        time_zone=fact.time_zone,
        occasions=_occasions(fact.occasions),
        version=fact.version,
    )


def purchase_row(fact: profiles_events.PurchaseFact) -> PurchaseRow:
    """Return a purchase as the tables hold one. Raises INVALID for a day that no calendar has."""
    return PurchaseRow(
        purchase_id=fact.purchase_id,
        client_id=fact.client_id,
        purchase_day=date_of(fact.purchase_date, "purchase_date"),
        total_minor=fact.total_minor,
        currency=fact.currency_code,
    )


def _occasions(occasions: Sequence[profiles_events.OccasionFact]) -> tuple[tuple[int, int, int, int], ...]:
    """Return the days that return every year; one that never comes, such as 31 April, is left out."""
    return tuple(
        (occasion.kind, occasion.date.year, occasion.date.month, occasion.date.day)
        for occasion in sorted(occasions, key=lambda occasion: occasion.occasion_id)
        if _returns(occasion.date)
    )


def _returns(day: Date) -> bool:
    try:
        date(_LEAP_YEAR, day.month, day.day)
    except ValueError:
        return False
    return True
