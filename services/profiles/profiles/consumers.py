"""What this service hears: the other services' facts about clients become lines of their timelines.

Must decide nothing: a line says what happened there, in words without anybody's data but the client's own.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from carnet.appointments.v1 import events_pb2 as appointments
from carnet.messaging.v1 import events_pb2 as messaging
from carnet.messaging.v1 import messaging_pb2
from carnet.waitlist.v1 import events_pb2 as waitlist
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.consumer import Delivery, Handler, Handlers
from chassis.values import datetime_of
from profiles.domain.timeline import TimelineKind, said_time
from profiles.store import directory as directory_store
from profiles.use_cases.timeline import note

_NO_LONGER = {
    messaging_pb2.PURPOSE_CONVERSATIONAL: "Wants no more personal messages",
    messaging_pb2.PURPOSE_SERVICE: "Wants no more service news",
    messaging_pb2.PURPOSE_MARKETING: "Wants no more offers",
}


async def on_message_received(delivery: Delivery[messaging.MessageReceived]) -> None:
    """The client wrote."""
    event = delivery.event
    await _note_message(delivery, "Wrote to the store", event.client_id, event.message_id, event.receive_time)


async def on_message_sent(delivery: Delivery[messaging.MessageSent]) -> None:
    """The store wrote."""
    event = delivery.event
    await _note_message(delivery, "The store wrote", event.client_id, event.message_id, event.send_time)


async def on_message_failed(delivery: Delivery[messaging.MessageFailed]) -> None:
    """A text will not arrive."""
    event = delivery.event
    await _note_message(delivery, "A message did not arrive", event.client_id, event.message_id, None)


async def on_permission_revoked(delivery: Delivery[messaging.PermissionRevoked]) -> None:
    """A number may no longer be written to: everybody who uses it falls silent."""
    event = delivery.event
    async with delivery.transaction() as tx:
        await note(
            tx,
            event.client_ids,
            TimelineKind.CONSENT,
            summary=_NO_LONGER.get(event.purpose, "Wants no more messages"),
            subject_id=event.entry_id,
            occurred_at=delivery.envelope.time,
        )


async def _note_message(
    delivery: Delivery[Any], summary: str, client_id: str, message_id: str, moment: Timestamp | None
) -> None:
    if not client_id:  # a number that nobody has
        delivery.ignore()
        return
    async with delivery.transaction() as tx:
        await note(
            tx,
            [client_id],
            TimelineKind.MESSAGE,
            summary=summary,
            subject_id=message_id,
            occurred_at=_moment(moment, delivery),
        )


def _moment(given: Timestamp | None, delivery: Delivery[Any]) -> datetime:
    return datetime_of(given) if given is not None and given.seconds else delivery.envelope.time


def on_interest(summary: str) -> Callable[[Delivery[Any]], Awaitable[None]]:
    """Return the handler of an event about an interest."""

    async def handle(delivery: Delivery[Any]) -> None:
        async with delivery.transaction() as tx:
            await note(
                tx,
                [delivery.event.client_id],
                TimelineKind.WAITLIST,
                summary=summary,
                subject_id=delivery.event.interest_id,
                occurred_at=delivery.envelope.time,
            )

    return handle


def on_offer(summary: str) -> Callable[[Delivery[Any]], Awaitable[None]]:
    """Return the handler of an event about an offer; `summary` has the reference in `{}`."""

    async def handle(delivery: Delivery[Any]) -> None:
        offer: waitlist.OfferFact = delivery.event.offer
        async with delivery.transaction() as tx:
            await note(
                tx,
                [offer.client_id],
                TimelineKind.WAITLIST,
                summary=summary.format(offer.reference_code or "a piece"),
                subject_id=offer.offer_id,
                occurred_at=delivery.envelope.time,
            )

    return handle


def on_appointment(summary: str) -> Callable[[Delivery[Any]], Awaitable[None]]:
    """Return the handler of an event about an appointment; `summary` has its time at the store in `{}`."""

    async def handle(delivery: Delivery[Any]) -> None:
        appointment: appointments.AppointmentFact = delivery.event.appointment
        async with delivery.transaction() as tx:
            zone = await directory_store.find_time_zone(tx, appointment.store_id) or "UTC"
            await note(
                tx,
                [appointment.client_id],
                TimelineKind.APPOINTMENT,
                summary=summary.format(said_time(datetime_of(appointment.start_time), zone)),
                subject_id=appointment.appointment_id,
                occurred_at=delivery.envelope.time,
            )

    return handle


_HANDLERS: dict[type[Message], Handler] = {
    messaging.MessageReceived: on_message_received,
    messaging.MessageSent: on_message_sent,
    messaging.MessageFailed: on_message_failed,
    messaging.PermissionRevoked: on_permission_revoked,
    waitlist.InterestRegistered: on_interest("Registered interest in a piece"),
    waitlist.InterestWithdrawn: on_interest("Is no longer interested in a piece"),
    waitlist.OfferMade: on_offer("Was offered {}"),
    waitlist.OfferAccepted: on_offer("Accepted {}"),
    waitlist.OfferDeclined: on_offer("Declined {}"),
    waitlist.OfferExpired: on_offer("Did not answer the offer of {} in time"),
    waitlist.PieceSold: on_offer("Took {} home"),
    appointments.AppointmentBooked: on_appointment("Booked a viewing on {}"),
    appointments.AppointmentMoved: on_appointment("Moved the viewing to {}"),
    appointments.AppointmentCancelled: on_appointment("Called off the viewing on {}"),
    appointments.AppointmentAttended: on_appointment("Came to the viewing on {}"),
    appointments.AppointmentMissed: on_appointment("Missed the viewing on {}"),
}


def timeline_handlers() -> Handlers:
    """Return the handler of each event that belongs on a timeline."""
    return _HANDLERS
