"""A made-up service on the waitlist's contract: the chassis has no business of its own to test with."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from carnet.waitlist.v1 import events_pb2, waitlist_pb2, waitlist_pb2_grpc
from google.protobuf.message import Message

from chassis.caller import current_caller
from chassis.config import ServiceSettings
from chassis.consumer import Delivery, Sets, Subscription
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid
from chassis.events import Envelope
from chassis.ids import new_id
from chassis.service import Foundation, Service
from chassis.testing import Keys, MakeDatabase, ServersUnderTest, free_port, opened, settings_for

VERSIONS = Path(__file__).parent / "versions"


class ThingServicer(waitlist_pb2_grpc.WaitlistServiceServicer):
    """Creates things, says so, and does whatever `behave` is set to when one is read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.behave: Callable[[], Any] = lambda: None

    async def CreateReference(
        self, request: waitlist_pb2.CreateReferenceRequest, context: Any
    ) -> waitlist_pb2.Reference:
        chain_id = current_caller().chain_id
        async with self._database.transaction(chain_id) as tx:
            thing_id, is_repeat = await tx.once(RequestKey.of(request), new_id("ref"))
            if not is_repeat:
                await tx.execute(
                    "insert into things (thing_id, chain_id, label) values (:id, :chain, :label)",
                    {"id": thing_id, "chain": chain_id, "label": request.code},
                )
                tx.publish(events_pb2.InterestRegistered(interest_id=thing_id), entity_id=thing_id)
        return waitlist_pb2.Reference(reference_id=thing_id, code=request.code)

    async def GetReference(
        self, request: waitlist_pb2.GetReferenceRequest, context: Any
    ) -> waitlist_pb2.Reference:
        await self.behave()
        return waitlist_pb2.Reference(reference_id=request.reference_id)


@dataclass
class Listener:
    """Notes every event once; fails as told."""

    database: Database
    seen: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    poison: str = ""  # the interest whose event fails for ever
    begun: list[list[str]] = field(default_factory=list)  # what sets began with

    async def on_registered(self, delivery: Delivery[events_pb2.InterestRegistered]) -> None:
        """Write the event's id into things, or raise the next failure."""
        self.seen.append(delivery.event.interest_id)
        async with delivery.transaction() as tx:
            await tx.execute(
                "insert into things (thing_id, chain_id, label) values (:id, :chain, 'heard')",
                {"id": new_id("hrd"), "chain": delivery.chain_id},
            )
            if self.failures:
                raise self.failures.pop(0)
            if self.poison and self.poison == delivery.event.interest_id:
                raise invalid("interest_id", "is no good")

    async def begin(self, tx: Transaction, events: Sequence[tuple[Message, Envelope]]) -> None:
        """Note what a set begins with."""
        self.begun.append([getattr(event, "interest_id") for event, _ in events])  # noqa: B009

    async def end(self, tx: Transaction, events: Sequence[tuple[Message, Envelope]]) -> None:
        """Write how many a set was of."""
        await tx.execute(
            "insert into things (thing_id, chain_id, label) values (:id, :chain, :label)",
            {"id": new_id("set"), "chain": tx.chain_id, "label": f"a set of {len(events)}"},
        )


@dataclass
class Toy:
    """The made-up service with its inner parts in reach."""

    settings: ServiceSettings
    service: Service
    servicer: ThingServicer
    listener: Listener
    database: Database


class MakeToy(Protocol):
    """Builds the service; `most` events that wait share a transaction."""

    def __call__(self, *, most: int = 1) -> Toy: ...


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def toy_settings(make_database: MakeDatabase, servers: ServersUnderTest, keys: Keys) -> ServiceSettings:
    """Return settings on a fresh database; streams are shared by the modules of a run."""
    made = await make_database("waitlist", VERSIONS)
    return settings_for(ServiceSettings, "waitlist", database=made, servers=servers, keys=keys)


@pytest.fixture
def make_toy(toy_settings: ServiceSettings) -> MakeToy:
    """Return a function that builds the service anew, as a process that starts again does."""

    def make(*, most: int = 1) -> Toy:
        ports = {name: f"127.0.0.1:{free_port()}" for name in ("grpc_address", "metrics_address")}
        settings = toy_settings.model_copy(update=ports)
        foundation = Foundation.lay("waitlist", settings)
        servicer, listener = ThingServicer(foundation.database), Listener(foundation.database)
        service = foundation.service(
            contracts={
                "carnet.waitlist.v1.WaitlistService": lambda server: (
                    waitlist_pb2_grpc.add_WaitlistServiceServicer_to_server(servicer, server)
                )
            },
            subscriptions=[
                Subscription(
                    "things",
                    {
                        events_pb2.InterestRegistered: listener.on_registered,
                        events_pb2.InterestWithdrawn: listener.on_registered,
                    },
                    sets=Sets(frozenset({events_pb2.InterestRegistered}), most, listener.begin, listener.end)
                    if most > 1
                    else None,
                )
            ],
        )
        return Toy(settings, service, servicer, listener, foundation.database)

    return make


@pytest_asyncio.fixture
async def database(toy_settings: ServiceSettings) -> AsyncIterator[Database]:
    """Open the made-up service's database from outside of it."""
    from chassis.clock import SystemClock

    async with opened(toy_settings.database_url, source="waitlist", clock=SystemClock()) as database:
        yield database
