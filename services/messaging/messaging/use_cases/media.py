"""Announce pictures, take their content in, give it out, and hand them to messages.

Bytes and rows live in different places. An object is there before its row says so, and its row is gone before the
object is: what lies between is planned for removal, so a crash leaves nothing that is seen and nothing that stays.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid, not_found, unavailable
from chassis.ids import new_id
from chassis.object_removals import cancel_removal, plan_removal
from chassis.objects import ObjectMissing, ObjectStore, object_key
from messaging.domain.media import (
    HEAD_BYTES,
    MediaComplete,
    MediaEmpty,
    MediaRefused,
    MediaState,
    MediaTooLarge,
    Medium,
    require_announced,
    require_type,
)
from messaging.links import Links
from messaging.providers import Picture
from messaging.store import media as store

LINK = "media"
LINK_TIME = timedelta(hours=24)  # carriers fetch at once, and once more when their queue is long
UNUSED_TIME = timedelta(days=7)  # after which a picture that no message has is removed
UPLOAD_TIME = timedelta(hours=1)  # after which what an upload wrote is removed, unless it came through
# What carriers take in one message, all its pictures together; a larger one they would scale down, or refuse.
MESSAGE_BYTES = 5_000_000

_log = structlog.get_logger(__name__)


async def attach(tx: Transaction, media_ids: Sequence[str], message_id: str) -> None:
    """Give uploaded pictures to a message that is being written.

    Raises MEDIA_NOT_FOUND, MEDIA_EMPTY, MEDIA_REFUSED, and MEDIA_TOO_LARGE when they are too much together.
    """
    if not media_ids:
        return
    media = await uploaded(tx, media_ids)
    if sum(medium.byte_count for medium in media) > MESSAGE_BYTES:
        raise MediaTooLarge(MESSAGE_BYTES, "media_ids")
    await store.link(tx, message_id, media_ids)


async def uploaded(tx: Transaction, media_ids: Sequence[str]) -> list[Medium]:
    """Return pictures that have their content. Raises MEDIA_NOT_FOUND, MEDIA_EMPTY and MEDIA_REFUSED."""
    if not media_ids:
        return []
    found = await store.find_all(tx, media_ids)
    for media_id in media_ids:
        medium = found.get(media_id)
        if medium is None:
            raise not_found("media", media_id)
        if medium.state is MediaState.REFUSED:
            raise MediaRefused("it was not taken when it came", media_id)
        if medium.state is not MediaState.STORED:
            raise MediaEmpty(media_id)
    return [found[media_id] for media_id in media_ids]


async def pictures_of(tx: Transaction, message_ids: Collection[str]) -> dict[str, list[Medium]]:
    """Return the pictures of messages in their order, for reading and for sending."""
    return await store.of_messages(tx, message_ids)


def pictures_for_carrier(
    media: Sequence[Medium], links: Links, *, chain_id: str, now: datetime
) -> tuple[Picture, ...]:
    """Return stored pictures as a carrier gets them: by addresses that are good for a day."""
    return tuple(
        Picture(
            medium.media_id,
            links.address(LINK, chain_id, medium.media_id, expires_at=now + LINK_TIME),
            medium.content_type,
        )
        for medium in media
        if medium.state is MediaState.STORED
    )


async def create_media(
    *, database: Database, clock: Clock, chain_id: str, key: RequestKey, content_type: str, file_name: str
) -> Medium:
    """Announce a picture. Raises MEDIA_TYPE_REFUSED."""
    announced = require_type(content_type)
    if not (file_name := file_name.strip()).isprintable():
        raise invalid("file_name", "must be one line of text")
    async with database.transaction(chain_id) as tx:
        media_id, is_repeat = await tx.once(key, new_id("med"))
        if is_repeat:
            return await get_media(tx, media_id)
        medium = Medium(media_id, announced, file_name, MediaState.PENDING, clock.now())
        await store.add(tx, medium)
        await store.make_due(tx, media_id, clock.now() + UNUSED_TIME)
        return medium


async def get_media(tx: Transaction, media_id: str, *, lock: bool = False) -> Medium:
    """Return one picture. Raises MEDIA_NOT_FOUND."""
    medium = await store.find(tx, media_id, lock=lock)
    if medium is None:
        raise not_found("media", media_id)
    return medium


async def receive_content(
    *,
    database: Database,
    clock: Clock,
    objects: ObjectStore,
    chain_id: str,
    media_id: str,
    chunks: AsyncIterator[bytes],
    most_bytes: int,
) -> Medium:
    """Take in the content of an announced picture; the same content again changes nothing.

    Raises MEDIA_NOT_FOUND, MEDIA_TOO_LARGE, MEDIA_TYPE_MISMATCH and MEDIA_COMPLETE.
    """
    async with database.transaction(chain_id) as tx:
        medium = await get_media(tx, media_id)
        if medium.state is MediaState.REFUSED or medium.source_url:
            raise MediaComplete(media_id)  # the network's own
        written = await plan_object(tx, clock)
    reading = Reading(chunks, medium.content_type, most_bytes)
    if medium.object_key:
        async with aclosing(reading.chunks()) as again:
            async for _ in again:
                pass
        return _same(medium, reading)
    async with aclosing(reading.chunks()) as coming:
        await objects.put(written, coming)  # all of it, or nothing
    async with database.transaction(chain_id) as tx:
        medium = await get_media(tx, media_id, lock=True)
        if not medium.object_key:
            await keep_object(tx, medium, written, reading)
            return await get_media(tx, media_id)
    return _same(medium, reading)


async def plan_object(tx: Transaction, clock: Clock) -> str:
    """Return the key of an object that is about to be written, and have it removed if nothing comes of it."""
    written = object_key("media", tx.chain_id, new_id("obj"))
    await plan_removal(tx, written, due_at=clock.now() + UPLOAD_TIME)
    return written


async def keep_object(tx: Transaction, medium: Medium, written: str, reading: "Reading") -> None:
    """Make a written object the content of a picture. Raises UNAVAILABLE when it may be removed already."""
    if not await cancel_removal(tx, written):
        raise unavailable("object_store")
    await store.set_content(
        tx,
        medium.media_id,
        content_type=reading.announced,
        byte_count=reading.byte_count,
        content_hash=reading.content_hash,
        object_key=written,
    )


async def open_content(
    *, database: Database, objects: ObjectStore, chain_id: str, media_id: str
) -> tuple[Medium, AsyncIterator[bytes]]:
    """Return a picture and its bytes. Raises MEDIA_NOT_FOUND and MEDIA_EMPTY."""
    async with database.transaction(chain_id) as tx:
        medium = await get_media(tx, media_id)
    if not medium.object_key:
        raise MediaEmpty(media_id)
    try:
        return medium, await objects.get(medium.object_key)
    except ObjectMissing as error:
        _log.error("the object of a picture is not in the store", media_id=media_id)
        raise unavailable("object_store") from error


def _same(medium: Medium, reading: "Reading") -> Medium:
    if medium.content_hash != reading.content_hash:
        raise MediaComplete(medium.media_id)
    return medium


@dataclass
class Reading:
    """Bytes on their way: counted, hashed, and refused as soon as they are too many or of another type."""

    source: AsyncIterator[bytes]
    announced: str
    most_bytes: int
    byte_count: int = 0

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()

    @property
    def content_hash(self) -> str:
        """Return the SHA-256 of what came."""
        return self._hash.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what comes. Raises MEDIA_TOO_LARGE and MEDIA_TYPE_MISMATCH."""
        head = b""
        is_known = False
        async for chunk in self.source:
            self.byte_count += len(chunk)
            if self.byte_count > self.most_bytes:
                raise MediaTooLarge(self.most_bytes)
            self._hash.update(chunk)
            if is_known:
                yield chunk
                continue
            head += chunk
            if len(head) >= HEAD_BYTES:
                require_announced(self.announced, head)
                is_known = True
                yield head
        if not is_known:
            require_announced(self.announced, head)
            yield head
