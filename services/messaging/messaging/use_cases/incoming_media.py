"""Fetch the pictures of inbound texts from the networks that keep them. No transaction is open meanwhile.

What a network hands in is a stranger's: its bytes are counted as they come, and told by themselves what they are.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta

import structlog

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from chassis.objects import ObjectStore
from messaging.domain.media import HEAD_BYTES, MediaState, MediaTypeMismatch, Medium, type_of
from messaging.providers import InboundText, MediaNotThere, MediaSource
from messaging.store import media as store
from messaging.use_cases.media import Reading, keep_object, plan_object

# When a picture could not be fetched; after the last pause it is given up.
_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600))
_BATCH = 20

_log = structlog.get_logger(__name__)


async def expect_media(tx: Transaction, inbound: InboundText, message_id: str, *, now: datetime) -> None:
    """Note the pictures of an inbound text, to be fetched after the commit."""
    media_ids = []
    for url, content_type in inbound.media:
        medium = Medium(
            new_id("med"),
            content_type.partition(";")[0].strip().lower()[:100],
            "",
            MediaState.PENDING,
            now,
            provider=inbound.provider,
            source_url=url,
        )
        await store.add(tx, medium)
        await store.make_due(tx, medium.media_id, now)
        media_ids.append(medium.media_id)
    await store.link(tx, message_id, media_ids)


async def see_to_due_media(
    *,
    database: Database,
    clock: Clock,
    objects: ObjectStore,
    sources: Mapping[str, MediaSource],
    most_bytes: int,
) -> int:
    """Fetch what is to be fetched, forget what no message ever had, and return how many pictures that were."""
    async with database.platform_transaction() as connection:
        due = await store.take_due(connection, now=clock.now(), limit=_BATCH)
    for chain_id, media_id, attempts in due:
        async with database.transaction(chain_id) as tx:
            medium = await store.find(tx, media_id)
            if medium is None or medium.state is not MediaState.PENDING or not medium.source_url:
                await store.forget_unused(tx, media_id)
                await store.make_settled(tx, media_id)
                continue
        try:
            await _fetch(database, clock, objects, sources[medium.provider], chain_id, medium, most_bytes)
        except Exception as error:
            await _note_failure(database, clock, chain_id, media_id, attempts, error)
    return len(due)


async def _fetch(
    database: Database,
    clock: Clock,
    objects: ObjectStore,
    source: MediaSource,
    chain_id: str,
    medium: Medium,
    most_bytes: int,
) -> None:
    async with database.transaction(chain_id) as tx:
        written = await plan_object(tx, clock)
    async with source.open_media(chain_id, medium.source_url) as chunks:
        content_type, whole = await _told_by_itself(chunks, medium.content_type)
        reading = Reading(whole, content_type, most_bytes)
        async with aclosing(reading.chunks()) as coming:
            await objects.put(written, coming)
    async with database.transaction(chain_id) as tx:
        current = await store.find(tx, medium.media_id, lock=True)
        if current is not None and current.state is MediaState.PENDING:
            await keep_object(tx, current, written, reading)
            await store.make_settled(tx, medium.media_id)


async def _told_by_itself(chunks: AsyncIterator[bytes], announced: str) -> tuple[str, AsyncIterator[bytes]]:
    """Return what the first bytes say that a picture is, and all of its bytes. Raises MEDIA_TYPE_MISMATCH."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    if (found := type_of(head)) is None:
        raise MediaTypeMismatch(announced, None)

    async def whole() -> AsyncIterator[bytes]:
        yield head
        async for chunk in chunks:
            yield chunk

    return found, whole()


async def _note_failure(
    database: Database, clock: Clock, chain_id: str, media_id: str, attempts: int, error: Exception
) -> None:
    is_final = (
        isinstance(error, MediaNotThere)
        or (isinstance(error, ServiceError) and error.kind is Kind.INVALID)
        or attempts >= len(_PAUSES)
    )
    async with database.transaction(chain_id) as tx:
        if not is_final:
            await store.make_due(tx, media_id, clock.now() + _PAUSES[attempts])
            return
        await store.set_refused(tx, media_id)
        await store.make_settled(tx, media_id)
    reason = error.reason if isinstance(error, ServiceError) else type(error).__name__
    _log.warning("a picture of a client was not taken", media_id=media_id, reason=reason)
