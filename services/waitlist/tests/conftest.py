"""The waitlist service, running on real servers for the tests of one module."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from carnet.waitlist.v1 import waitlist_pb2 as pb
from carnet.waitlist.v1 import waitlist_pb2_grpc

from chassis.clock import FixedClock
from chassis.database import Database
from chassis.testing import (
    NOON,
    Keys,
    MakeDatabase,
    SignIn,
    ServersUnderTest,
    channel_to,
    running,
    settings_for,
)
from waitlist.bootstrap import VERSIONS, build
from waitlist.config import Settings

ALL_SCOPES = (
    "waitlist:read",
    "waitlist:write",
    "references:write",
    "allocations:write",
    "offers:write",
    "policies:write",
)
WORDING = "Registering interest does not guarantee a watch."


@dataclass
class House:
    """A running service with its stub, and short ways to fill it."""

    stub: Any
    database: Database
    clock: FixedClock
    numbers: Any

    async def reference(self, **fields: Any) -> pb.Reference:
        """Create a reference with a code of its own."""
        given = {
            "brand_id": "brd_one",
            "code": f"REF-{next(self.numbers)}",
            "display_name": "Diver",
            **fields,
        }
        made: pb.Reference = await self.stub.CreateReference(pb.CreateReferenceRequest(**given))
        return made

    async def interest(self, reference: pb.Reference, client_id: str = "", **fields: Any) -> pb.Interest:
        """Register interest of a client, a new one unless named."""
        given = {
            "reference_id": reference.reference_id,
            "client_id": client_id or f"cli_{next(self.numbers)}",
            "store_id": "sto_one",
            "wording": WORDING,
            **fields,
        }
        made: pb.Interest = await self.stub.RegisterInterest(pb.RegisterInterestRequest(**given))
        return made

    async def allocation(self, reference: pb.Reference, pieces: int = 1, **fields: Any) -> pb.Allocation:
        """Receive pieces with serials of their own."""
        given = {
            "reference_id": reference.reference_id,
            "store_id": "sto_one",
            "serials": [f"SN{next(self.numbers)}" for _ in range(pieces)],
            **fields,
        }
        made: pb.Allocation = await self.stub.ReceiveAllocation(pb.ReceiveAllocationRequest(**given))
        return made

    async def offer(self, allocation: pb.Allocation, **fields: Any) -> pb.Offer:
        """Offer the next piece."""
        made: pb.Offer = await self.stub.MakeOffer(
            pb.MakeOfferRequest(allocation_id=allocation.allocation_id, **fields)
        )
        return made

    async def open_offer(self, **fields: Any) -> pb.Offer:
        """Make an offer from nothing: reference, one interest, one piece."""
        reference = await self.reference()
        await self.interest(reference)
        return await self.offer(await self.allocation(reference), **fields)


@pytest.fixture
def clock(house: House) -> FixedClock:
    """Return the running service's clock."""
    return house.clock


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_house(
    make_database: MakeDatabase, servers: ServersUnderTest, keys: Keys
) -> AsyncIterator[House]:
    """Run the service for a module; its sweeper rests, so that tests sweep when they mean to."""
    clock = FixedClock(NOON)
    database = await make_database("waitlist", VERSIONS)
    settings = settings_for(
        Settings, "waitlist", database=database, servers=servers, keys=keys, database_pool_size=25
    )
    service = build(settings, clock=clock)
    async with running(service, without=("offer sweeper",)) as address, channel_to(address) as channel:
        stub = waitlist_pb2_grpc.WaitlistServiceStub(channel)
        yield House(stub, service.foundation.database, clock, count(1))


@pytest.fixture
def house(running_house: House, sign_in: SignIn) -> House:
    """Return the running service, signed in with every scope; the clock stands at NOON again."""
    running_house.clock.set(NOON)
    sign_in(*ALL_SCOPES, clock=running_house.clock)
    return running_house


Refused = Callable[..., Awaitable[str]]


@pytest.fixture
def refused() -> Refused:
    """Return a function that awaits a call and returns the reason of its refusal."""
    from chassis.errors import ServiceError

    async def reason_of(call: Awaitable[object]) -> str:
        with pytest.raises(ServiceError) as error:
            await call
        return error.value.reason

    return reason_of
