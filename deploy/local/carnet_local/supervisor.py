"""Keeps programs running: starts them, waits until they are ready, restarts what dies, stops all in order.

Knows nothing about Carnet's services: a program is a command, an environment and an address to ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from carnet_local.errors import LocalFailure
from carnet_local.process import Child, together
from carnet_local.terminal import Terminal

_LADDER = ((signal.SIGTERM, 10.0),)
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
# A program that ran this long is restarted at once: its end is news, not a loop.
_SETTLED_SECONDS = 30.0
_LONGEST_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class Program:
    """One program to keep running; it is ready when a GET of http://<ready_address>/readyz answers 200."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready_address: str


class Supervised:
    """One program under supervision."""

    def __init__(
        self, program: Program, *, directory: Path, terminal: Terminal, hurry: asyncio.Event
    ) -> None:
        self.name = program.name
        self._program = program
        self._log = directory / "logs" / f"{program.name}.log"
        self._record = directory / "run" / f"{program.name}.json"
        self._terminal = terminal
        self._hurry = hurry
        self._child: Child | None = None
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._last_lines: deque[str] = deque(maxlen=8)

    async def start(self) -> None:
        """Start and return when ready; raises LocalFailure with the end of the log after a minute."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")
        try:
            await asyncio.wait_for(self._ready.wait(), _READY_SECONDS)
        except TimeoutError:
            what = f"{self.name} is not ready after {_READY_SECONDS:.0f} s"
            raise LocalFailure.with_log(what, self._log) from None

    async def stop(self) -> None:
        """Stop the program and its supervision."""
        self._stopping.set()
        if self._child is not None:
            await self._child.stop(_LADDER, hurry=self._hurry)
        if self._keeper is not None:
            await self._keeper

    async def _keep(self) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _SETTLED_SECONDS:
                backoff = _FIRST_BACKOFF_SECONDS
            end = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._terminal.service(
                self.name, f"died ({end}); starting again in {backoff:g} s. Its last lines:"
            )
            for line in self._last_lines:
                self._terminal.service(self.name, f"    {line}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)

    async def _run_once(self) -> int:
        child = await Child.spawn(
            self._program.command,
            record=self._record,
            environment=self._program.environment,
            output=asyncio.subprocess.PIPE,
        )
        self._child = child
        if self._stopping.is_set():  # asked while it was being started
            await child.stop(_LADDER, hurry=self._hurry)
        watches = [
            asyncio.create_task(self._copy_output(child)),
            asyncio.create_task(self._await_readiness()),
        ]
        try:
            code = await child.wait()
            # Its last words may still be in the pipe; a grandchild could hold that open for ever.
            await asyncio.wait(watches[:1], timeout=1)
            return code
        finally:
            for watch in watches:
                watch.cancel()

    async def _await_readiness(self) -> None:
        started = time.monotonic()
        while not await is_ready(self._program.ready_address):
            await asyncio.sleep(_POLL_SECONDS)
        if self._ready.is_set():
            self._terminal.service(self.name, f"is back, ready after {time.monotonic() - started:.1f} s")
        else:
            self._terminal.step(f"{self.name} is ready")
        self._ready.set()

    async def _copy_output(self, child: Child) -> None:
        unfinished = b""
        with self._log.open("ab", buffering=0) as log:
            while chunk := await child.output.read(1 << 16):
                log.write(chunk)
                *lines, unfinished = (unfinished + chunk).split(b"\n")
                unfinished = unfinished[-_LONGEST_LINE_BYTES:]
                for raw in lines:
                    line = raw.decode(errors="replace")
                    self._last_lines.append(line)
                    self._terminal.log_line(self.name, line)


async def is_ready(address: str) -> bool:
    """Ask http://<address>/readyz; anything but a prompt 200 is no."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


@asynccontextmanager
async def supervised(
    programs: Sequence[Program], *, directory: Path, terminal: Terminal, hurry: asyncio.Event
) -> AsyncIterator[list[Supervised]]:
    """Run programs: started at once, ready inside the block, stopped one by one in reverse order."""
    kept = [Supervised(p, directory=directory, terminal=terminal, hurry=hurry) for p in programs]
    try:
        await together(*(program.start() for program in kept))
        yield kept
    finally:
        for program in reversed(kept):
            await program.stop()
