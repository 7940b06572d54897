"""Start things in order, keep background tasks going, stop everything in reverse. Must not know what it runs."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from chassis.telemetry import TASK_CRASHES

_log = structlog.get_logger(__name__)
_BACKOFF = (0.2, 0.5, 1.0, 2.0)  # seconds between a task's failure and its next start
_CANCEL_SECONDS = 1.0
_STOP_SECONDS = (
    60.0  # for one component, its drain included; whoever runs the process kills it sooner or later
)
_STEADY_SECONDS = 30.0  # a task that ran so long starts over at the shortest wait


class Component(Protocol):
    """A part of a process with a beginning and an end."""

    @property
    def name(self) -> str: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Background:
    """A component that keeps one coroutine function running, and starts it again when it fails."""

    def __init__(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._run = run
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin in the background."""
        self._stopping = False
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    async def stop(self) -> None:
        """Cancel it and wait until it has let go."""
        self._stopping = True
        # More than once: work that fails while it is being cancelled turns the cancellation into its own error.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_SECONDS)

    async def _keep_running(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self._run()
                return
            except Exception as error:
                if self._stopping:
                    return
                failures = 0 if loop.time() - started > _STEADY_SECONDS else failures
                wait = _BACKOFF[min(failures, len(_BACKOFF) - 1)]
                failures += 1
                TASK_CRASHES.labels(self.name).inc()
                _log.warning("task failed, starts again", task=self.name, error=type(error).__name__,
                             wait=wait, exc_info=error if failures == 1 else None)  # fmt: skip
                await asyncio.sleep(wait)


def every(seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Return a coroutine function that does `work` again and again with `seconds` between; for Background."""

    async def run() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return run


async def start_all(components: Sequence[Component]) -> None:
    """Start in order; when one fails, stop those that run, in reverse, and raise its error."""
    started: list[Component] = []
    try:
        for component in components:
            await component.start()
            started.append(component)
    except BaseException:
        await stop_all(started)
        raise


async def stop_all(components: Sequence[Component], *, within: float = _STOP_SECONDS) -> None:
    """Stop in reverse order; one that fails to stop, or takes more than `within` seconds, does not keep the others."""
    for component in reversed(components):
        stopping = asyncio.create_task(component.stop(), name=f"stop {component.name}")
        # Not wait_for: it waits for what it cancels, and what hangs here may not let go even then.
        await asyncio.wait([stopping], timeout=within)
        if not stopping.done():
            stopping.cancel()
            _log.error("does not stop, left behind", component=component.name, within=within)
        elif not stopping.cancelled() and (error := stopping.exception()) is not None:
            _log.error("could not stop cleanly", component=component.name, exc_info=error)


async def run_until_signalled(components: Sequence[Component]) -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await start_all(components)
    _log.info("serving")
    await stopping.wait()
    _log.info("stopping")
    await stop_all(components)
    _log.info("stopped")
