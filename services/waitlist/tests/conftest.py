"""The waitlist service, running on real servers for the tests of one module."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from carnet.waitlist.v1 import waitlist_pb2 as pb
from carnet.waitlist.v1 import waitlist_pb2_grpc

from chassis.clock import FixedClock
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
    all_scopes: tuple[str, ...] = ALL_SCOPES

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

    async def interest_now(self, interest_id: str, reference_id: str) -> str:
        """Return the state of an interest as it is now."""
        page = await self.stub.ListInterests(
            pb.ListInterestsRequest(reference_id=reference_id, page_size=200)
        )
        state = next(one.state for one in page.interests if one.interest_id == interest_id)
        return pb.InterestState.Name(state).removeprefix("INTEREST_STATE_")

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

    async def pieces_now(self, allocation_id: str) -> list[str]:
        """Return the states of an allocation's pieces as they are now."""
        allocation = await self.stub.GetAllocation(pb.GetAllocationRequest(allocation_id=allocation_id))
        return [pb.PieceState.Name(piece.state).removeprefix("PIECE_STATE_") for piece in allocation.pieces]

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

    async def accept(self, offer: pb.Offer) -> pb.Offer:
        """Accept an offer."""
        answered: pb.Offer = await self.stub.AcceptOffer(pb.AcceptOfferRequest(offer_id=offer.offer_id))
        return answered

    async def decline(self, offer: pb.Offer) -> pb.Offer:
        """Decline an offer."""
        answered: pb.Offer = await self.stub.DeclineOffer(pb.DeclineOfferRequest(offer_id=offer.offer_id))
        return answered


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
    async with (
        running(service, without=("offer sweeper", "consumer")) as address,
        channel_to(address) as channel,
    ):
        stub = waitlist_pb2_grpc.WaitlistServiceStub(channel)
        yield House(stub, service.foundation.database, clock, count(1))


@pytest.fixture
def house(running_house: House, sign_in: SignIn) -> House:
    """Return the running service, signed in with every scope; the clock stands at NOON again."""
    running_house.clock.set(NOON)
    sign_in(*ALL_SCOPES, clock=running_house.clock)
    return running_house


GoOn = Callable[..., None]


@pytest.fixture
def go_on(house: House, sign_in: SignIn) -> GoOn:
    """Return a function that lets time pass and signs in again, for callers expire within a minute."""

    def pass_time(**by: float) -> None:
        house.clock.advance(timedelta(**by))
        sign_in(*ALL_SCOPES, clock=house.clock)

    return pass_time


Outcome = Callable[[Awaitable[object]], Awaitable[str]]


@pytest.fixture
def outcome() -> Outcome:
    """Return a function that awaits a call and says OK or the reason of its refusal."""

    async def outcome_of(call: Awaitable[object]) -> str:
        try:
            await call
        except ServiceError as error:
            return error.reason
        return "OK"

    return outcome_of
