"""What other services say becomes lines of timelines: once each, in the order in which it happened."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from carnet.appointments.v1 import events_pb2 as appointments
from carnet.messaging.v1 import events_pb2 as messaging
from carnet.messaging.v1 import messaging_pb2
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import profiles_pb2_grpc
from carnet.waitlist.v1 import events_pb2 as waitlist
from cryptography.fernet import Fernet
from google.protobuf.message import Message

from chassis.broker import Broker
from chassis.contracts import event_type_of, stream_of
from chassis.events import Envelope, wrap
from chassis.testing import (
    NOON,
    Keys,
    MakeDatabase,
    ServersUnderTest,
    SignIn,
    channel_to,
    eventually,
    running,
    settings_for,
)
from chassis.values import timestamp_of
from profiles.bootstrap import build
from profiles.config import Settings
from profiles.consumers import timeline_handlers
from profiles.migrations import VERSIONS


async def deliver(
    house: Any, event: Message, *, at: datetime = NOON, envelope: Envelope | None = None
) -> str:
    envelope = envelope or wrap(event, source="test", chain_id=house.chain_id, entity_id="", now=at)
    stream = stream_of(envelope.event_type)
    consumers = house.profiles.service.consumers
    (consumer,) = (one for one in consumers if (one.stream, one.durable) == (stream, "profiles-timeline"))
    # In a task of its own: the consumer acts as itself from there on, the test goes on as its caller.
    return str(await asyncio.create_task(consumer.handle(envelope)))


def said(client_id: str, store_id: str) -> list[tuple[Message, str]]:
    offer = waitlist.OfferFact(offer_id="off_1", client_id=client_id, reference_code="126610LN")
    fact = appointments.AppointmentFact(
        appointment_id="apt_1", client_id=client_id, store_id=store_id, start_time=timestamp_of(NOON)
    )
    when = "Tue 10 Mar 2026, 12:00"  # by the clock of the store
    return [
        (messaging.MessageReceived(message_id="msg_1", client_id=client_id), "Wrote to the store"),
        (messaging.MessageSent(message_id="msg_2", client_id=client_id), "The store wrote"),
        (messaging.MessageFailed(message_id="msg_2", client_id=client_id), "A message did not arrive"),
        (messaging.PermissionRevoked(entry_id="pen_1", client_ids=[client_id]), "Wants no more messages"),
        (messaging.PermissionRevoked(entry_id="pen_2", client_ids=["cli_x", client_id],
                                     purpose=messaging_pb2.PURPOSE_MARKETING), "Wants no more offers"),
        (waitlist.InterestRegistered(interest_id="int_1", client_id=client_id), "Registered interest in a piece"),
        (waitlist.InterestWithdrawn(interest_id="int_1", client_id=client_id), "Is no longer interested in a piece"),
        (waitlist.OfferMade(offer=offer), "Was offered 126610LN"),
        (waitlist.OfferAccepted(offer=offer), "Accepted 126610LN"),
        (waitlist.OfferDeclined(offer=offer), "Declined 126610LN"),
        (waitlist.OfferExpired(offer=offer), "Did not answer the offer of 126610LN in time"),
        (waitlist.PieceSold(offer=offer), "Took 126610LN home"),
        (appointments.AppointmentBooked(appointment=fact), f"Booked a viewing on {when}"),
        (appointments.AppointmentMoved(appointment=fact), f"Moved the viewing to {when}"),
        (appointments.AppointmentCancelled(appointment=fact), f"Called off the viewing on {when}"),
        (appointments.AppointmentAttended(appointment=fact), f"Came to the viewing on {when}"),
        (appointments.AppointmentMissed(appointment=fact), f"Missed the viewing on {when}"),
    ]  # fmt: skip


async def test_every_event_becomes_its_line(house: Any) -> None:
    client = await house.client()
    expected = said(client.client_id, house.store_id)
    assert {event_type_of(type(event)) for event, _ in expected} == set(
        map(event_type_of, timeline_handlers())
    )
    for number, (event, _) in enumerate(expected):
        await deliver(house, event, at=NOON + timedelta(minutes=number + 1))
    lines = await house.timeline(client.client_id)
    assert lines == [*[line for _, line in reversed(expected)], "Became a client of the house"]


async def test_an_event_that_comes_twice_is_one_line(house: Any) -> None:
    client = await house.client()
    event = messaging.MessageReceived(message_id="msg_1", client_id=client.client_id)
    envelope = wrap(event, source="messaging", chain_id=house.chain_id, entity_id="msg_1", now=NOON)
    assert await deliver(house, event, envelope=envelope) == "handled"
    assert await deliver(house, event, envelope=envelope) == "duplicate"
    assert (await house.timeline(client.client_id)).count("Wrote to the store") == 1


async def test_late_events_stand_where_they_happened(house: Any) -> None:
    client = await house.client()
    for minutes, kind in ((3, messaging.MessageReceived), (1, messaging.MessageSent)):
        moment = timestamp_of(NOON + timedelta(minutes=minutes))
        times = {"receive_time": moment} if kind is messaging.MessageReceived else {"send_time": moment}
        await deliver(
            house, kind(message_id="msg_1", client_id=client.client_id, **times), at=NOON + timedelta(hours=1)
        )
    assert await house.timeline(client.client_id) == [
        "Wrote to the store", "The store wrote", "Became a client of the house",
    ]  # fmt: skip


@pytest.mark.parametrize("client_id", ["", "cli_unknown"])
async def test_an_event_about_nobody_known_is_handled_and_leaves_nothing(house: Any, client_id: str) -> None:
    assert (
        await deliver(house, messaging.MessageReceived(message_id="msg_1", client_id=client_id)) == "handled"
    )
    async with house.database.transaction(house.chain_id) as tx:
        assert (await tx.execute("select count(*) from timeline_entries")).scalar_one() == 0


async def test_an_event_from_the_broker_arrives_on_the_timeline(
    make_database: MakeDatabase, servers: ServersUnderTest, keys: Keys, sign_in: SignIn
) -> None:
    """The whole service with everything on: outbox, relay, streams, consumers."""
    database = await make_database("profiles", VERSIONS)
    settings = settings_for(
        Settings, "profiles", database=database, servers=servers, keys=keys, suppression_key="k" * 32,
        outreach_address="127.0.0.1:1", messaging_address="127.0.0.1:1", waitlist_address="127.0.0.1:1",
        appointments_address="127.0.0.1:1", encryption_key=Fernet.generate_key().decode(),
    )  # fmt: skip
    messaging_side = Broker(servers.nats_url("messaging"), client_name="messaging")
    await messaging_side.start()
    await messaging_side.declare_stream("MESSAGING")
    sign_in("directory:write", "clients:write", "clients:read", chain_id="chn_live")
    async with running(build(settings)) as address, channel_to(address) as channel:
        stub = profiles_pb2_grpc.ProfilesServiceStub(channel)
        store = await stub.CreateStore(
            pb.CreateStoreRequest(display_name="Live", time_zone="Europe/Paris", country="FR")
        )
        client = await stub.CreateClient(
            pb.CreateClientRequest(home_store_id=store.store_id, given_name="Eve")
        )
        event = messaging.MessageReceived(message_id="msg_1", client_id=client.client_id)
        envelope = wrap(event, source="messaging", chain_id="chn_live", entity_id="msg_1", now=NOON)
        jetstream = await messaging_side.jetstream()
        await jetstream.publish(envelope.subject, envelope.body, headers=dict(envelope.headers))

        async def line_is_there() -> bool:
            found = await stub.ListTimeline(pb.ListTimelineRequest(client_id=client.client_id))
            return any(entry.summary == "Wrote to the store" for entry in found.entries)

        await eventually(line_is_there)
    await messaging_side.stop()


async def test_another_chains_client_gets_no_line(house: Any) -> None:
    client = await house.client()
    envelope = wrap(
        messaging.MessageReceived(message_id="msg_1", client_id=client.client_id),
        source="messaging", chain_id="chn_other", entity_id="", now=NOON,
    )  # fmt: skip
    await deliver(house, messaging.MessageReceived(), envelope=envelope)
    assert await house.timeline(client.client_id) == ["Became a client of the house"]
