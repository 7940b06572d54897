"""The appointments service, running on real servers for the tests of one module."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from carnet.appointments.v1 import appointments_pb2 as pb
from carnet.appointments.v1 import appointments_pb2_grpc

from appointments.bootstrap import VERSIONS, build
from appointments.config import Settings
from chassis.clock import FixedClock
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.errors import ServiceError
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

ALL_SCOPES = ("appointments:read", "appointments:write", "calendars:write")
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
        [consumer] = service.consumers
        yield House(stub, service.foundation.database, clock, count(1), consumer)


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
