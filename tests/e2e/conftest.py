"""The whole platform for the time of a test run, started by the runner's own code, and houses to test in.

Nothing here reaches around the API, but for what an outage is made of: processes and servers.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from business_central_stand_in import Central, running_central
from twilio_stand_in import ACCOUNT, TOKEN, TwilioStandIn, stand_in

from carnet_local import runner
from carnet_local.account import own_refuge
from carnet_local.api import Api, Json
from carnet_local.demo.house import House, open_house
from carnet_local.demo.telling import Teller
from carnet_local.ports import free_port
from carnet_local.process import ProcessRecord
from carnet_local.servers import Servers
from carnet_local.services import SERVICES
from carnet_local.state import open_state, save_state
from carnet_local.terminal import Terminal


@dataclass(frozen=True)
class Carnet:
    """The running platform: its address, its operator, its servers and its processes."""

    directory: Path
    api_url: str
    operator_key: str
    servers: Servers
    ports: Mapping[str, int]

    def metrics_ports(self) -> dict[str, int]:
        """Return the port on which each service says whether it is ready."""
        return {service: self.ports[f"{service}_metrics"] for service in SERVICES}

    def pid(self, service: str) -> int:
        """Return the id of a service's latest process, which need not live any more."""
        record = ProcessRecord.read(self.directory / "run" / f"{service}.json")
        assert record is not None, f"{service} was never started"
        return record.pid

    def pids(self) -> dict[str, int]:
        """Return the process id of every service."""
        return {service: self.pid(service) for service in SERVICES}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def central() -> AsyncIterator[Central]:
    """Run a stand-in for Microsoft's Business Central, which is outside of the platform."""
    async with running_central() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def twilio() -> AsyncIterator[TwilioStandIn]:
    """Run a stand-in for Twilio, which hands texts in here; the sandbox carries those that go out."""
    async with stand_in() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def carnet(
    tmp_path_factory: pytest.TempPathFactory, central: Central, twilio: TwilioStandIn
) -> AsyncIterator[Carnet]:
    """Run everything on ports that nobody else uses; nothing is seeded."""
    told = {
        "CARNET_BUSINESS_CENTRAL_URL": central.url,
        "CARNET_BUSINESS_CENTRAL_SIGN_IN_URL": central.url,
        "CARNET_TWILIO_ACCOUNT_SID": ACCOUNT,
        "CARNET_TWILIO_AUTH_TOKENS": TOKEN,
        "CARNET_TWILIO_BASE_URL": twilio.base_url,
    }
    os.environ.update(told)
    directory = tmp_path_factory.mktemp("carnet")
    state = open_state(directory)
    chosen: list[int] = []
    for _ in state.ports:
        chosen.append(free_port(avoid=chosen))
    save_state(directory, replace(state, ports=dict(zip(state.ports, chosen, strict=True))))
    log = io.StringIO()
    try:
        async with runner.platform(directory, Terminal(log), hurry=asyncio.Event()) as platform:
            state = platform.state
            twilio.public_url = state.api_url
            yield Carnet(directory, state.api_url, state.operator_key, platform.servers, state.ports)
    finally:
        for name in told:
            del os.environ[name]
        # Shown by pytest only when something failed.
        print(log.getvalue())
        refuge = own_refuge(directory)
        if refuge is not None:
            shutil.rmtree(refuge)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def anybody(carnet: Carnet) -> AsyncIterator[Api]:
    """Return a caller without credentials, who takes the first no for an answer."""
    async with Api.at(carnet.api_url, patience=0) as api:
        yield api


@pytest.fixture(scope="session")
def operator(anybody: Api, carnet: Carnet) -> Api:
    """Return the platform's operator."""
    return anybody.as_caller(carnet.operator_key)


@pytest.fixture(scope="session")
def new_house(anybody: Api, carnet: Carnet) -> Callable[[], Awaitable[House]]:
    """Return a function that opens a chain with a store, four associates and a number."""

    async def make() -> House:
        return await open_house(Teller(io.StringIO()), anybody, carnet.operator_key)

    return make


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(new_house: Callable[[], Awaitable[House]]) -> House:
    """Return a house of this module's own."""
    return await new_house()


AddClient = Callable[..., Awaitable[Json]]


@pytest.fixture(scope="session")
def add_client() -> AddClient:
    """Return a function that adds a client to a house."""

    async def add(house: House, given_name: str = "Ana", **more: object) -> Json:
        return await house.associate.post(
            "/v1/clients", {"given_name": given_name, "home_store_id": house.store_id, **more}
        )

    return add


@pytest.fixture(scope="session")
def cdnow() -> Path:
    """Return the real purchases, or skip where nobody fetched them."""
    here = Path(__file__).resolve().parents[2] / ".carnet" / "data" / "cdnow"
    file = Path(os.environ.get("CARNET_CDNOW_DIR", here)) / "CDNOW_master.txt"
    if not file.is_file():
        pytest.skip("the CDNOW data is not there; `make test` fetches it")
    return file
