"""Fixtures and small tools for tests on real servers: `pytest_plugins = ["chassis.testing"]`.

Servers start once per test process; every test module gets databases of its own, cloned from a migrated template.
`CARNET_TEST_BACKEND=containers` takes the servers from Docker instead. Must not be imported outside of tests.
"""

import asyncio
import hashlib
import inspect
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import text

from carnet_local.caller_scopes import CALLER_SCOPES
from carnet_local.databases import (
    ServiceDatabase,
    clone_database,
    database_url,
    drop_database,
    ensure_service_database,
)
from carnet_local.servers import running_servers
from chassis.caller import Caller, CallerSigner, set_caller
from chassis.clock import FixedClock, SystemClock
from chassis.config import ServiceSettings
from chassis.contracts import event_type_of
from chassis.database import Database, connect
from chassis.grpc_client import open_channel
from chassis.ids import new_id
from chassis.migrations import upgrade
from chassis.runtime import Component, start_all, stop_all
from chassis.service import Service
from chassis.testing_containers import container_servers

NOON = datetime(2026, 3, 10, 16, 0, tzinfo=UTC)  # a Tuesday; noon in New York


class ServersUnderTest(Protocol):
    """What the tests need to know of the servers."""

    @property
    def postgres_url(self) -> str: ...
    def nats_url(self, service: str) -> str: ...
    @property
    def valkey_url(self) -> str: ...


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServersUnderTest]:
    """Run Postgres, NATS with JetStream and Valkey for this test process."""
    if os.environ.get("CARNET_TEST_BACKEND", "embedded") == "containers":
        if shutil.which("docker") is None or not await _docker_answers():
            pytest.skip("CARNET_TEST_BACKEND=containers: there is no Docker engine here")
        async with container_servers() as started:
            yield started
    else:
        async with running_servers(tmp_path_factory.mktemp("servers"), durable=False) as embedded:
            yield embedded


async def _docker_answers() -> bool:
    process = await asyncio.create_subprocess_exec(
        "docker", "info", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait() == 0


@dataclass(frozen=True)
class Keys:
    """One signing key a service, and the public set that all of them verify with."""

    signing: Mapping[str, str]
    public: str


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Make signing keys for this run; every signer but the gateway may claim service scopes only."""
    signing: dict[str, str] = {}
    public: list[dict[str, Any]] = []
    for signer, scopes in CALLER_SCOPES.items():
        key = Ed25519PrivateKey.generate()
        signing[signer] = json.dumps({**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": signer})
        public.append(
            {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": signer, "scopes": scopes}
        )
    return Keys(signing, json.dumps({"keys": public}))


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that stands at NOON."""
    return FixedClock(NOON)


class MakeDatabase(Protocol):
    """Makes a fresh, migrated database for a service and returns its addresses."""

    async def __call__(self, service: str, versions: Path) -> ServiceDatabase: ...


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def make_database(servers: ServersUnderTest) -> AsyncIterator[MakeDatabase]:
    """Return a function that clones a service's migrated template; the clones go when the module is through."""
    made: list[str] = []

    async def make(service: str, versions: Path) -> ServiceDatabase:
        # Two schemas may go by one service's name: the chassis tests itself under a borrowed one.
        template = f"template_{service}_{hashlib.sha256(str(versions).encode()).hexdigest()[:12]}"
        owner = await ensure_service_database(
            servers.postgres_url,
            service,
            owner_password="owner",
            runtime_password="runtime",
            database=template,
        )
        await upgrade(versions, owner.owner_url)
        name = new_id(service)
        await clone_database(servers.postgres_url, template, name)
        made.append(name)
        return ServiceDatabase(
            owner_url=database_url(servers.postgres_url, name, role=f"{service}_owner", password="owner"),
            runtime_url=database_url(servers.postgres_url, name, role=service, password="runtime"),
        )

    yield make
    for name in made:
        await drop_database(servers.postgres_url, name)


@asynccontextmanager
async def opened(url: str, *, source: str, clock: FixedClock | SystemClock) -> AsyncIterator[Database]:
    """Open a Database on `url` for the time of a with block."""
    database = Database(connect(url, pool_size=25, application="tests"), source=source, clock=clock)
    try:
        yield database
    finally:
        await database.stop()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Settings = TypeVar("Settings", bound=ServiceSettings)


def settings_for(
    kind: type[Settings],
    service: str,
    *,
    database: ServiceDatabase,
    servers: ServersUnderTest,
    keys: Keys,
    **more: object,
) -> Settings:
    """Return a service's settings for tests: own database, ports chosen freely."""
    return kind.model_validate(
        {
            "database_url": database.runtime_url,
            "nats_url": servers.nats_url(service),
            "grpc_address": f"127.0.0.1:{free_port()}",
            "metrics_address": f"127.0.0.1:{free_port()}",
            "signing_key": keys.signing[service],
            "caller_keys": keys.public,
            "drain_seconds": 1,
            **more,
        }
    )


@asynccontextmanager
async def running(service: Service, *, without: tuple[str, ...] = ()) -> AsyncIterator[str]:
    """Run a service for the time of a with block and yield its gRPC address.

    Components whose name starts with one of `without` stay out, such as `"consumer"`.
    """
    components: list[Component] = [
        part for part in service.components if not part.name.startswith(without or ("-",))
    ]
    await start_all(components)
    try:
        yield f"127.0.0.1:{service.server.port}"
    finally:
        await stop_all(components)


class SignIn(Protocol):
    """Makes the rest of a test act as a caller, and returns it."""

    def __call__(self, *scopes: str, chain_id: str = ..., **fields: Any) -> Caller: ...


@pytest.fixture
def sign_in(keys: Keys) -> SignIn:
    """Return a function that signs a caller as the gateway would and makes calls from this test carry it."""

    def as_caller(*scopes: str, chain_id: str = "chn_one", **fields: Any) -> Caller:
        signer = CallerSigner(keys.signing["gateway"], fields.pop("clock", SystemClock()))
        plain = Caller(chain_id, "usr_test", "admin", frozenset(scopes))
        caller = signer.sign(replace(plain, **fields))
        set_caller(caller)
        return caller

    return as_caller


@asynccontextmanager
async def channel_to(address: str) -> AsyncIterator[Any]:
    """Open a channel with the platform's own interceptors for the time of a with block."""
    channel = open_channel(address)
    try:
        yield channel
    finally:
        await channel.close()


async def eventually(predicate: Callable[[], Any | Awaitable[Any]], *, within: float = 60.0) -> Any:
    """Wait until `predicate` (plain or async) returns something true, and return that; fail after `within` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        answer = predicate()
        answer = await answer if inspect.isawaitable(answer) else answer
        if answer:
            return answer
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"did not come true within {within} seconds; last answer: {answer!r}")
        await asyncio.sleep(0.01)


Event = TypeVar("Event", bound=Message)


async def published(database: Database, kind: type[Event], *, chain_id: str = "") -> list[Event]:
    """Return the events of one kind in the outbox, oldest first, published or not."""
    async with database.platform_transaction() as connection:
        rows = await connection.execute(
            text(
                "select body from outbox where event_type = :event_type"
                " and (:chain_id = '' or chain_id = :chain_id) order by position"
            ),
            {"event_type": event_type_of(kind), "chain_id": chain_id},
        )
        return [kind.FromString(row.body) for row in rows]
