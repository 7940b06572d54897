"""The appointments service, running on real servers for the tests of one module."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from carnet.appointments.v1 import appointments_pb2 as pb
from carnet.appointments.v1 import appointments_pb2_grpc
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profiles
from google.protobuf.message import Message

from appointments.bootstrap import VERSIONS, build
from appointments.config import Settings
from chassis.clock import FixedClock
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.events import wrap
from chassis.testing import (
    NOON,
    Keys,
    MakeDatabase,
    ServersUnderTest,
    SignIn,
    channel_to,
    running,
    settings_for,
)
from chassis.values import timestamp_of

ALL_SCOPES = ("appointments:read", "appointments:write", "calendars:write", "records:export")
WEEK = [pb.OpeningSpan(weekday=day, opens="10:00", closes="18:00") for day in range(1, 7)]


@dataclass
class Store:
    """One store with hours, associates and rooms."""

    store_id: str
    associates: list[str]
    rooms: list[str]


@dataclass
class House:
    """A running service with its stub, and short ways to fill it."""

    stub: Any
    database: Database
    clock: FixedClock
    numbers: Any
    consumer: Consumer
    records: Any
    all_scopes: tuple[str, ...] = ALL_SCOPES

    async def store(
        self, *, associates: int = 1, rooms: int = 1, spans: Any = WEEK, time_zone: str = "America/New_York"
    ) -> Store:
        """Open a store of its own, 10:00 to 18:00 in New York from Monday to Saturday unless said otherwise."""
        store_id = f"sto_{next(self.numbers)}"
        await self.stub.SetStoreHours(
            pb.SetStoreHoursRequest(store_id=store_id, time_zone=time_zone, spans=spans)
        )
        return Store(
            store_id,
            [await self.resource(store_id, pb.RESOURCE_KIND_ASSOCIATE) for _ in range(associates)],
            [await self.resource(store_id, pb.RESOURCE_KIND_ROOM) for _ in range(rooms)],
        )

    async def resource(self, store_id: str, kind: Any) -> str:
        """Add a resource and return its id."""
        number = next(self.numbers)
        resource: pb.Resource = await self.stub.CreateResource(
            pb.CreateResourceRequest(
                store_id=store_id,
                kind=kind,
                display_name=f"Resource {number:04}",
                associate_id=f"asc_{number}" if kind == pb.RESOURCE_KIND_ASSOCIATE else "",
            )
        )
        return resource.resource_id

    async def book(self, store: Store, start: datetime, **fields: Any) -> pb.Appointment:
        """Book a viewing with the store's first associate in its first room."""
        given = {
            "store_id": store.store_id,
            "client_id": "cli_one",
            "start_time": timestamp_of(start),
            "associate_resource_id": store.associates[0],
            "room_resource_id": store.rooms[0] if store.rooms else "",
            **fields,
        }
        booked: pb.Appointment = await self.stub.BookAppointment(pb.BookAppointmentRequest(**given))
        return booked

    def client(self) -> str:
        """Return the id of a client whom no test knows."""
        return f"cli_{next(self.numbers)}"

    async def appointments_of(self, client_id: str) -> set[str]:
        """Return the ids of a client's appointments."""
        page = await self.stub.ListAppointments(
            pb.ListAppointmentsRequest(client_id=client_id, page_size=100)
        )
        return {appointment.appointment_id for appointment in page.appointments}

    async def hear(self, event: Message, *, chain_id: str = "chn_one") -> str:
        """Handle an event of profiles in a task of its own, as the consumer's loop does."""
        envelope = wrap(event, source="profiles", chain_id=chain_id, entity_id="x", now=self.clock.now())
        return await asyncio.create_task(self.consumer.handle(envelope))

    def merged(self, surviving_id: str, merged_id: str, merge_id: str) -> profiles.ClientMerged:
        """Return the event of a merge."""
        return profiles.ClientMerged(
            merge_id=merge_id,
            client=profiles.ClientFact(client_id=surviving_id, version=5),
            merged_client_id=merged_id,
        )

    def unmerged(self, surviving_id: str, restored_id: str, merge_id: str) -> profiles.ClientUnmerged:
        """Return the event of a merge that was taken back."""
        return profiles.ClientUnmerged(
            merge_id=merge_id,
            client=profiles.ClientFact(client_id=surviving_id, version=6),
            restored=profiles.ClientFact(client_id=restored_id, version=6),
        )

    async def erase(self, client_id: str, *former_ids: str) -> None:
        """Erase a client."""
        await self.hear(
            profiles.ClientErased(
                erasure_id=f"ers_{client_id}", client_id=client_id, former_client_ids=former_ids
            )
        )

    async def move(self, appointment: pb.Appointment, start: datetime, **fields: Any) -> pb.Appointment:
        """Move a viewing."""
        moved: pb.Appointment = await self.stub.MoveAppointment(
            pb.MoveAppointmentRequest(
                appointment_id=appointment.appointment_id, start_time=timestamp_of(start), **fields
            )
        )
        return moved


@pytest.fixture
def two() -> datetime:
    """Return two in the afternoon in New York, two hours after the clock's start."""
    return NOON + timedelta(hours=2)


@pytest.fixture
def clock(house: House) -> FixedClock:
    """Return the running service's clock."""
    return house.clock


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_house(
    make_database: MakeDatabase, servers: ServersUnderTest, keys: Keys
) -> AsyncIterator[House]:
    """Run the service for a module."""
    clock = FixedClock(NOON)
    database = await make_database("appointments", VERSIONS)
    settings = settings_for(
        Settings, "appointments", database=database, servers=servers, keys=keys, database_pool_size=25
    )
    service = build(settings, clock=clock)
    async with running(service) as address, channel_to(address) as channel:
        stub = appointments_pb2_grpc.AppointmentsServiceStub(channel)
        records = privacy_pb2_grpc.ClientRecordsServiceStub(channel)
        [consumer] = service.consumers
        yield House(stub, service.foundation.database, clock, count(1), consumer, records)


@pytest.fixture
def house(running_house: House, sign_in: SignIn) -> House:
    """Return the running service, signed in with every scope; the clock stands at NOON again."""
    running_house.clock.set(NOON)
    sign_in(*ALL_SCOPES, clock=running_house.clock)
    return running_house


Refused = Callable[[Awaitable[object]], Awaitable[str]]


@pytest.fixture
def refused() -> Refused:
    """Return a function that awaits a call and returns the reason of its refusal."""

    async def reason_of(call: Awaitable[object]) -> str:
        with pytest.raises(ServiceError) as error:
            await call
        return error.value.reason

    return reason_of
