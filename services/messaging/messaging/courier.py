"""The courier carries due texts to the carrier and its answers back. Decisions are in `use_cases.delivery`.

No transaction is open while the carrier is called. Replicas may run one each: a message is taken up by one of them.
"""

import asyncio
from datetime import timedelta

import structlog

from chassis import context as work
from chassis.clock import Clock
from chassis.database import Database
from messaging.providers import Accepted, Carrier, Receipt, Status
from messaging.store import messages
from messaging.suppression import Suppressor
from messaging.use_cases import delivery

_BATCH = 100
_AT_ONCE = 6  # below the pool's size, so that calls of people are not kept waiting

_log = structlog.get_logger(__name__)


class Courier:
    """Runs errands for all chains until it is stopped; set `due` to make it look at once."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        carrier: Carrier,
        suppressor: Suppressor,
        due: asyncio.Event,
        poll_seconds: float,
        timeout_seconds: float,
        lease_seconds: float,
    ) -> None:
        self._database = database
        self._clock = clock
        self._carrier = carrier
        self._suppressor = suppressor
        self._due = due
        self._poll_seconds = poll_seconds
        self._timeout_seconds = timeout_seconds
        self._lease = timedelta(seconds=lease_seconds)

    async def run(self) -> None:
        """Run errands for ever. Raises whatever stops it; the runtime starts it again."""
        while True:
            self._due.clear()
            if await self.run_due() == 0:
                try:
                    await asyncio.wait_for(self._due.wait(), self._poll_seconds)
                except TimeoutError:
                    continue

    async def run_due(self) -> int:
        """Run what is due now and return how many errands there were for the carrier."""
        async with self._database.platform_transaction() as connection:
            due = await messages.due(connection, self._clock.now(), _BATCH)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def run(chain_id: str, message_id: str) -> bool:
            async with gate:
                try:
                    return await self._run_errand(chain_id, message_id)
                except Exception as error:
                    # It stays due: by its own time, or once the lease is over.
                    _log.error(
                        "errand failed", message_id=message_id, error=type(error).__name__, exc_info=error
                    )
                    return False

        return sum(await asyncio.gather(*(run(chain_id, message_id) for chain_id, message_id in due)))

    async def _run_errand(self, chain_id: str, message_id: str) -> bool:
        work.begin_work()
        errand = await delivery.take_errand(
            database=self._database,
            clock=self._clock,
            suppressor=self._suppressor,
            chain_id=chain_id,
            message_id=message_id,
            lease=self._lease,
        )
        if errand is None:
            return False
        if errand.is_question:
            await self._ask(errand)
        else:
            await self._send(errand)
        return True

    async def _send(self, errand: delivery.Errand) -> None:
        text = errand.text
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._carrier.send(text)
        except Exception as error:
            _log.warning(
                "the carrier's answer was lost", reference=text.reference, error=type(error).__name__
            )
            await delivery.note_lost(database=self._database, clock=self._clock, text=text)
            return
        if isinstance(answer, Accepted):
            await delivery.note_accepted(
                database=self._database, clock=self._clock, text=text, accepted=answer
            )
        else:
            await delivery.note_refused(
                database=self._database,
                clock=self._clock,
                suppressor=self._suppressor,
                text=text,
                code=answer.code,
            )

    async def _ask(self, errand: delivery.Errand) -> None:
        text = errand.text
        async with asyncio.timeout(self._timeout_seconds):
            found = await self._carrier.find(text)
        if found is None:
            await delivery.note_absent(
                database=self._database, clock=self._clock, text=text, lease=self._lease
            )
            return
        await delivery.note_accepted(
            database=self._database, clock=self._clock, text=text, accepted=found.accepted
        )
        if found.status is not Status.SENT:
            receipt = Receipt(
                text.chain_id,
                text.reference,
                found.accepted.provider_message_id,
                found.status,
                found.error_code,
            )
            await delivery.note_receipt(
                database=self._database, clock=self._clock, suppressor=self._suppressor, receipt=receipt
            )
