"""A running profiles service with one chain in it, and the few calls that most tests begin with."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio
from carnet.profiles.v1 import (
    duplicates_pb2_grpc,
    privacy_pb2_grpc,
    profiles_pb2_grpc,
    records_pb2_grpc,
    segments_pb2_grpc,
    sync_pb2_grpc,
)
from carnet.profiles.v1 import profiles_pb2 as pb
from cryptography.fernet import Fernet

from chassis.clock import FixedClock
from chassis.database import Database
from chassis.grpc_errors import error_of
from chassis.ids import new_id
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
from profiles.bootstrap import build
from profiles.config import Settings
from profiles.migrations import VERSIONS

SCOPES = (
    "directory:read", "directory:write", "clients:read", "clients:write", "clients:assign", "purchases:write",
    "imports:read", "imports:write", "policies:write", "clients:merge", "segments:read", "segments:write",
    "cash:read", "cash:write", "connectors:write", "changes:read", "privacy:write", "audit:read",
)  # fmt: skip


# Other services that exports ask; tests that need answers name servers of their own in more_settings.
NOBODY_ANSWERS = {
    f"{service}_address": "127.0.0.1:1" for service in ("outreach", "messaging", "waitlist", "appointments")
} | {"privacy_poll_seconds": 60.0}


@dataclass
class Running:
    """The service of one test module."""

    service: Service
    stub: Any
    address: str
    clock: FixedClock
    owner_url: str
    channel: Any

    @property
    def database(self) -> Database:
        return self.service.foundation.database


@pytest.fixture(scope="module")
def more_settings() -> dict[str, Any]:
    """Return what a module's service is told beside the usual; a module may have its own."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def profiles(
    make_database: MakeDatabase,
    servers: ServersUnderTest,
    keys: Keys,
    tmp_path_factory: pytest.TempPathFactory,
    more_settings: dict[str, Any],
) -> AsyncIterator[Running]:
    """Run the service without broker; its clock is put back to NOON before every test."""
    database = await make_database("profiles", VERSIONS)
    settings = settings_for(
        Settings, "profiles", database=database, servers=servers, keys=keys,
        suppression_key="a key of these tests, long enough", import_batch_lines=50, import_watch_seconds=0.01,
        objects_dir=str(tmp_path_factory.mktemp("objects")), attachment_max_bytes=1_000_000,
        database_pool_size=25, encryption_key=Fernet.generate_key().decode(),
        **NOBODY_ANSWERS | more_settings,
    )  # fmt: skip
    clock = FixedClock(NOON)
    service = build(settings, clock=clock)
    async with (
        running(service, without=("consumer", "outbox", "operator")) as address,
        channel_to(address) as channel,
    ):
        yield Running(
            service,
            profiles_pb2_grpc.ProfilesServiceStub(channel),
            address,
            clock,
            database.owner_url,
            channel,
        )


@dataclass
class House:
    """One chain with a store and two associates, and the calls on it; the caller is an administrator of the chain."""

    profiles: Running
    chain_id: str
    store_id: str
    ana: str
    ben: str
    act_as: Callable[..., None]
    stub: Any = field(init=False)
    records: Any = field(init=False)
    duplicates: Any = field(init=False)
    segments: Any = field(init=False)
    sync: Any = field(init=False)
    privacy: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = self.profiles.stub
        channel = self.profiles.channel
        self.records = records_pb2_grpc.RecordsServiceStub(channel)
        self.duplicates = duplicates_pb2_grpc.DuplicatesServiceStub(channel)
        self.segments = segments_pb2_grpc.SegmentsServiceStub(channel)
        self.sync = sync_pb2_grpc.SyncServiceStub(channel)
        self.privacy = privacy_pb2_grpc.PrivacyServiceStub(channel)
        self.database = self.profiles.database
        self.clock = self.profiles.clock

    async def client(self, **fields: Any) -> pb.Client:
        """Add a client."""
        fields.setdefault("home_store_id", self.store_id)
        return await self.stub.CreateClient(pb.CreateClientRequest(**fields))

    async def client_with_phone(self, number: str, **fields: Any) -> pb.Client:
        """Add a client with one phone number."""
        contact = pb.ContactPoint(kind=pb.CONTACT_KIND_PHONE, value=number)
        return await self.client(contact_points=[contact], **fields)

    async def upload(self, messages: AsyncIterator[Any]) -> pb.Import:
        """Send the content of an import; what went wrong comes back typed, as the chassis asks callers to do."""
        try:
            return await self.stub.UploadImportContent(messages)
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure) from failure

    async def timeline(self, client_id: str, **fields: Any) -> list[str]:
        """Return the summaries of a client's timeline, newest first."""
        request = pb.ListTimelineRequest(client_id=client_id, **fields)
        return [entry.summary for entry in (await self.stub.ListTimeline(request)).entries]


@pytest_asyncio.fixture(loop_scope="session")
async def house(profiles: Running, sign_in: SignIn) -> House:
    """Open a chain of its own for the test, and sign in to it."""
    profiles.clock.set(NOON)
    return await _opened(profiles, sign_in)


@pytest_asyncio.fixture(loop_scope="session")
async def other_house(house: House, sign_in: SignIn) -> House:
    """Open a second chain, and sign in to that one: `house.act_as()` goes back to the first."""
    return await _opened(house.profiles, sign_in)


async def _opened(profiles: Running, sign_in: SignIn) -> House:
    stub = profiles.stub
    clock = profiles.clock
    sign_in("chains:write", chain_id="", clock=clock)
    chain = await stub.CreateChain(
        pb.CreateChainRequest(
            request_id=new_id("req"),
            display_name="Maison",
            country="US",
            currency_code="USD",
            time_zone="America/New_York",
        )
    )

    def act_as(*scopes: str, **fields: Any) -> None:
        fields.setdefault("chain_id", chain.chain_id)
        sign_in(*(scopes or SCOPES), clock=clock, **fields)

    act_as()
    store = await stub.CreateStore(
        pb.CreateStoreRequest(display_name="Fifth Avenue", time_zone="America/New_York", country="US")
    )
    associates = [
        await stub.CreateAssociate(
            pb.CreateAssociateRequest(
                store_id=store.store_id, display_name=name, email=f"{name.lower()}@maison.example"
            )
        )
        for name in ("Ana", "Ben")
    ]
    return House(
        profiles,
        chain.chain_id,
        store.store_id,
        associates[0].associate_id,
        associates[1].associate_id,
        act_as,
    )


@pytest.fixture
def upload_of() -> Callable[..., Any]:
    """Return a function that makes the messages of an upload from bytes, cut into chunks."""

    async def messages(import_id: str, content: bytes, *, chunk: int = 1000) -> AsyncIterator[Any]:
        yield pb.UploadImportContentRequest(import_id=import_id)
        for start in range(0, len(content), chunk):
            yield pb.UploadImportContentRequest(content=content[start : start + chunk])

    return messages


@pytest.fixture
def merged() -> Callable[..., Any]:
    """Return a function that makes an id lead to a client, as a merge does."""

    async def lead(house: House, alias_id: str, client_id: str) -> None:
        async with house.database.transaction(house.chain_id) as tx:
            await tx.execute(
                "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
                " values (:chain_id, :alias_id, :client_id, 'mrg_test', :now)",
                {
                    "chain_id": house.chain_id,
                    "alias_id": alias_id,
                    "client_id": client_id,
                    "now": house.clock.now(),
                },
            )

    return lead


@pytest.fixture
def looks() -> Callable[..., Any]:
    """Return a function that reads what was written down about a client: action and subject, the oldest first."""

    async def read(house: House, client_id: str) -> list[tuple[str, str]]:
        async with house.database.transaction(house.chain_id) as tx:
            found = await tx.execute(
                "select action, subject_id from audit_entries where client_ids @> array[cast(:id as text)]"
                " order by audit_entry_id",
                {"id": client_id},
            )
            return [(row.action, row.subject_id) for row in found]

    return read
