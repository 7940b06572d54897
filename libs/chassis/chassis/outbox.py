"""The relay: hands committed events to the broker, in order, and remembers which ones it confirmed.

Replicas of a service elect one relay by a session lock, so that order holds and nothing is leased.
Must not decode events.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta

import structlog
from nats.js import JetStreamContext
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.broker import Broker
from chassis.clock import Clock
from chassis.database import Database
from chassis.telemetry import OUTBOX_FAILURES, OUTBOX_PUBLISHED, OUTBOX_WAITING

_BATCH = 500
_WINDOW = 100  # publishes under way at once
_POLL_SECONDS = 0.5  # for rows that another replica committed
_KEEP = timedelta(
    hours=24
)  # published rows stay replayable: a broker's confirmation is no permission to forget
_KEEP_REQUESTS = timedelta(days=30)
_LOCK = 716254

_log = structlog.get_logger(__name__)
_Waiting = Sequence[Row[tuple[int, str, str, str, dict[str, str], bytes]]]


class OutboxRelay:
    """Publishes this service's outbox to its own stream."""

    name = "outbox relay"

    def __init__(
        self, database: Database, broker: Broker, *, stream: str, replicas: int, clock: Clock
    ) -> None:
        self._database = database
        self._broker = broker
        self._stream = stream
        self._replicas = replicas
        self._clock = clock

    async def run(self) -> None:
        """Relay for ever. Raises whatever stops it; the runtime starts it again."""
        await self._broker.declare_stream(self._stream, replicas=self._replicas)
        async with self._database.engine.connect() as session:
            leader = await session.execution_options(isolation_level="AUTOCOMMIT")
            while not (await leader.execute(text(f"select pg_try_advisory_lock({_LOCK})"))).scalar_one():
                await asyncio.sleep(_POLL_SECONDS)
            try:
                await self._relay(leader)
            finally:
                await session.invalidate()  # the lock ends with its session, reachable or not

    async def _relay(self, leader: AsyncConnection) -> None:
        next_purge = self._clock.now()
        while True:
            self._database.published.clear()
            if not await self.publish_waiting():
                # The session that holds the lock must still be there, or another replica relays already.
                await leader.execute(text("select 1"))
                if self._clock.now() >= next_purge:
                    await self._purge()
                    next_purge = self._clock.now() + timedelta(minutes=10)
                try:
                    await asyncio.wait_for(self._database.published.wait(), _POLL_SECONDS)
                except TimeoutError:
                    continue

    async def publish_waiting(self) -> int:
        """Publish one batch and return its size. Raises when the broker does not confirm all of it."""
        async with self._database.platform_transaction() as connection:
            found = await connection.execute(
                text(
                    "select position, event_id, event_type, chain_id, headers, body from outbox"
                    " where published_at is null order by position limit :most"
                ),
                {"most": _BATCH},
            )
            waiting: _Waiting = found.all()
        OUTBOX_WAITING.set(len(waiting))
        if not waiting:
            return 0
        jetstream = await self._broker.jetstream()
        for start in range(0, len(waiting), _WINDOW):
            await self._publish_window(jetstream, waiting[start : start + _WINDOW])
        return len(waiting)

    async def _publish_window(self, jetstream: JetStreamContext, rows: _Waiting) -> None:
        answers = await asyncio.gather(
            *(
                jetstream.publish(
                    f"{row.event_type}.{row.chain_id}",
                    row.body,
                    stream=self._stream,
                    headers={**_headers(row.headers), "Nats-Msg-Id": row.event_id},
                )
                for row in rows
            ),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        confirmed = [
            row.position
            for row, answer in zip(rows, answers, strict=True)
            if not isinstance(answer, BaseException)
        ]
        if confirmed:
            async with self._database.platform_transaction() as connection:
                await connection.execute(
                    text("update outbox set published_at = :now where position = any(:positions)"),
                    {"now": self._clock.now(), "positions": confirmed},
                )
            OUTBOX_PUBLISHED.inc(len(confirmed))
        if failures:
            # Later ones may have arrived before the failed ones are repeated: order is promised per entity, by version.
            OUTBOX_FAILURES.inc()
            raise failures[0]

    async def _purge(self) -> None:
        now = self._clock.now()
        async with self._database.platform_transaction() as connection:
            for statement, before in (
                ("delete from outbox where published_at < :before", now - _KEEP),
                # An event cannot be delivered again once its stream has dropped it.
                ("delete from inbox where received_at < :before", now - timedelta(days=15)),
                ("delete from requests where created_at < :before", now - _KEEP_REQUESTS),
            ):
                await connection.execute(text(statement), {"before": before})


def _headers(stored: dict[str, str] | str) -> dict[str, str]:
    return json.loads(stored) if isinstance(stored, str) else stored


async def republish(database: Database, *, hours: float, clock: Clock) -> int:
    """Publish again what was published in the last `hours` (at most 24 are kept); consumers drop what they have."""
    async with database.platform_transaction() as connection:
        result = await connection.execute(
            text("update outbox set published_at = null where published_at >= :since"),
            {"since": clock.now() - timedelta(hours=hours)},
        )
        return result.rowcount
