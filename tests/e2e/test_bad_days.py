"""Bad days of the whole platform: the broker away, the database away, a service killed at the worst moment.

Each test brings everything back; that it all goes on is part of what it tests.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from carnet_local.api import Json, Refused
from carnet_local.demo.house import House
from carnet_local.supervisor import is_ready
from chassis.testing import eventually


@pytest_asyncio.fixture(autouse=True)
async def whole_again(carnet: Any, house: House) -> AsyncIterator[None]:
    """Leave the platform as it was found, so that a failed test fails alone."""
    yield
    await eventually(partial(is_whole, carnet, house), within=60)


AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def facts(house: House) -> tuple[int, int]:
    summary: Json = await house.associate.get("/v1/facts:summary")
    return int(summary["clients"]), int(summary["visits"])


async def visit(house: House, client_id: str) -> None:
    await house.associate.post("/v1/visits", {"client_id": client_id, "store_id": house.store_id})


async def is_whole(carnet: Any, house: House) -> bool:
    """Return whether every service is ready, and the gateway reaches the two that these tests kill."""
    ports = carnet.metrics_ports().values()
    if not all([await is_ready(f"127.0.0.1:{port}") for port in ports]):
        return False
    try:
        await house.associate.get("/v1/stores")
        await house.associate.get("/v1/facts:summary")
    except Refused as refusal:
        assert refusal.status == 503
        return False
    return True


async def test_while_the_broker_is_away_writes_go_on_and_their_events_arrive_later_once(
    carnet: Any, house: House, add_client: AddClient
) -> None:
    client_id = (await add_client(house))["client_id"]
    await eventually(lambda: came(house, 1, 0))
    before = carnet.pids()
    await carnet.servers.nats.stop()
    try:
        for number in range(5):
            await add_client(house, f"Ana {number}")
            await visit(house, client_id)
        assert await facts(house) == (1, 0)
    finally:
        await carnet.servers.nats.start()
    await eventually(lambda: came(house, 6, 5), within=60)
    # One more goes the same way behind them: had one been doubled, it would be counted by now.
    await add_client(house, "Last")
    await eventually(lambda: came(house, 7, 5))
    assert carnet.pids() == before


async def came(house: House, clients: int, visits: int) -> bool:
    return await facts(house) == (clients, visits)


async def test_while_the_database_is_away_callers_are_told_to_come_back_and_then_it_goes_on(
    carnet: Any, house: House, add_client: AddClient
) -> None:
    before = carnet.pids()
    await carnet.servers.postgres.stop()
    try:
        with pytest.raises(Refused) as no:
            await add_client(house, "Nobody")
        assert no.value.status == 503
        assert int(no.value.headers["retry-after"]) >= 1
        assert no.value.headers["content-type"] == "application/problem+json"
    finally:
        await carnet.servers.postgres.start()

    async def goes_on() -> bool:
        try:
            await add_client(house, "Back")
        except Refused as refusal:
            assert refusal.status == 503
            return False
        return True

    count, visits = await facts_when_possible(house)
    await eventually(goes_on, within=60)
    await eventually(lambda: came(house, count + 1, visits), within=60)
    assert carnet.pids() == before


async def facts_when_possible(house: House) -> tuple[int, int]:
    async def ask() -> tuple[int, int] | None:
        try:
            return await facts(house)
        except Refused as refusal:
            assert refusal.status == 503
            return None

    found: tuple[int, int] = await eventually(ask, within=60)
    return found


async def test_a_service_killed_between_commit_and_publish_says_it_once_when_it_is_back(
    carnet: Any, house: House, add_client: AddClient
) -> None:
    count, visits = await facts(house)
    # With the broker away nothing can be published: the kill falls between commit and publish for sure.
    await carnet.servers.nats.stop()
    try:
        await add_client(house, "Unsaid")
        killed = await kill(carnet, "profiles")
    finally:
        await carnet.servers.nats.start()
    await eventually(partial(is_whole, carnet, house), within=60)
    await eventually(lambda: came(house, count + 1, visits), within=60)
    assert carnet.pid("profiles") != killed


async def test_a_service_killed_right_after_its_answer_loses_and_doubles_nothing(
    carnet: Any, house: House, add_client: AddClient
) -> None:
    count, visits = await facts(house)
    for number in range(1, 4):
        await add_client(house, f"Quick {number}")
        await kill(carnet, "profiles")
        await eventually(partial(is_whole, carnet, house), within=60)
        await eventually(partial(came, house, count + number, visits), within=60)


async def kill(carnet: Any, service: str) -> int:
    """Kill a service as a crash would, and return which process that was once another one takes its place."""
    killed: int = carnet.pid(service)
    os.kill(killed, signal.SIGKILL)
    await eventually(lambda: carnet.pid(service) != killed, within=60)
    return killed
