"""The second backend of the test fixtures: Postgres, NATS and Valkey from Docker images, through testcontainers.

The same images that the deployment names. Must be usable without Docker as far as the import.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

POSTGRES, NATS, VALKEY = "postgres:18", "nats:2.15", "valkey/valkey:9"
_PASSWORD = "containers"  # of throw-away servers on loopback


@dataclass(frozen=True)
class ContainerServers:
    """Where the started containers are."""

    postgres_url: str
    nats: str
    valkey_url: str

    def nats_url(self, service: str) -> str:
        """Return the one address; these containers know no users."""
        return self.nats


@asynccontextmanager
async def container_servers() -> AsyncIterator[ContainerServers]:
    """Start the three containers for the time of a with block. Raises what testcontainers raises."""
    # Imported by name: the package is installed for this backend only.
    testcontainers: Any = importlib.import_module("testcontainers.core.container")
    waiting: Any = importlib.import_module("testcontainers.core.wait_strategies")

    def made(image: str, port: int, ready: str, command: str = "", **environment: str) -> Any:
        container = testcontainers.DockerContainer(image).with_exposed_ports(port)
        for name, value in environment.items():
            container = container.with_env(name, value)
        if command:
            container = container.with_command(command)
        return container.waiting_for(waiting.LogMessageWaitStrategy(ready))

    containers = {
        5432: made(POSTGRES, 5432, "database system is ready to accept connections",
                   "postgres -c fsync=off -c max_connections=200", POSTGRES_PASSWORD=_PASSWORD),
        4222: made(NATS, 4222, "Server is ready", "-js"),
        6379: made(VALKEY, 6379, "Ready to accept connections"),
    }  # fmt: skip
    try:
        await asyncio.gather(*(asyncio.to_thread(container.start) for container in containers.values()))
        at = {
            port: f"{c.get_container_host_ip()}:{c.get_exposed_port(port)}" for port, c in containers.items()
        }
        yield ContainerServers(
            postgres_url=f"postgresql://postgres:{_PASSWORD}@{at[5432]}/postgres",
            nats=f"nats://{at[4222]}",
            valkey_url=f"redis://{at[6379]}/0",
        )
    finally:
        await asyncio.gather(
            *(asyncio.to_thread(c.stop) for c in containers.values()), return_exceptions=True
        )
