"""`up`: servers, databases, migrations, services, seed, then watch until told to stop; undone in reverse.

One runner per state directory, guarded by a file lock. What other commands do to it is in commands.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from carnet_local import process
from carnet_local.databases import ServiceDatabase, ensure_service_database
from carnet_local.errors import LocalFailure
from carnet_local.nats_permissions import SERVICES
from carnet_local.process import ProcessRecord, stop_orphans, together
from carnet_local.servers import Server, Servers, running
from carnet_local.services import Endpoints, environment_of, metrics_address, migrate_command, serve_command
from carnet_local.stamps import Stamps, schema_stamp
from carnet_local.state import State, open_state, save_state
from carnet_local.supervisor import Program, supervised
from carnet_local.terminal import Terminal

# Each migration is a Python process that imports for a second: more at once slow one another on a laptop.
_MIGRATIONS_AT_ONCE = 2


def runner_record(directory: Path) -> Path:
    """Name the file that says which process is the runner."""
    return directory / "runner.json"


def ready_mark(directory: Path) -> Path:
    """Name the file that holds the runner's process id while everything is up."""
    return directory / "ready"


def is_up(directory: Path, pid: int) -> bool:
    """Say whether this runner has everything up; the mark of one that was killed does not count."""
    mark = ready_mark(directory)
    return mark.exists() and mark.read_text() == str(pid)


async def up(directory: Path, terminal: Terminal) -> int:
    """Run Carnet in the foreground until a signal; returns the exit code."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_runner(directory) as alone:
        if not alone:
            state = open_state(directory)
            runner = ProcessRecord.read(runner_record(directory))
            still = "" if runner is not None and is_up(directory, runner.pid) else " (it is still starting)"
            terminal.say(f"Carnet is already running{still}.")
            announce(state, terminal)
            return 0
        hurry = asyncio.Event()
        work = asyncio.create_task(_run(directory, terminal, hurry))
        _stop_on_signals(work, terminal, hurry)
        try:
            await work
        except asyncio.CancelledError:
            terminal.step("stopped")
            return 0
        except LocalFailure as failure:
            terminal.trouble(str(failure))
            return 1
        finally:
            ready_mark(directory).unlink(missing_ok=True)
            # A signal in the middle of a failing start may have cut the ordered stop short.
            await stop_orphans(directory / "run")
            runner_record(directory).unlink(missing_ok=True)
    return 0


def announce(state: State, terminal: Terminal) -> None:
    """Say where to go and who can sign in."""
    terminal.say(f"\n  API         {state.api_url}\n  described   {state.api_url}/docs")
    terminal.say(f"  both sides  {state.api_url}/sandbox")
    for name, role, email, password in state.sign_ins:
        terminal.say(f"  sign in     {email}  {password}   ({name}, {role})")
    terminal.say("")


@dataclass(frozen=True)
class Platform:
    """Everything that runs: where it is, and the servers that are ours."""

    state: State
    servers: Servers
    embedded: Sequence[Server]


async def _run(directory: Path, terminal: Terminal, hurry: asyncio.Event) -> None:
    async with platform(directory, terminal, hurry=hurry) as running_platform:
        state = await _seed(directory, running_platform.state, terminal)
        terminal.step("all is up")
        announce(state, terminal)
        ready_mark(directory).write_text(str(os.getpid()))
        await together(*(_restart(server, terminal) for server in running_platform.embedded), _for_ever())


@asynccontextmanager
async def platform(directory: Path, terminal: Terminal, *, hurry: asyncio.Event) -> AsyncIterator[Platform]:
    """Run servers and services, ready inside the block; the end-to-end tests stand on this as `up` does.

    Nothing is seeded, and a server that dies stays dead. Raises LocalFailure.
    """
    left_behind = await stop_orphans(directory / "run")
    if left_behind:
        terminal.step(f"stopped what an earlier run left behind: {', '.join(left_behind)}")
    state = _choose_ports(directory, terminal)
    servers = Servers.at(directory, state.server_settings(), durable=True)
    endpoints = Endpoints.choose(servers, os.environ)
    embedded: list[Server] = [
        server
        for server in (servers.postgres, servers.nats, servers.valkey)
        if server.name not in endpoints.external
    ]
    async with running(embedded, hurry=hurry):
        terminal.step(f"servers are up: {', '.join(server.name for server in embedded) or 'your own'}")
        databases = await _ensure_databases(state, endpoints)
        terminal.step("databases and roles exist")
        environments = {
            service: environment_of(
                service,
                state=state,
                directory=directory,
                endpoints=endpoints,
                database=databases[service],
            )
            for service in SERVICES
        }
        await _migrate(directory, environments, databases, terminal)
        programs = [
            Program(service, serve_command(service), environments[service], metrics_address(state, service))
            for service in SERVICES
        ]
        async with supervised(programs, directory=directory, terminal=terminal, hurry=hurry):
            yield Platform(state, servers, embedded)


def _choose_ports(directory: Path, terminal: Terminal) -> State:
    before = open_state(directory)
    state = before.with_free_ports()
    save_state(directory, state)
    for name, port in state.ports.items():
        if port != before.ports[name]:
            terminal.step(f"port {before.ports[name]} is taken: {name} uses {port}")
    return state


async def _ensure_databases(state: State, endpoints: Endpoints) -> dict[str, ServiceDatabase]:
    databases = await asyncio.gather(
        *(
            ensure_service_database(
                endpoints.postgres_url,
                service,
                owner_password=state.passwords[f"database.{service}_owner"],
                runtime_password=state.passwords[f"database.{service}"],
            )
            for service in SERVICES
        )
    )
    return dict(zip(SERVICES, databases, strict=True))


async def _migrate(
    directory: Path,
    environments: dict[str, dict[str, str]],
    databases: dict[str, ServiceDatabase],
    terminal: Terminal,
) -> None:
    turns = asyncio.Semaphore(_MIGRATIONS_AT_ONCE)
    stamps = Stamps(directory / "migrated.json")

    async def migrate(service: str) -> None:
        stamp = schema_stamp(service, databases[service].identity)
        if stamps.has(service, stamp):
            return
        async with turns:
            log = directory / "logs" / f"{service}-migrate.log"
            log.parent.mkdir(exist_ok=True)
            code = await process.run(
                migrate_command(service),
                record=directory / "run" / f"{service}-migrate.json",
                environment=environments[service] | {"CARNET_DATABASE_URL": databases[service].owner_url},
                log=log,
            )
        if code != 0:
            raise LocalFailure.with_log(f"the migration of {service} ended with exit code {code}", log)
        stamps.put(service, stamp)
        terminal.step(f"{service} is migrated")

    await together(*(migrate(service) for service in SERVICES))


async def _seed(directory: Path, state: State, terminal: Terminal) -> State:
    if state.seeded or os.environ.get("CARNET_SEED") == "no":
        return state
    log = directory / "logs" / "seed.log"
    code = await process.run(
        [sys.executable, "-m", "carnet_local.seed"],
        record=directory / "run" / "seed.json",
        environment={**os.environ, "CARNET_API": state.api_url, "CARNET_OPERATOR_KEY": state.operator_key},
        log=log,
    )
    if code != 0:
        raise LocalFailure.with_log(f"seeding ended with exit code {code}", log)
    result = json.loads(log.read_text().splitlines()[-1])
    state = replace(state, seeded=True, sign_ins=tuple(tuple(entry) for entry in result["sign_ins"]))
    save_state(directory, state)
    log.unlink()  # it holds the passwords that the state keeps
    terminal.step("the demo chain is seeded")
    return state


async def _restart(server: Server, terminal: Terminal) -> None:
    while True:
        code = await server.ended()
        terminal.service(server.name, f"died (exit code {code}); starting again")
        await server.start()
        terminal.service(server.name, "is back")


async def _for_ever() -> None:
    await asyncio.Event().wait()


def _stop_on_signals(work: asyncio.Task[None], terminal: Terminal, hurry: asyncio.Event) -> None:
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            terminal.step("stopping at once")
            hurry.set()
            return
        asked = True
        terminal.step("stopping; a second time hurries")
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)


@contextmanager
def _only_runner(directory: Path) -> Iterator[bool]:
    """Hold the lock while we run; yields False when another runner has it. Our death frees it."""
    with (directory / "runner.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        own = ProcessRecord.find(os.getpid())
        assert own is not None
        own.write(runner_record(directory))
        with contextlib.closing(lock):
            yield True
