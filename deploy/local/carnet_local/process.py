"""Child processes that end with us, can be found again after a crash, and stop in bounded time.

Knows nothing about which program it runs. POSIX only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from carnet_local.errors import LocalFailure

_TETHER = Path(__file__).with_name("tether.py")
_POLL_SECONDS = 0.02
# psutil derives a start time from the boot time, which moves a little when the clock is set.
_START_TOLERANCE_SECONDS = 2.0

Ladder = Sequence[tuple[signal.Signals, float]]
"""Signals to try in turn, each with the seconds it is given before the next; SIGKILL follows the last."""


@dataclass(frozen=True)
class Account:
    """An operating system account to run a program as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class ProcessRecord:
    """What identifies one process for ever: a pid alone may belong to a stranger after a reboot."""

    pid: int
    started: float

    @classmethod
    def find(cls, pid: int) -> ProcessRecord | None:
        """Describe the process that has this number now, if any."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """Read a record; None when there is none or it was cut off by a crash."""
        try:
            fields = json.loads(path.read_text())
            return cls(int(fields["pid"]), float(fields["started"]))
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def write(self, path: Path) -> None:
        """Write the record where `read` finds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)))

    def is_alive(self) -> bool:
        """Say whether this very process still runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _START_TOLERANCE_SECONDS
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def working_directory(self) -> Path | None:
        """Say where the process works; None when it is gone or may not be looked at."""
        try:
            return Path(psutil.Process(self.pid).cwd())
        except psutil.Error:
            return None

    async def stop(self, ladder: Ladder) -> None:
        """Stop a process that need not be our child; raises LocalFailure if not even SIGKILL ends it."""
        for number, grace in (*ladder, (signal.SIGKILL, 5.0)):
            if not self.is_alive():
                return
            _send(self.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    while self.is_alive():
                        await asyncio.sleep(_POLL_SECONDS)
        if self.is_alive():
            raise LocalFailure(f"process {self.pid} does not end")


class Child:
    """One running child process with its record on disk."""

    def __init__(self, process: asyncio.subprocess.Process, record: Path) -> None:
        self._process = process
        self._record = record

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str | Path],
        *,
        record: Path,
        environment: Mapping[str, str],
        output: IO[bytes] | int,
        account: Account | None = None,
        parent_death_signal: signal.Signals = signal.SIGTERM,
        directory: Path | None = None,
    ) -> Child:
        """Start a program in a session of its own, so that the terminal's Ctrl-C reaches only the runner.

        Must be called from a thread that lives as long as the child: the kernel's parent-death signal follows
        the thread. `output` takes stdout and stderr together.
        """
        uid, gid = (account.uid, account.gid) if account else (-1, -1)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_TETHER),
            str(os.getpid()), str(int(parent_death_signal)), str(uid), str(gid), *map(str, command),
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT,
            env=dict(environment), cwd=directory, start_new_session=True,
        )  # fmt: skip
        found = ProcessRecord.find(process.pid)
        if found is not None:
            found.write(record)
        return cls(process, record)

    @property
    def pid(self) -> int:
        """The process id, which stays the same when the tether becomes the program."""
        return self._process.pid

    @property
    def output(self) -> asyncio.StreamReader:
        """The child's output, when it was spawned with a pipe."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return await self._process.wait()

    async def stop(self, ladder: Ladder, *, hurry: asyncio.Event | None = None) -> None:
        """Stop the child by the ladder; `hurry`, once set, cuts every grace short."""
        for number, grace in (*ladder, (signal.SIGKILL, 5.0)):
            if self.exit_code is not None:
                break
            _send(self.pid, number)
            waits = [asyncio.ensure_future(self.wait())]
            if hurry is not None and number is not signal.SIGKILL:
                waits.append(asyncio.ensure_future(_set(hurry)))
            try:
                await asyncio.wait(waits, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        self._record.unlink(missing_ok=True)


def _send(pid: int, number: signal.Signals) -> None:
    # Not asyncio's send_signal: it polls first, and so steals the exit code from the watcher.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)  # a frozen process acts on nothing but SIGKILL


async def _set(event: asyncio.Event) -> int:
    return int(await event.wait())


async def run(
    command: Sequence[str | Path],
    *,
    record: Path,
    environment: Mapping[str, str],
    log: Path,
    account: Account | None = None,
    directory: Path | None = None,
) -> int:
    """Run a program to its end with its output in a log file; returns the exit code."""
    with log.open("wb") as output:
        child = await Child.spawn(
            command,
            record=record,
            environment=environment,
            output=output,
            account=account,
            directory=directory,
        )
    try:
        return await child.wait()
    finally:
        await child.stop([(signal.SIGTERM, 5.0)])


async def stop_orphans(records: Path, *, stubborn_seconds: float = 10.0) -> list[str]:
    """Stop what a killed runner left behind; returns the names of what was still running."""
    found: list[tuple[str, ProcessRecord]] = []
    for path in sorted(records.glob("*.json")):
        record = ProcessRecord.read(path)
        if record is not None and record.is_alive():
            found.append((path.stem, record))
    # SIGINT is Postgres's fast shutdown, and ends everything else as well as SIGTERM does.
    await together(*(record.stop([(signal.SIGINT, stubborn_seconds)]) for _, record in found))
    for path in records.glob("*.json"):
        path.unlink(missing_ok=True)
    return [name for name, _ in found]


async def together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all at once; the first failure cancels the others and is raised bare."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
