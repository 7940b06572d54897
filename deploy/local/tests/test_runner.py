"""The commands as a developer types them, in processes of their own, with six stand-ins for the services."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest_asyncio

import carnet_local
from carnet_local.account import refuge_of
from carnet_local.nats_permissions import SERVICES
from carnet_local.process import ProcessRecord
from carnet_local.state import PREFERRED_PORTS, open_state, read_state

Eventually = Callable[..., Awaitable[None]]

SERVICE = textwrap.dedent("""
    import json, os, signal, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    service = os.environ["CARNET_SERVICE"]
    if sys.argv[1] == "migrate":
        assert f"//{service}_owner:" in os.environ["CARNET_DATABASE_URL"]
        sys.exit(f"{service} cannot migrate" if os.environ.get("BROKEN") == service else 0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
        def log_message(self, *arguments):
            pass

    assert f"//{service}:" in os.environ["CARNET_DATABASE_URL"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(json.dumps({"level": "info", "event": f"{service} serves"}), flush=True)
    host, port = os.environ["CARNET_METRICS_ADDRESS"].split(":")
    HTTPServer((host, int(port)), Handler).serve_forever()
""")


@dataclass
class Carnet:
    """One state directory and the commands on it."""

    directory: Path
    environment: dict[str, str]
    foreground: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def spawn(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "carnet_local", *arguments,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.environment | more, cwd=self.directory.parent,
        )  # fmt: skip
        self.foreground.append(process)
        return process

    async def __call__(self, *arguments: str, **more: str) -> tuple[int, str]:
        process = await self.spawn(*arguments, **more)
        async with asyncio.timeout(180):
            output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    def records(self) -> dict[str, ProcessRecord]:
        found = {path.stem: ProcessRecord.read(path) for path in (self.directory / "run").glob("*.json")}
        return {name: record for name, record in found.items() if record is not None}

    def ready(self) -> bool:
        return (self.directory / "ready").exists()


@pytest_asyncio.fixture
async def carnet(tmp_path: Path) -> AsyncIterator[Carnet]:
    for service in SERVICES:
        (tmp_path / "fakes" / service).mkdir(parents=True)
        # A package with an __init__ on PYTHONPATH comes before the installed service of that name.
        (tmp_path / "fakes" / service / "__init__.py").touch()
        (tmp_path / "fakes" / service / "__main__.py").write_text(SERVICE)
    own = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    package = Path(carnet_local.__file__).parents[1]
    carnet = Carnet(
        tmp_path / ".carnet",
        own
        | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "fakes"), str(package)]),
            "CARNET_STATE_DIR": str(tmp_path / ".carnet"),
            # The stand-ins know no API; the demo chain is tested end to end.
            "CARNET_SEED": "no",
        },
    )
    yield carnet
    await carnet("down")
    for process in carnet.foreground:
        if process.returncode is None:
            process.kill()
            await process.wait()
    shutil.rmtree(refuge_of(carnet.directory), ignore_errors=True)


def no_secrets_of_others(output: str, carnet: Carnet) -> bool:
    state = read_state(carnet.directory)
    assert state is not None
    return not any(password in output for password in state.passwords.values())


async def test_up_down_and_a_second_up_find_the_state_again(carnet: Carnet) -> None:
    code, said = await carnet("up", "--detach")
    assert code == 0, said
    assert re.search(r"API +http://127\.0\.0\.1:\d+", said)
    assert no_secrets_of_others(said, carnet)
    before = read_state(carnet.directory)
    assert before is not None
    assert not before.seeded
    running = carnet.records()
    assert set(running) == {*SERVICES, "postgres", "nats", "valkey"}

    code, said = await carnet("up")
    assert (code, "already running" in said, before.api_url in said) == (0, True, True)
    code, said = await carnet("status")
    assert (code, said.count("| ready")) == (0, 6)
    code, said = await carnet("env")
    assert f"export CARNET_API={before.api_url}" in said
    code, said = await carnet("logs", "waitlist")
    assert "waitlist serves" in said
    code, said = await carnet("logs")
    assert "profiles serves" in said

    code, said = await carnet("down")
    assert code == 0
    assert not [name for name, record in running.items() if record.is_alive()]
    assert carnet.records() == {}
    assert (await carnet("status"))[0] == 1

    code, said = await carnet("up", "--detach")
    assert code == 0, said
    assert "seeded" not in said
    assert read_state(carnet.directory) == before


async def test_ctrl_c_stops_everything_in_order(carnet: Carnet, eventually: Eventually) -> None:
    runner = await carnet.spawn("up")
    await eventually(carnet.ready, within=60)
    running = carnet.records()
    runner.send_signal(signal.SIGINT)
    output, _ = await runner.communicate()
    assert runner.returncode == 0
    assert output.decode().splitlines()[-1].endswith("stopped")
    assert not [name for name, record in running.items() if record.is_alive()]
    assert not carnet.ready()


async def test_ctrl_c_during_the_start_leaves_nothing(carnet: Carnet, eventually: Eventually) -> None:
    runner = await carnet.spawn("up")
    await eventually(lambda: "postgres" in carnet.records())
    running = carnet.records()
    runner.send_signal(signal.SIGINT)
    await runner.communicate()
    assert not [name for name, record in running.items() if record.is_alive()]
    assert carnet.records() == {}


async def test_a_start_after_a_killed_runner_takes_over(carnet: Carnet, eventually: Eventually) -> None:
    runner = await carnet.spawn("up")
    await eventually(carnet.ready, within=60)
    before = carnet.records()
    # A stopped process cannot react to the death of its parent: it is there when the next runner starts.
    os.kill(before["valkey"].pid, signal.SIGSTOP)
    runner.kill()
    await runner.wait()
    code, said = await carnet("up", "--detach")
    assert code == 0, said
    assert "left behind" in said
    assert not [name for name, record in before.items() if record.is_alive()]


async def test_a_dead_server_and_a_dead_service_are_started_again(
    carnet: Carnet, eventually: Eventually
) -> None:
    assert (await carnet("up", "--detach"))[0] == 0
    before = carnet.records()
    for name in ("nats", "waitlist"):
        psutil.Process(before[name].pid).kill()
    runner_log = carnet.directory / "logs" / "runner.log"
    await eventually(lambda: runner_log.read_text().count("is back") == 2)
    assert (await carnet("status"))[0] == 0
    assert carnet.records()["postgres"] == before["postgres"]


async def test_a_failing_migration_ends_the_start_with_its_words(carnet: Carnet) -> None:
    code, said = await carnet("up", "--detach", BROKEN="waitlist")
    assert code == 1
    assert "the migration of waitlist ended with exit code 1" in said
    assert "waitlist cannot migrate" in said
    assert carnet.records() == {}
    assert (await carnet("up", "--detach"))[0] == 0


async def test_a_taken_port_is_avoided_and_said(carnet: Carnet) -> None:
    state = open_state(carnet.directory)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        raw = json.loads((carnet.directory / "state.json").read_text())
        raw["ports"]["gateway_http"] = taken
        (carnet.directory / "state.json").write_text(json.dumps(raw))
        code, said = await carnet("up", "--detach")
    assert code == 0, said
    assert f"port {taken} is taken: gateway_http uses" in said
    assert state.ports.keys() == PREFERRED_PORTS.keys()


async def test_reset_names_and_removes_everything(carnet: Carnet) -> None:
    assert (await carnet("up", "--detach"))[0] == 0
    running = carnet.records()
    places = [place for place in (carnet.directory, refuge_of(carnet.directory)) if place.exists()]
    code, said = await carnet("reset")
    assert code == 0
    assert all(f"removing {place}" in said and not place.exists() for place in places)
    assert not [name for name, record in running.items() if record.is_alive()]
    assert (await carnet("reset"))[0] == 0
