"""The supervisor restarts what dies and stops all in order; on tiny programs that answer /readyz."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import textwrap
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import psutil
import pytest

from carnet_local import supervisor
from carnet_local.errors import LocalFailure
from carnet_local.ports import free_port
from carnet_local.process import ProcessRecord, stop_orphans
from carnet_local.supervisor import Program, Supervised, is_ready, supervised
from carnet_local.terminal import Terminal

Eventually = Callable[..., Awaitable[None]]

SERVICE = textwrap.dedent("""
    import os, signal, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    name, port, diary, manner = sys.argv[1:]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()
        def log_message(self, *arguments):
            pass

    def end(*_):
        with open(diary, "a") as file:
            print(name, file=file)
        sys.exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else end)
    print('{"level": "info", "event": "quiet"}')
    print('{"level": "warning", "event": "loud"}')
    print("x" * 3_000_000, flush=True)
    if manner == "broken":
        raise RuntimeError("no such table")
    HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
""")


class Bench:
    """Programs to supervise, what the terminal said, and the order in which they ended."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said = io.StringIO()
        self.terminal = Terminal(self.said)
        self.hurry = asyncio.Event()
        self.diary = directory / "diary"

    def program(self, name: str, manner: str = "polite") -> Program:
        port = free_port()
        command = [sys.executable, "-c", SERVICE, name, str(port), str(self.diary), manner]
        return Program(name, command, dict(os.environ), f"127.0.0.1:{port}")

    def supervise(self, *programs: Program) -> AbstractAsyncContextManager[list[Supervised]]:
        return supervised(programs, directory=self.directory, terminal=self.terminal, hurry=self.hurry)

    def pid(self, name: str) -> int:
        record = ProcessRecord.read(self.directory / "run" / f"{name}.json")
        assert record is not None
        return record.pid


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_programs_are_ready_inside_and_stopped_in_reverse_order(bench: Bench) -> None:
    programs = [bench.program(name) for name in ("one", "two", "three")]
    async with bench.supervise(*programs):
        assert all([await is_ready(program.ready_address) for program in programs])
        assert not await is_ready(f"127.0.0.1:{free_port()}")
    assert bench.diary.read_text().split() == ["three", "two", "one"]
    assert list((bench.directory / "run").iterdir()) == []


async def test_a_dead_program_is_restarted_and_that_is_said(bench: Bench, eventually: Eventually) -> None:
    program = bench.program("one")
    async with bench.supervise(program):
        os.kill(bench.pid("one"), signal.SIGKILL)
        await eventually(lambda: "is back" in bench.said.getvalue())
        assert await is_ready(program.ready_address)
    assert "died (signal 9); starting again in 0.5 s" in bench.said.getvalue()


async def test_a_program_that_never_gets_ready_fails_with_its_last_words(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_READY_SECONDS", 1.5)
    with pytest.raises(LocalFailure, match=r"(?s)broken is not ready.*no such table"):
        async with bench.supervise(bench.program("one"), bench.program("broken", "broken")):
            pytest.fail("it must not get here")
    assert bench.diary.read_text().split() == ["one"]
    assert "no such table" in bench.said.getvalue()


async def test_hurrying_cuts_the_grace_of_a_stubborn_program(bench: Bench) -> None:
    async with bench.supervise(bench.program("one", "stubborn")):
        pid = bench.pid("one")
        bench.hurry.set()
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 5
    assert not psutil.pid_exists(pid)


async def test_the_terminal_shows_warnings_and_the_file_has_everything(bench: Bench) -> None:
    async with bench.supervise(bench.program("one")):
        pass
    assert "warning: loud" in bench.said.getvalue()
    assert "quiet" not in bench.said.getvalue()
    log = (bench.directory / "logs" / "one.log").read_text()
    assert "quiet" in log
    assert len(log) > 3_000_000


async def test_one_previous_log_is_kept(bench: Bench) -> None:
    for _ in range(3):
        async with bench.supervise(bench.program("one")):
            pass
    assert sorted(p.name for p in (bench.directory / "logs").iterdir()) == ["one.log", "one.log.1"]


async def test_orphans_are_stopped_and_strangers_are_not(tmp_path: Path) -> None:
    orphan = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
    own = ProcessRecord.find(orphan.pid)
    ourselves = ProcessRecord.find(os.getpid())
    assert own is not None
    assert ourselves is not None
    own.write(tmp_path / "orphan.json")
    ProcessRecord(ourselves.pid, ourselves.started - 3600).write(tmp_path / "stranger.json")
    (tmp_path / "torn.json").write_text('{"pid"')
    assert await stop_orphans(tmp_path) == ["orphan"]
    assert await orphan.wait() != 0
    assert list(tmp_path.iterdir()) == []
