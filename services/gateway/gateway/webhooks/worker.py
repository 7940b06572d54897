"""The loop that delivers: some tasks at once, each with one endpoint in its hands. Must not know what is delivered."""

import asyncio
from collections.abc import Awaitable, Callable

_AT_ONCE = 8  # slow receivers hold up their own endpoint and at most this many workers
POLL_SECONDS = 1.0


class DeliveryWorker:
    """Delivers whatever is due, woken when something is enqueued here and by a poll otherwise."""

    def __init__(
        self, deliver_next: Callable[[], Awaitable[bool]], *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._deliver_next = deliver_next
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Condition()

    async def wake(self) -> None:
        """Say that something may be due."""
        async with self._wake:
            self._wake.notify_all()

    async def run(self) -> None:
        """Deliver for ever. Raises whatever stops it; the runtime starts it again."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            if await self._deliver_next():
                await self.wake()  # the endpoint may have more, and somebody may be idle
                continue
            async with self._wake:
                try:
                    await asyncio.wait_for(self._wake.wait(), self._poll_seconds)
                except TimeoutError:
                    continue
