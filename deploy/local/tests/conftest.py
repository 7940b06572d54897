"""Servers shared by the tests that only talk to them, and bounded waiting."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from carnet_local.servers import Servers, running_servers

Eventually = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Run one set of servers for the whole session."""
    directory: Path = tmp_path_factory.mktemp("servers")
    async with running_servers(directory, durable=False) as running:
        yield running


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a predicate (plain or async) holds, at most `within` seconds."""

    async def wait(predicate: Callable[[], bool | Awaitable[bool]], *, within: float = 60.0) -> None:
        async with asyncio.timeout(within):
            while True:
                answer = predicate()
                if await answer if inspect.isawaitable(answer) else answer:
                    return
                await asyncio.sleep(0.02)

    return wait
