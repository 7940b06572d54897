"""The service on real servers, with profiles and messaging played by real gRPC servers of the test's own."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from carnet.outreach.v1 import outreach_pb2_grpc
from carnet.privacy.v1 import privacy_pb2_grpc

from chassis.caller import Caller
from chassis.clock import FixedClock
from chassis.database import Database
from chassis.service import Service
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
from outreach.bootstrap import VERSIONS, build
from outreach.config import Settings

sys.path.insert(
    0, str(Path(__file__).parent)
)  # outreach_story.py and outreach_neighbours.py: tests are no package

from outreach_neighbours import FakeMessaging, FakeProfiles, neighbours_running
from outreach_story import Story


@dataclass
class Outreach:
    """A running service with everything a test wants to touch."""

    service: Service
    stub: "outreach_pb2_grpc.OutreachServiceAsyncStub"
    records: "privacy_pb2_grpc.ClientRecordsServiceAsyncStub"
    channel: grpc.aio.Channel
    clock: FixedClock
    profiles: FakeProfiles
    messaging: FakeMessaging
    neighbours: str

    @property
    def database(self) -> Database:
        return self.service.foundation.database


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outreach(
    make_database: MakeDatabase, servers: ServersUnderTest, keys: Keys
) -> AsyncIterator[Outreach]:
    """Run outreach without its relay, consumers and background ranking; events are handed to the consumer directly."""
    clock = FixedClock(NOON)
    async with neighbours_running(keys, clock) as (address, profiles, messaging):
        settings = settings_for(
            Settings,
            "outreach",
            database=await make_database("outreach", VERSIONS),
            servers=servers,
            keys=keys,
            profiles_address=address,
            messaging_address=address,
            queue_size=10,
            database_pool_size=25,
        )
        service = build(settings, clock=clock)
        async with (
            running(
                service,
                without=("consumer", "outbox", "scoring", "learning", "arrivals", "campaigns", "automated"),
            ) as own_address,
            channel_to(own_address) as channel,
        ):
            yield Outreach(
                service,
                outreach_pb2_grpc.OutreachServiceStub(channel),
                privacy_pb2_grpc.ClientRecordsServiceStub(channel),
                channel,
                clock,
                profiles,
                messaging,
                address,
            )


_chains = itertools.count(1)


@pytest.fixture
def chain_id() -> str:
    """Return a chain that no other test knows."""
    return f"chn_{next(_chains)}"


@pytest.fixture
def story(outreach: Outreach, chain_id: str) -> Story:
    """Return something that tells the service events of this test's chain."""
    outreach.clock.set(NOON)
    outreach.messaging.forget()
    return Story(outreach.service, chain_id, outreach.clock)


@pytest.fixture
def as_associate(sign_in: SignIn, outreach: Outreach, chain_id: str) -> Callable[..., Caller]:
    """Return a function that signs in as somebody of this test's chain."""

    def sign(*scopes: str, **fields: object) -> Caller:
        wanted = scopes or (
            "queue:read",
            "queue:write",
            "scoring:run",
            "messages:send",
            "clients:read",
            "directory:read",
        )
        return sign_in(
            *wanted, **{"chain_id": chain_id, "clock": outreach.clock, "associate_id": "asc_1", **fields}
        )

    return sign


@pytest.fixture
def gather() -> Callable[..., "asyncio.Future[list[object]]"]:
    """Return asyncio.gather that keeps failures as results."""
    return lambda *work: asyncio.gather(*work, return_exceptions=True)
