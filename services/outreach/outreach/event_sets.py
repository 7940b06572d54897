"""Which events share a transaction when many wait, and what is done once for all of them. Must only translate."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from carnet.appointments.v1 import events_pb2 as appointments_events
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.waitlist.v1 import events_pb2 as waitlist_events
from google.protobuf.message import Message

from chassis.clock import Clock
from chassis.consumer import Delivery, Sets
from chassis.database import Transaction
from chassis.events import Envelope
from outreach.store import facts
from outreach.use_cases import facts as use_cases

# Few enough that nobody waits for long for a client of the set.
_MOST = 100


def _own(event: Any) -> str:
    return str(event.client_id)


# Events about one client each, and whose they are. Merges and what is about many clients stay alone.
_OF_CLIENTS: Mapping[type[Message], Callable[[Any], str]] = {
    **dict.fromkeys(
        (profiles_events.ClientCreated, profiles_events.ClientChanged, profiles_events.ClientAssigned),
        lambda event: _own(event.client),
    ),
    profiles_events.PurchaseRecorded: lambda event: _own(event.purchase),
    **dict.fromkeys(
        (
            profiles_events.ReturnRecorded,
            profiles_events.VisitRecorded,
            profiles_events.RepairMoved,
            profiles_events.WishRemoved,
            messaging_events.MessageSent,
            messaging_events.MessageReceived,
            waitlist_events.InterestRegistered,
            waitlist_events.InterestWithdrawn,
        ),
        _own,
    ),
    **dict.fromkeys((profiles_events.WishAdded, profiles_events.WishChanged), lambda event: _own(event.wish)),
    **dict.fromkeys(
        (
            appointments_events.AppointmentBooked,
            appointments_events.AppointmentMoved,
            appointments_events.AppointmentCancelled,
            appointments_events.AppointmentAttended,
            appointments_events.AppointmentMissed,
        ),
        lambda event: _own(event.appointment),
    ),
    **dict.fromkeys(
        (
            waitlist_events.OfferMade,
            waitlist_events.OfferAccepted,
            waitlist_events.OfferDeclined,
            waitlist_events.OfferExpired,
            waitlist_events.PieceSold,
        ),
        lambda event: _own(event.offer),
    ),
}


def sets(clock: Clock) -> Sets:
    """Return which events share a transaction."""

    async def begin(tx: Transaction, events: Sequence[tuple[Message, Envelope]]) -> None:
        client_ids = {_OF_CLIENTS[type(event)](event) for event, _ in events} - {""}
        await use_cases.hold_set(tx, client_ids, now=clock.now())

    async def end(tx: Transaction, events: Sequence[tuple[Message, Envelope]]) -> None:
        said_at = max(envelope.time for _, envelope in events)
        await use_cases.finish_set(tx, said_at=said_at, now=clock.now())

    return Sets(frozenset(_OF_CLIENTS), _MOST, begin=begin, end=end)


async def note(tx: Transaction, delivery: Delivery[Any]) -> None:
    """Note how far the events have come; a set does so once, at its end."""
    if delivery.set_size == 1:
        await facts.note_event(tx, delivery.envelope.time)
