"""The waitlist service, running on real servers for the tests of one module."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profiles
from carnet.waitlist.v1 import waitlist_pb2 as pb
from carnet.waitlist.v1 import waitlist_pb2_grpc
from google.protobuf.message import Message

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
from waitlist.bootstrap import VERSIONS, build
from waitlist.config import Settings

ALL_SCOPES = (
    "waitlist:read",
    "waitlist:write",
    "references:write",
    "allocations:write",
    "offers:write",
    "policies:write",
    "records:export",
)
WORDING = "Registering interest does not guarantee a watch."


@dataclass
class House:
    """A running service with its stub, and short ways to fill it."""

    stub: Any
    database: Database
    clock: FixedClock
    numbers: Any
    consumer: Consumer
    records: Any
    chain_id: str = "chn_one"
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

    def client(self) -> str:
        """Return the id of a client whom no test knows."""
        return f"cli_{next(self.numbers)}"

    async def interests_of(self, client_id: str) -> list[pb.Interest]:
        """Return a client's interests."""
        page = await self.stub.ListInterests(pb.ListInterestsRequest(client_id=client_id, page_size=200))
        return list(page.interests)

    async def hear(self, event: Message, *, chain_id: str = "") -> str:
        """Handle an event of profiles in a task of its own, as the consumer's loop does."""
        chain_id = chain_id or self.chain_id
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

    async def merge(self, surviving_id: str, merged_id: str) -> str:
        """Make two clients one, and return the id of the merge."""
        merge_id = f"mrg_{next(self.numbers):06}"
        await self.hear(self.merged(surviving_id, merged_id, merge_id))
        return merge_id

    async def unmerge(self, surviving_id: str, restored_id: str, merge_id: str) -> None:
        """Take a merge back."""
        await self.hear(self.unmerged(surviving_id, restored_id, merge_id))

    async def erase(self, client_id: str, *former_ids: str, erasure_id: str = "") -> None:
        """Erase a client."""
        await self.hear(
            profiles.ClientErased(
                erasure_id=erasure_id or f"ers_{client_id}",
                client_id=client_id,
                former_client_ids=former_ids,
            )
        )

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
        records = privacy_pb2_grpc.ClientRecordsServiceStub(channel)
        [consumer] = service.consumers
        yield House(stub, service.foundation.database, clock, count(1), consumer, records)


@pytest.fixture
def house(running_house: House, sign_in: SignIn) -> House:
    """Return the running service, signed in with every scope; the clock stands at NOON again."""
    running_house.clock.set(NOON)
    running_house.chain_id = "chn_one"
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
