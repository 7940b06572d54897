"""What can be done to a running Carnet from another terminal: start detached, stop, remove, read logs, ask.

Talks to the runner only through files and signals, so that it works on a runner that hangs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from carnet_local.account import own_refuge
from carnet_local.errors import LocalFailure
from carnet_local.nats_permissions import SERVICES
from carnet_local.process import ProcessRecord, stop_orphans
from carnet_local.runner import is_up, runner_record
from carnet_local.services import metrics_address
from carnet_local.state import read_state
from carnet_local.supervisor import is_ready
from carnet_local.terminal import Terminal

# Generous: the first start migrates and seeds on a slow machine.
_DETACHED_START_SECONDS = 600.0
_POLL_SECONDS = 0.1
# A second signal hurries; the runner's own ordered stop is bounded by ten seconds a service.
_RUNNER_LADDER = ((signal.SIGTERM, 60.0), (signal.SIGTERM, 20.0))


def running_record(directory: Path) -> ProcessRecord | None:
    """Find the living runner of a state directory."""
    record = ProcessRecord.read(runner_record(directory))
    return record if record is not None and record.is_alive() else None


async def up_detached(directory: Path, terminal: Terminal) -> int:
    """Start `up` in a session of its own, repeat what it says until all is ready; returns the exit code."""
    logs = directory / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = logs / "runner.log"
    if running_record(directory) is None:
        log.unlink(missing_ok=True)
    with log.open("ab") as output:
        start = log.stat().st_size
        runner = subprocess.Popen(  # noqa: ASYNC220 - it must outlive this loop
            [sys.executable, "-m", "carnet_local", "up"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, "CARNET_STATE_DIR": str(directory)},
        )  # fmt: skip
    deadline = time.monotonic() + _DETACHED_START_SECONDS
    with log.open() as said:
        said.seek(start)
        while True:
            # Looked at before reading, so that what was said by then is repeated before we leave.
            code, ready = runner.poll(), is_up(directory, runner.pid)
            for line in said.read().splitlines():
                terminal.say(line)
            if code is not None:
                return code
            if ready:
                return 0
            if time.monotonic() > deadline:
                raise LocalFailure.with_log("the start takes too long; `make down` stops it", log)
            await asyncio.sleep(_POLL_SECONDS)


async def down(directory: Path, terminal: Terminal) -> int:
    """Stop the runner and whatever a killed one left; returns 0 also when nothing ran."""
    runner = running_record(directory)
    if runner is not None:
        terminal.step(f"stopping (process {runner.pid})")
        await runner.stop(_RUNNER_LADDER)
    left_behind = await stop_orphans(directory / "run")
    if runner is None and not left_behind:
        terminal.say("Nothing is running.")
    else:
        terminal.step(f"stopped{': ' + ', '.join(left_behind) if left_behind else ''}")
    return 0


async def reset(directory: Path, terminal: Terminal) -> int:
    """Stop everything and remove all data, after naming what is removed."""
    places = [place for place in (directory, own_refuge(directory)) if place is not None and place.exists()]
    for place in places:
        terminal.say(f"removing {place}")
    await down(directory, terminal)
    for place in places:
        shutil.rmtree(place)
    return 0


async def status(directory: Path, terminal: Terminal) -> int:
    """Print what runs; returns 0 when every service is ready, else 1."""
    state = read_state(directory)
    runner = running_record(directory)
    if state is None or runner is None:
        terminal.say("Nothing is running.")
        return 1
    terminal.say(f"Carnet runs at {state.api_url} (process {runner.pid})")
    answers = await asyncio.gather(*(is_ready(metrics_address(state, service)) for service in SERVICES))
    for service, ready in zip(SERVICES, answers, strict=True):
        terminal.service(service, "ready" if ready else "not ready")
    return 0 if all(answers) else 1


async def env(directory: Path, terminal: Terminal) -> int:
    """Print the gateway's address and the operator's key as shell lines; returns 1 before the first start."""
    state = read_state(directory)
    if state is None:
        terminal.trouble("Carnet was never started here: run `make up`.")
        return 1
    terminal.say(f"export CARNET_API={state.api_url}\nexport CARNET_OPERATOR_KEY={state.operator_key}")
    return 0


async def logs(directory: Path, terminal: Terminal, *, name: str | None, follow: bool) -> int:
    """Print one log, or all of them with prefixes; `follow` goes on until interrupted."""
    folder = directory / "logs"
    if name is not None and not (folder / f"{name}.log").exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet"
        terminal.trouble(f"there is no log {name}; there are: {known}")
        return 1
    printed: dict[Path, int] = {}
    while True:
        for path in sorted(folder.glob(f"{name or '*'}.log")):
            start = printed.get(path, 0)
            if path.stat().st_size < start:  # rotated by a new start
                start = 0
            with path.open("rb") as file:
                file.seek(start)
                # An unfinished last line waits for its end, unless nobody will come back for it.
                text = file.read()
                text = text[: text.rfind(b"\n") + 1] if follow else text
            printed[path] = start + len(text)
            for line in text.decode(errors="replace").splitlines():
                if name is None:
                    terminal.service(path.stem, line)
                else:
                    terminal.say(line)
        if not follow:
            return 0
        await asyncio.sleep(_POLL_SECONDS)
