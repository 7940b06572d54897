"""What outreach listens to: one handler an event. Must only translate; effects are in `use_cases.facts`."""

from typing import Any

from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.messaging.v1 import messaging_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events

from chassis.clock import Clock
from chassis.consumer import Delivery, Handler, Handlers
from chassis.values import datetime_of
from outreach import credit_rows
from outreach.config import Settings
from outreach.event_sets import note
from outreach.fact_rows import client_row, purchase_row, return_row, visit_row
from outreach.moves import move_handlers
from outreach.store import catalogue, chains, recipients
from outreach.store.happenings import PEOPLE
from outreach.use_cases import attention, identities, outcomes
from outreach.use_cases import facts as use_cases


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
            await note(tx, delivery)

    async def on_store_created(delivery: Delivery[profiles_events.StoreCreated]) -> None:
        async with delivery.transaction() as tx:
            await catalogue.put_store(tx, delivery.event.store_id)
            await note(tx, delivery)

    async def on_associate_created(delivery: Delivery[profiles_events.AssociateCreated]) -> None:
        async with delivery.transaction() as tx:
            await chains.put_associate(tx, delivery.event.associate_id, delivery.event.store_id)
            await note(tx, delivery)

    async def on_associate_changed(delivery: Delivery[profiles_events.AssociateChanged]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await chains.put_associate_state(
                tx, event.associate_id, event.store_id, is_active=event.is_active, version=event.version
            )
            await note(tx, delivery)

    async def on_client(
        delivery: Delivery[
            profiles_events.ClientCreated | profiles_events.ClientChanged | profiles_events.ClientAssigned
        ],
    ) -> None:
        async with delivery.transaction() as tx:
            await use_cases.take_client(tx, client_row(delivery.event.client), now=clock.now())
            await note(tx, delivery)

    async def on_book_reassigned(delivery: Delivery[profiles_events.BookReassigned]) -> None:
        clients = [client_row(client) for client in delivery.event.clients]
        async with delivery.transaction() as tx:
            await use_cases.take_book(tx, clients, now=clock.now())
            await note(tx, delivery)

    async def on_client_deleted(delivery: Delivery[profiles_events.ClientDeleted]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.drop_client(tx, delivery.event.client_id, now=clock.now())
            await note(tx, delivery)

    async def on_client_merged(delivery: Delivery[profiles_events.ClientMerged]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await identities.merge_clients(
                tx,
                event.merge_id,
                survivor=client_row(event.client),
                merged_id=event.merged_client_id,
                now=clock.now(),
            )
            await note(tx, delivery)

    async def on_client_unmerged(delivery: Delivery[profiles_events.ClientUnmerged]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await identities.unmerge_clients(
                tx,
                event.merge_id,
                survivor=client_row(event.client),
                restored=client_row(event.restored),
                now=clock.now(),
            )
            await note(tx, delivery)

    async def on_client_erased(delivery: Delivery[profiles_events.ClientErased]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await identities.forget_client(
                tx,
                erasure_id=event.erasure_id,
                client_id=event.client_id,
                former_client_ids=event.former_client_ids,
                now=clock.now(),
            )
            await note(tx, delivery)

    async def on_return_recorded(delivery: Delivery[profiles_events.ReturnRecorded]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.take_return(tx, return_row(delivery.event), now=clock.now())
            await outcomes.take_return(tx, delivery.event.purchase_id, now=clock.now())
            await note(tx, delivery)

    async def on_purchase_recorded(delivery: Delivery[profiles_events.PurchaseRecorded]) -> None:
        async with delivery.transaction() as tx:
            row = purchase_row(delivery.event.purchase)
            await use_cases.take_purchase(tx, row, now=clock.now())
            await outcomes.take_purchases(
                tx,
                [credit_rows.bought(delivery.event.purchase)],
                told_at=delivery.envelope.time,
                now=clock.now(),
            )
            await note(tx, delivery)

    async def on_visit_recorded(delivery: Delivery[profiles_events.VisitRecorded]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.take_visit(tx, visit_row(delivery.event), now=clock.now())
            await outcomes.take_outcomes(tx, [credit_rows.visit_of(delivery.event)], now=clock.now())
            await note(tx, delivery)

    async def on_import_batch_landed(delivery: Delivery[profiles_events.ImportBatchLanded]) -> None:
        clients = [client_row(client) for client in delivery.event.clients]
        purchases = [purchase_row(purchase) for purchase in delivery.event.purchases]
        async with delivery.transaction() as tx:
            await use_cases.take_batch(tx, clients, purchases, now=clock.now())
            await outcomes.take_purchases(
                tx,
                [credit_rows.bought(purchase) for purchase in delivery.event.purchases],
                told_at=delivery.envelope.time,
                now=clock.now(),
            )
            await note(tx, delivery)

    async def on_import_completed(delivery: Delivery[profiles_events.ImportCompleted]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.finish_import(tx, now=clock.now())
            await note(tx, delivery)

    async def on_message_sent(delivery: Delivery[messaging_events.MessageSent]) -> None:
        event = delivery.event
        if not event.client_id:
            delivery.ignore()
            return
        is_marketing = event.purpose == messaging_pb2.PURPOSE_MARKETING
        async with delivery.transaction() as tx:
            await use_cases.take_message(
                tx,
                event.message_id,
                event.client_id,
                kind="marketing" if is_marketing else "sent",
                contacted_at=datetime_of(event.send_time),
                is_by_person=not event.author or event.author.startswith(PEOPLE),
                now=clock.now(),
            )
            await outcomes.take_text(tx, credit_rows.text_of(event), now=clock.now())
            await note(tx, delivery)

    async def on_message_received(delivery: Delivery[messaging_events.MessageReceived]) -> None:
        event = delivery.event
        if not event.client_id:
            delivery.ignore()
            return
        async with delivery.transaction() as tx:
            await use_cases.take_message(
                tx,
                event.message_id,
                event.client_id,
                kind="received",
                contacted_at=datetime_of(event.receive_time),
                now=clock.now(),
            )
            await outcomes.take_outcomes(tx, [credit_rows.reply_of(event)], now=clock.now())
            await note(tx, delivery)

    async def on_message_failed(delivery: Delivery[messaging_events.MessageFailed]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await recipients.note_failure(tx, event.message_id, event.client_id, now=clock.now())

    table: Handlers = {
        profiles_events.ChainCreated: on_chain_created,
        profiles_events.StoreCreated: on_store_created,
        profiles_events.AssociateCreated: on_associate_created,
        profiles_events.AssociateChanged: on_associate_changed,
        profiles_events.ClientCreated: on_client,
        profiles_events.ClientChanged: on_client,
        profiles_events.ClientAssigned: on_client,
        profiles_events.BookReassigned: on_book_reassigned,
        profiles_events.ClientDeleted: on_client_deleted,
        profiles_events.ClientMerged: on_client_merged,
        profiles_events.ClientUnmerged: on_client_unmerged,
        profiles_events.ClientErased: on_client_erased,
        profiles_events.PurchaseRecorded: on_purchase_recorded,
        profiles_events.ReturnRecorded: on_return_recorded,
        profiles_events.VisitRecorded: on_visit_recorded,
        profiles_events.ImportBatchLanded: on_import_batch_landed,
        profiles_events.ImportCompleted: on_import_completed,
        messaging_events.MessageSent: on_message_sent,
        messaging_events.MessageReceived: on_message_received,
        messaging_events.MessageFailed: on_message_failed,
        **move_handlers(clock),
    }
    return {event: _knowing_when(handler) for event, handler in table.items()}


def _knowing_when(handler: Handler) -> Handler:
    """Return a handler that knows when its event was said, and with how many: what waits is looked at in sets."""

    async def handle(delivery: Delivery[Any]) -> None:
        said = attention.said_at.set(delivery.envelope.time)
        size = attention.set_size.set(delivery.set_size)
        try:
            await handler(delivery)
        finally:
            attention.said_at.reset(said)
            attention.set_size.reset(size)

    return handle
