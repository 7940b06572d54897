"""Keep what a carrier hands in and answer at once; work on it afterwards, once, in the order of its number.

Keeping is all that the carrier waits for: it looks nobody up but the chain, decides nothing, and calls nobody.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database
from chassis.ids import new_id
from messaging.domain import Channel
from messaging.providers import InboundText
from messaging.store import intake as store
from messaging.suppression import Suppressor
from messaging.telemetry import INBOUND_FAILURES, INBOUND_WAITING, QUARANTINE_SIZE, QUARANTINED
from messaging.use_cases.inbound import take_in

# A text that cannot be worked on keeps those behind it waiting for so long; then they go first, and it is tried on.
_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 15, 60, 300))
_LAST_PAUSE = timedelta(minutes=10)
_BATCH = 50

_log = structlog.get_logger(__name__)


class Directory:
    """Whose a number is. A sender's number is for good, so what was found by it once need not be asked again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[Channel, str], str] = {}

    async def chain_of(self, inbound: InboundText, messaging_service_id: str) -> str | None:
        """Return whose text it is, None when it is nobody's."""
        key = (inbound.channel, inbound.to_phone)
        if key in self._known:
            return self._known[key]
        async with self._database.platform_transaction() as connection:
            chain_id, by_number = await store.chain_of(
                connection,
                channel=inbound.channel,
                phone=inbound.to_phone,
                messaging_service_id=messaging_service_id,
            )
        if chain_id is not None and by_number:
            self._known[key] = chain_id
        return chain_id


async def keep_text(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    directory: Directory,
    inbound: InboundText,
    raw: Mapping[str, Any],
    messaging_service_id: str,
) -> bool:
    """Keep an inbound text, in quarantine when it is nobody's. False when it was handed in before."""
    now = clock.now()
    chain_id = await directory.chain_of(inbound, messaging_service_id)
    if chain_id is None:
        async with database.platform_transaction() as connection:
            is_new = await store.quarantine(
                connection, inbound, raw, messaging_service_id=messaging_service_id, now=now
            )
            QUARANTINE_SIZE.set(await store.count_quarantined(connection))
        if is_new:
            QUARANTINED.inc()
            _log.error(
                "an inbound text is nobody's: no sender has its number",
                provider=inbound.provider,
                provider_message_id=inbound.provider_message_id,
            )
        return is_new
    async with database.transaction(chain_id) as tx:
        return await store.keep(
            tx,
            inbound,
            raw,
            message_id=new_id("msg"),
            lane=lane_of(suppressor, chain_id, inbound.from_phone),
            now=now,
        )


def lane_of(suppressor: Suppressor, chain_id: str, phone: str) -> int:
    """Return the lane of a number: the same for the same number, and nothing that a number could be read from."""
    return int.from_bytes(suppressor.hash_of(chain_id, phone)[:8], signed=True)


async def release_quarantine(*, database: Database, clock: Clock, suppressor: Suppressor) -> int:
    """Hand texts to the chain that has their number by now, and return how many that were."""
    async with database.platform_transaction() as connection:
        waiting = await store.quarantined(connection, most=_BATCH)
    count = 0
    for inbound, service, raw, received_at in waiting:
        async with database.platform_transaction() as connection:
            chain_id, _ = await store.chain_of(
                connection, channel=inbound.channel, phone=inbound.to_phone, messaging_service_id=service
            )
        if chain_id is None:
            continue
        async with database.transaction(chain_id) as tx:
            await store.keep(
                tx,
                inbound,
                raw,
                message_id=new_id("msg"),
                lane=lane_of(suppressor, chain_id, inbound.from_phone),
                now=received_at,
            )
        async with database.platform_transaction() as connection:
            await store.leave_quarantine(connection, inbound)
            QUARANTINE_SIZE.set(await store.count_quarantined(connection))
        count += 1
    return count


async def work_on_next(
    *, database: Database, clock: Clock, suppressor: Suppressor, chain_id: str, lane: int
) -> bool:
    """Work on a lane's next text; False when there is none, it is not due, or another worker is at the lane.

    The text is taken out of its lane by the transaction that makes it a message: it is worked on once, whatever fails.
    """
    try:
        async with database.transaction(chain_id) as tx:
            kept = await store.take_next(tx, lane, now=clock.now())
            if kept is None:
                return False
            await store.settle(tx, kept.inbound)
            if not kept.inbound.from_phone:
                return True  # an erasure was faster
            sender = await store.find_sender(tx, kept)
            if sender is None:
                raise LookupError("the sender is gone")
            await identities.hold(tx)
            await take_in(
                tx,
                kept.inbound,
                sender=sender,
                message_id=kept.message_id,
                received_at=kept.received_at,
                suppressor=suppressor,
                now=clock.now(),
            )
            return True
    except Exception as error:
        INBOUND_FAILURES.inc()
        _log.error("an inbound text could not be worked on", error=type(error).__name__, exc_info=error)
        await _postpone(database, clock, chain_id, lane)
        return False


async def _postpone(database: Database, clock: Clock, chain_id: str, lane: int) -> None:
    async with database.transaction(chain_id) as tx:
        failed = await store.take_next(tx, lane, now=clock.now())
        if failed is None:
            return
        is_last = failed.attempts >= len(_PAUSES)
        pause = _LAST_PAUSE if is_last else _PAUSES[failed.attempts]
        await store.postpone(tx, lane, due_time=clock.now() + pause, to_the_end=is_last)


async def note_waiting(*, database: Database) -> None:
    """Measure how much waits."""
    async with database.platform_transaction() as connection:
        INBOUND_WAITING.set(await store.count_waiting(connection))
        QUARANTINE_SIZE.set(await store.count_quarantined(connection))
