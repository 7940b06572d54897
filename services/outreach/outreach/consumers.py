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
from outreach import credit_rows
from outreach.config import Settings
from outreach.store import catalogue, chains, facts
from outreach.store.facts import ClientRow, OccasionRow, PurchaseRow, ReturnRow, VisitRow
from outreach.use_cases import facts as use_cases
from outreach.use_cases import identities, outcomes

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

    async def on_store_created(delivery: Delivery[profiles_events.StoreCreated]) -> None:
        async with delivery.transaction() as tx:
            await catalogue.put_store(tx, delivery.event.store_id)
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
            await facts.note_event(tx, delivery.envelope.time)

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
            await facts.note_event(tx, delivery.envelope.time)

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
            await facts.note_event(tx, delivery.envelope.time)

    async def on_return_recorded(delivery: Delivery[profiles_events.ReturnRecorded]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.take_return(tx, return_row(delivery.event), now=clock.now())
            await outcomes.take_return(tx, delivery.event.purchase_id, now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

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
            await facts.note_event(tx, delivery.envelope.time)

    async def on_visit_recorded(delivery: Delivery[profiles_events.VisitRecorded]) -> None:
        async with delivery.transaction() as tx:
            await use_cases.take_visit(tx, visit_row(delivery.event), now=clock.now())
            await outcomes.take_outcomes(tx, [credit_rows.visit_of(delivery.event)], now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

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
            await outcomes.take_text(tx, credit_rows.text_of(event), now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    async def on_message_received(delivery: Delivery[messaging_events.MessageReceived]) -> None:
        event = delivery.event
        if not event.client_id:
            delivery.ignore()
            return
        async with delivery.transaction() as tx:
            received_at = datetime_of(event.receive_time)
            await facts.note_contact(tx, event.client_id, received_at=received_at, now=clock.now())
            await outcomes.take_outcomes(tx, [credit_rows.reply_of(event)], now=clock.now())
            await facts.note_event(tx, delivery.envelope.time)

    return {
        profiles_events.ChainCreated: on_chain_created,
        profiles_events.StoreCreated: on_store_created,
        profiles_events.AssociateCreated: on_associate_created,
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
        recipient_client_id=fact.recipient_client_id,
        surprise_for_client_id=fact.surprise_for_client_id,
        surprise_ends_on=_last_day(fact),
    )


def visit_row(event: profiles_events.VisitRecorded) -> VisitRow:
    """Return a visit as the tables hold one."""
    return VisitRow(
        visit_id=event.visit_id,
        client_id=event.client_id,
        visited_at=datetime_of(event.visit_time),
        surprise_for_client_id=event.surprise_for_client_id,
        surprise_ends_on=_last_day(event),
    )


def return_row(event: profiles_events.ReturnRecorded) -> ReturnRow:
    """Return what came back as the tables hold it."""
    return ReturnRow(
        return_id=event.return_id,
        purchase_id=event.purchase_id,
        client_id=event.client_id,
        returned_on=date_of(event.return_date, "return_date"),
        total_minor=event.total_minor,
        currency=event.currency_code,
    )


def _last_day(fact: profiles_events.PurchaseFact | profiles_events.VisitRecorded) -> date | None:
    """Return the last day of a surprise, None for one that ends when somebody says so."""
    if not fact.HasField("surprise_end_date"):
        return None
    return date_of(fact.surprise_end_date, "surprise_end_date")


def _occasions(occasions: Sequence[profiles_events.OccasionFact]) -> tuple[OccasionRow, ...]:
    """Return the days that matter; one that never comes, such as 31 April, is left out."""
    return tuple(
        (
            occasion.kind,
            occasion.date.year,
            occasion.date.month,
            occasion.date.day,
            occasion.recurrence,
            occasion.lead_days if occasion.HasField("lead_days") else -1,
            occasion.relationship_kind,
            occasion.surprise_for_client_id,
        )
        for occasion in sorted(occasions, key=lambda occasion: occasion.occasion_id)
        if _returns(occasion.date)
    )


def _returns(day: Date) -> bool:
    try:
        date(_LEAP_YEAR, day.month, day.day)
    except ValueError:
        return False
    return True
