"""Who left cannot be booked, however late and often the news comes."""

import asyncio
from datetime import datetime

from carnet.appointments.v1 import appointments_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles

from chassis.broker import Broker
from chassis.contracts import event_type_of
from chassis.events import Envelope, wrap
from chassis.testing import NOON, ServersUnderTest, eventually
from chassis.values import proto_date_of


def news(associate_id: str, *, is_active: bool, version: int) -> Envelope:
    """Return what profiles says of an associate, in its envelope."""
    event = profiles.AssociateChanged(associate_id=associate_id, is_active=is_active, version=version)
    return wrap(event, source="profiles", chain_id="chn_one", entity_id=associate_id, now=NOON)


async def hear(house, envelope: Envelope) -> str:
    """Handle an event in a task of its own, as the consumer's loop does: who is signed in here stays so."""
    return await asyncio.create_task(house.consumer.handle(envelope))


async def associate_of(house, store) -> str:
    """Return the associate behind a store's only such resource."""
    listed = await house.stub.ListResources(pb.ListResourcesRequest(store_id=store.store_id))
    return next(resource.associate_id for resource in listed.resources if resource.associate_id)


async def test_who_left_cannot_be_booked_until_she_is_back(house, two: datetime, refused) -> None:
    store = await house.store()
    associate = await associate_of(house, store)
    await hear(house, news(associate, is_active=False, version=2))
    assert await refused(house.book(store, two)) == "ASSOCIATE_LEFT"
    day = pb.ListFreeSlotsRequest(store_id=store.store_id, date=proto_date_of(NOON.date()))
    assert not (await house.stub.ListFreeSlots(day)).slots
    await hear(house, news(associate, is_active=True, version=3))
    assert (await house.stub.ListFreeSlots(day)).slots
    await house.book(store, two)


async def test_late_and_repeated_news_changes_nothing(house, two: datetime, refused) -> None:
    store = await house.store()
    associate = await associate_of(house, store)
    gone = news(associate, is_active=False, version=5)
    await hear(house, gone)
    await hear(house, news(associate, is_active=True, version=4))
    outcomes = await asyncio.gather(*(hear(house, gone) for _ in range(5)))
    assert set(outcomes) == {"duplicate"}
    assert await refused(house.book(store, two)) == "ASSOCIATE_LEFT"


async def test_the_news_travels_over_the_broker(
    house, two: datetime, refused, servers: ServersUnderTest
) -> None:
    store = await house.store()
    envelope = news(await associate_of(house, store), is_active=False, version=2)
    profiles_side = Broker(servers.nats_url("profiles"), client_name="test")
    await profiles_side.start()
    try:
        await profiles_side.declare_stream("PROFILES")
        jetstream = await profiles_side.jetstream()
        await jetstream.publish(
            f"{event_type_of(profiles.AssociateChanged)}.chn_one",
            envelope.body,
            headers=dict(envelope.headers),
        )

        async def nobody_is_free() -> bool:
            day = pb.ListFreeSlotsRequest(store_id=store.store_id, date=proto_date_of(NOON.date()))
            return not (await house.stub.ListFreeSlots(day)).slots

        await eventually(nobody_is_free)
    finally:
        await profiles_side.stop()
