"""Ordered start and stop, and background work that fails."""

import asyncio
from contextlib import suppress

import pytest

from chassis.runtime import Background, start_all, stop_all
from chassis.testing import eventually


class Part:
    """Writes down what happens to it."""

    def __init__(self, name: str, log: list[str], *, fails: bool = False) -> None:
        self.name, self._log, self._fails = name, log, fails

    async def start(self) -> None:
        if self._fails:
            raise OSError(self.name)
        self._log.append(f"start {self.name}")

    async def stop(self) -> None:
        self._log.append(f"stop {self.name}")
        if self.name == "stubborn":
            raise RuntimeError(self.name)


async def test_parts_stop_in_reverse_even_when_one_refuses() -> None:
    log: list[str] = []
    parts = [Part(name, log) for name in ("a", "stubborn", "c")]
    await start_all(parts)
    await stop_all(parts)
    assert log == ["start a", "start stubborn", "start c", "stop c", "stop stubborn", "stop a"]


async def test_a_part_that_cannot_start_takes_the_started_ones_down() -> None:
    log: list[str] = []
    with pytest.raises(OSError, match="b"):
        await start_all([Part("a", log), Part("b", log, fails=True), Part("c", log)])
    assert log == ["start a", "stop a"]


async def test_a_part_that_does_not_stop_is_left_behind() -> None:
    log: list[str] = []

    class Stuck(Part):
        async def stop(self) -> None:
            log.append("stuck")
            while True:
                with suppress(asyncio.CancelledError):
                    await let_go.wait()
                    return

    let_go = asyncio.Event()
    parts = [Part("a", log), Stuck("b", log)]
    await start_all(parts)
    await stop_all(parts, within=0.05)
    assert log == ["start a", "start b", "stuck", "stop a"]
    let_go.set()


async def test_background_work_that_fails_starts_again() -> None:
    starts = 0

    async def fail_once() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise RuntimeError
        await asyncio.Event().wait()

    background = Background("work", fail_once)
    await background.start()
    await eventually(lambda: starts == 2)
    await background.stop()


async def test_background_work_that_fails_while_it_is_cancelled_stops_all_the_same() -> None:
    starts = 0

    async def fail_on_the_way_out() -> None:
        nonlocal starts
        starts += 1
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError

    background = Background("work", fail_on_the_way_out)
    await background.start()
    await eventually(lambda: starts == 1)
    await asyncio.wait_for(background.stop(), 10)
    assert starts == 1
