"""The receiver works on what was handed in: inbound texts in the order of their numbers, pictures, what is removed.

Decisions are in `use_cases`. Replicas may run one each: a number is worked on by one of them at a time.
"""

import asyncio
import contextlib
from collections.abc import Mapping

import structlog

from chassis import context as work
from chassis.clock import Clock
from chassis.database import Database
from chassis.object_removals import sweep_objects
from chassis.objects import ObjectStore
from messaging.providers import MediaSource
from messaging.store import intake as store
from messaging.suppression import Suppressor
from messaging.use_cases import intake
from messaging.use_cases.incoming_media import see_to_due_media

_LANES = 50
_AT_ONCE = 3  # below the pool's size, so that webhooks and calls of people are not kept waiting
# A carrier waits for its answer, and nobody for this: while texts come in, they are worked on one by one with pauses.
_AT_ONCE_WHILE_THEY_COME = 1
_GIVE_WAY_SECONDS = 0.015
_POLL_SECONDS = 1.0
_TIDY_SECONDS = 5.0  # between two looks at the quarantine and at objects to remove

_log = structlog.get_logger(__name__)


class Receiver:
    """Works until it is stopped; set `arrived` to make it look at once."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        suppressor: Suppressor,
        objects: ObjectStore,
        sources: Mapping[str, MediaSource],
        media_max_bytes: int,
        arrived: asyncio.Event,
        due: asyncio.Event,
    ) -> None:
        self._database = database
        self._clock = clock
        self._suppressor = suppressor
        self._objects = objects
        self._sources = sources
        self._media_max_bytes = media_max_bytes
        self._arrived = arrived
        self._due = due
        self._pictured = asyncio.Event()

    async def run(self) -> None:
        """Work on inbound texts for ever. Raises whatever stops it; the runtime starts it again."""
        while True:
            self._arrived.clear()
            if await self.run_due() == 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), _POLL_SECONDS)

    async def run_due(self) -> int:
        """Work on the texts that are due, and return how many that were."""
        async with self._database.platform_transaction() as connection:
            lanes = await store.due_lanes(connection, now=self._clock.now(), most=_LANES)
        slots = asyncio.Semaphore(_AT_ONCE_WHILE_THEY_COME if self._arrived.is_set() else _AT_ONCE)

        async def run_lane(chain_id: str, lane: int) -> int:
            async with slots:
                work.begin_work()
                is_done = await intake.work_on_next(
                    database=self._database,
                    clock=self._clock,
                    suppressor=self._suppressor,
                    chain_id=chain_id,
                    lane=lane,
                )
                if self._arrived.is_set():
                    await asyncio.sleep(_GIVE_WAY_SECONDS)
                return int(is_done)

        count = sum(await asyncio.gather(*(run_lane(chain_id, lane) for chain_id, lane in lanes)))
        if count:
            self._due.set()  # a text may have been answered
            self._pictured.set()
        return count

    async def run_media(self) -> None:
        """Fetch pictures for ever."""
        while True:
            self._pictured.clear()
            if await self.fetch_due_media() == 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._pictured.wait(), _POLL_SECONDS)

    async def fetch_due_media(self) -> int:
        """See to the pictures that are due, and return how many that were."""
        return await see_to_due_media(
            database=self._database,
            clock=self._clock,
            objects=self._objects,
            sources=self._sources,
            most_bytes=self._media_max_bytes,
        )

    async def tidy(self) -> None:
        """Tidy up for ever."""
        while True:
            await self.tidy_up()
            await asyncio.sleep(_TIDY_SECONDS)

    async def tidy_up(self) -> None:
        """Release what has a sender by now, remove objects that nobody needs, and measure what waits."""
        released = await intake.release_quarantine(
            database=self._database, clock=self._clock, suppressor=self._suppressor
        )
        if released:
            self._arrived.set()
        await sweep_objects(database=self._database, clock=self._clock, objects=self._objects)
        await intake.note_waiting(database=self._database)
