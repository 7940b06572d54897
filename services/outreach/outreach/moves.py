"""Handlers of what moves: repairs, wishes, appointments, waitlists. Must only translate, as `consumers` does."""

from carnet.appointments.v1 import events_pb2 as appointments_events
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.waitlist.v1 import events_pb2 as waitlist_events

from chassis.clock import Clock
from chassis.consumer import Delivery, Handlers
from outreach import credit_rows
from outreach.event_sets import note
from outreach.fact_rows import appointment_move, offer_move, repair_move, wish_row
from outreach.store.happenings import Interest, Wish
from outreach.use_cases import facts as use_cases
from outreach.use_cases import outcomes

_APPOINTMENTS = {
    appointments_events.AppointmentBooked: "booked",
    appointments_events.AppointmentMoved: "moved",
    appointments_events.AppointmentCancelled: "cancelled",
    appointments_events.AppointmentAttended: "attended",
    appointments_events.AppointmentMissed: "missed",
}
_OFFERS = {
    waitlist_events.OfferMade: "made",
    waitlist_events.OfferAccepted: "accepted",
    waitlist_events.OfferDeclined: "declined",
    waitlist_events.OfferExpired: "expired",
    waitlist_events.PieceSold: "sold",
}


def move_handlers(clock: Clock) -> Handlers:
    """Return the table of events and what is done with each."""

    async def on_repair_moved(delivery: Delivery[profiles_events.RepairMoved]) -> None:
        move = repair_move(delivery.event, moved_at=delivery.envelope.time)
        async with delivery.transaction() as tx:
            await use_cases.take_repair_move(tx, move, now=clock.now())
            await note(tx, delivery)

    async def on_wish(
        delivery: Delivery[profiles_events.WishAdded | profiles_events.WishChanged],
    ) -> None:
        async with delivery.transaction() as tx:
            await use_cases.take_wish(tx, wish_row(delivery.event.wish), now=clock.now())
            await note(tx, delivery)

    async def on_wish_removed(delivery: Delivery[profiles_events.WishRemoved]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            wish = Wish(wish_id=event.wish_id, client_id=event.client_id, version=0, state=0)
            await use_cases.take_wish(tx, wish, is_removed=True, now=clock.now())
            await note(tx, delivery)

    async def on_appointment(
        delivery: Delivery[
            appointments_events.AppointmentBooked
            | appointments_events.AppointmentMoved
            | appointments_events.AppointmentCancelled
            | appointments_events.AppointmentAttended
            | appointments_events.AppointmentMissed
        ],
    ) -> None:
        event = delivery.event
        fact, state = event.appointment, _APPOINTMENTS[type(event)]
        if not fact.client_id:
            delivery.ignore()
            return
        async with delivery.transaction() as tx:
            move = appointment_move(fact, state, said_at=delivery.envelope.time)
            await use_cases.take_appointment_move(tx, move, now=clock.now())
            if state == "booked":
                booked = credit_rows.appointment_of(
                    appointment_id=fact.appointment_id,
                    client_id=fact.client_id,
                    store_id=fact.store_id,
                    booked_at=delivery.envelope.time,
                )
                await outcomes.take_outcomes(tx, [booked], now=clock.now())
            await note(tx, delivery)

    async def on_interest(
        delivery: Delivery[waitlist_events.InterestRegistered | waitlist_events.InterestWithdrawn],
    ) -> None:
        event, said_at = delivery.event, delivery.envelope.time
        begins = isinstance(event, waitlist_events.InterestRegistered)
        interest = Interest(
            interest_id=event.interest_id,
            client_id=event.client_id,
            reference_id=event.reference_id,
            brand_id=event.brand_id,
            store_id=event.store_id,
            registered_at=said_at if begins else None,
            withdrawn_at=None if begins else said_at,
        )
        async with delivery.transaction() as tx:
            await use_cases.take_interest(tx, interest, now=clock.now())
            await note(tx, delivery)

    async def on_allocation_received(delivery: Delivery[waitlist_events.AllocationReceived]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await use_cases.take_allocation(
                tx,
                allocation_id=event.allocation_id,
                reference_id=event.reference_id,
                brand_id=event.brand_id,
                store_id=event.store_id,
                received_at=delivery.envelope.time,
                now=clock.now(),
            )
            await note(tx, delivery)

    async def on_offer(
        delivery: Delivery[
            waitlist_events.OfferMade
            | waitlist_events.OfferAccepted
            | waitlist_events.OfferDeclined
            | waitlist_events.OfferExpired
            | waitlist_events.PieceSold
        ],
    ) -> None:
        event = delivery.event
        if not event.offer.client_id:
            delivery.ignore()
            return
        async with delivery.transaction() as tx:
            move = offer_move(event.offer, _OFFERS[type(event)], said_at=delivery.envelope.time)
            await use_cases.take_offer_move(tx, move, now=clock.now())
            await note(tx, delivery)

    return {
        profiles_events.RepairMoved: on_repair_moved,
        profiles_events.WishAdded: on_wish,
        profiles_events.WishChanged: on_wish,
        profiles_events.WishRemoved: on_wish_removed,
        **dict.fromkeys(_APPOINTMENTS, on_appointment),
        waitlist_events.InterestRegistered: on_interest,
        waitlist_events.InterestWithdrawn: on_interest,
        waitlist_events.AllocationReceived: on_allocation_received,
        **dict.fromkeys(_OFFERS, on_offer),
    }
