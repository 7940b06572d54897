"""The bulk sender writes the texts of bulk sends a few minutes ahead of what may go out, and looks at opt-outs.

Decisions are in `use_cases.bulk_sends` and `use_cases.bulk_writing`. Replicas may run one each: recipients are taken up
by one of them, a slice at a time.
"""

import asyncio
from datetime import timedelta

import structlog

from chassis import context as work
from chassis.clock import Clock
from chassis.database import Database
from messaging.clients import Profiles
from messaging.domain.bulk_sends import BulkSend
from messaging.store import bulk_sends
from messaging.store.bulk_sends import Slice
from messaging.suppression import Suppressor
from messaging.use_cases import bulk_sends as cases
from messaging.use_cases.bulk_writing import write_slice
from messaging.use_cases.opt_outs import look_at_opt_outs

_BATCH = 20
_SLICES = 5  # of one bulk send before the next one's turn

_log = structlog.get_logger(__name__)


class BulkSender:
    """Looks after the bulk sends of all chains until it is stopped; sets `due` when there is something to send."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profiles: Profiles,
        suppressor: Suppressor,
        due: asyncio.Event,
        poll_seconds: float,
        ahead_seconds: float,
    ) -> None:
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._suppressor = suppressor
        self._due = due
        self._poll_seconds = poll_seconds
        self._ahead = timedelta(seconds=ahead_seconds)

    async def run(self) -> None:
        """Look after them for ever. Raises whatever stops it; the runtime starts it again."""
        while True:
            if await self.run_due() == 0:
                await asyncio.sleep(self._poll_seconds)

    async def run_due(self) -> int:
        """Do what is due now and return how many slices were written."""
        work.begin_work()
        await look_at_opt_outs(database=self._database, clock=self._clock)
        async with self._database.platform_transaction() as connection:
            found = await bulk_sends.due(connection, self._clock.now(), _BATCH)
        written = 0
        for chain_id, bulk_send_id in found:
            for _ in range(_SLICES):
                taken = await cases.take_slice(
                    database=self._database,
                    clock=self._clock,
                    chain_id=chain_id,
                    bulk_send_id=bulk_send_id,
                    ahead=self._ahead,
                )
                if taken is None or not await self._write(chain_id, *taken):
                    break
                written += 1
        return written

    async def _write(self, chain_id: str, bulk_send: BulkSend, part: Slice) -> bool:
        try:
            await write_slice(
                database=self._database,
                clock=self._clock,
                profiles=self._profiles,
                suppressor=self._suppressor,
                chain_id=chain_id,
                bulk_send=bulk_send,
                part=part,
            )
        except Exception as error:
            _log.error(
                "slice was not written",
                bulk_send_id=bulk_send.bulk_send_id,
                error=type(error).__name__,
                exc_info=error,
            )
            # If this fails as well, somebody takes the slice up once its lease is over.
            await cases.put_off(
                database=self._database, clock=self._clock, chain_id=chain_id, bulk_send=bulk_send, part=part
            )
            return False
        self._due.set()
        return True
