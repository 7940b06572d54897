"""Writes down in sets what comes in one by one: while one set is written, the next one gathers. Must not decide."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Word = TypeVar("Word")

_MOST = 200


class Answers(Generic[Word]):
    """One queue for each chain, one writer at a time for each queue; `add` returns when what it added was written.

    A writer waits `gather_seconds` for more before it begins.
    """

    def __init__(
        self, write: Callable[[str, Sequence[Word]], Awaitable[None]], *, gather_seconds: float = 0
    ) -> None:
        self._write = write
        self._gather_seconds = gather_seconds
        self._waiting: dict[str, list[tuple[Sequence[Word], asyncio.Future[None]]]] = {}
        self._writers: set[asyncio.Task[None]] = set()

    async def add(self, chain_id: str, *words: Word) -> None:
        """Have words written down, in this order; raises what writing them raises."""
        written = asyncio.get_running_loop().create_future()
        if chain_id in self._waiting:
            self._waiting[chain_id].append((words, written))
        else:
            self._waiting[chain_id] = [(words, written)]
            writer = asyncio.create_task(self._write_waiting(chain_id))
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        await written

    async def _write_waiting(self, chain_id: str) -> None:
        while self._waiting[chain_id]:
            if self._gather_seconds:
                await asyncio.sleep(self._gather_seconds)
            waiting = self._waiting[chain_id]
            some, self._waiting[chain_id] = waiting[:_MOST], waiting[_MOST:]
            failure: BaseException | None = None
            try:
                await self._write(chain_id, [word for words, _ in some for word in words])
            except BaseException as error:
                failure = error
            for _, written in some:
                if written.done():
                    continue
                if failure is None:
                    written.set_result(None)
                else:
                    written.set_exception(failure)
        del self._waiting[chain_id]
