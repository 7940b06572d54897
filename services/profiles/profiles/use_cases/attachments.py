"""Announce attachments, take their content in, give it out, remove both.

Bytes and rows live in different places. An object is there before its row says so, and its row is gone before the
object is: what lies between is planned for removal, so a crash leaves nothing that is seen and nothing that stays.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime, timedelta

import structlog

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid, unavailable
from chassis.ids import new_id
from chassis.object_removals import cancel_removal, plan_removal
from chassis.objects import ObjectMissing, ObjectStore, object_key
from profiles.domain.attachments import (
    HEAD_BYTES,
    AlreadyComplete,
    Attachment,
    Content,
    ContentType,
    NoContent,
    TooLarge,
    require_announced,
    require_type,
)
from profiles.domain.surprises import Surprise
from profiles.store import attachments as store
from profiles.store import audit
from profiles.store import clients as client_store
from profiles.store import surprises as surprise_store
from profiles.use_cases.notes import author_of

_UPLOAD_TIME = timedelta(hours=1)  # after which what an upload wrote is removed, unless it came through

_log = structlog.get_logger(__name__)


async def create_attachment(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    subject_id: str,
    file_name: str,
    content_type: str,
    caption: str,
    surprise: Surprise,
) -> Attachment:
    """Announce an attachment. Raises ATTACHMENT_TYPE_REFUSED, CLIENT_NOT_FOUND and SUBJECT_NOT_FOUND."""
    announced = require_type(content_type)
    if not (file_name := file_name.strip()).isprintable() or not file_name:
        raise invalid("file_name", "must be one line of text")
    reader = author_of(caller)
    async with database.transaction(caller.chain_id) as tx:
        attachment_id, is_repeat = await tx.once(key, new_id("att"))
        if is_repeat:
            return await store.get_attachment(tx, attachment_id, reader=reader)
        client_id = await client_store.keep_client(tx, client_id)
        surprise = await surprise_store.keep_surprise(tx, surprise)
        if subject_id:
            # A photo of what is a surprise is one as well, unless it is for somebody else.
            inherited = await store.keep_subject(tx, client_id, subject_id, reader=reader)
            surprise = surprise if surprise.client_id else inherited
        attachment = Attachment(
            attachment_id=attachment_id,
            client_id=client_id,
            subject_id=subject_id,
            file_name=file_name,
            content_type=announced,
            caption=caption,
            created_at=clock.now(),
            surprise=surprise,
        )
        await store.add_attachment(tx, attachment)
        return attachment


async def receive_content(
    *,
    database: Database,
    clock: Clock,
    objects: ObjectStore,
    caller: Caller,
    attachment_id: str,
    chunks: AsyncIterator[bytes],
    most_bytes: int,
) -> Attachment:
    """Take in the content of an announced attachment; the same content again changes nothing.

    Raises ATTACHMENT_NOT_FOUND, ATTACHMENT_TOO_LARGE, ATTACHMENT_TYPE_MISMATCH and ATTACHMENT_COMPLETE.
    """
    reader = author_of(caller)
    written = object_key("attachments", caller.chain_id, new_id("obj"))
    async with database.transaction(caller.chain_id) as tx:
        attachment = await store.get_attachment(tx, attachment_id, reader=reader)
        if attachment.content is None:
            await plan_removal(tx, written, due_at=clock.now() + _UPLOAD_TIME)
    reading = _Reading(chunks, attachment.content_type, most_bytes)
    if attachment.content is not None:
        async with aclosing(reading.chunks()) as again:
            async for _ in again:
                pass
        return _same(attachment, reading.content(attachment.content.object_key))
    async with aclosing(reading.chunks()) as coming:
        await objects.put(written, coming)  # all of it, or nothing
    content = reading.content(written)
    async with database.transaction(caller.chain_id) as tx:
        attachment = await store.get_attachment(tx, attachment_id, reader=reader, lock=True)
        if attachment.content is None:
            if not await cancel_removal(tx, written):
                raise unavailable(
                    "object_store"
                )  # it took longer than an upload may, and may be removed already
            await store.set_content(tx, attachment_id, content)
            return await store.get_attachment(tx, attachment_id, reader=reader)
        await plan_removal(tx, written, due_at=clock.now())
    return _same(attachment, content)


async def open_content(
    *, database: Database, clock: Clock, objects: ObjectStore, caller: Caller, attachment_id: str
) -> tuple[Attachment, AsyncIterator[bytes]]:
    """Return an attachment and its bytes. Raises ATTACHMENT_NOT_FOUND and ATTACHMENT_EMPTY."""
    async with database.transaction(caller.chain_id) as tx:
        attachment = await store.get_attachment(tx, attachment_id, reader=author_of(caller))
        if attachment.content is None:
            raise NoContent(attachment_id)
        await audit.note(
            tx,
            caller,
            "DownloadAttachmentContent",
            [attachment.client_id],
            now=clock.now(),
            subject_id=attachment_id,
        )
    try:
        return attachment, await objects.get(attachment.content.object_key)
    except ObjectMissing as error:
        _log.error("the object of an attachment is not in the store", attachment_id=attachment_id)
        raise unavailable("object_store") from error


async def list_attachments(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    client_id: str,
    subject_id: str,
    include_surprises: bool,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Attachment]:
    """Return a client's attachments that the caller sees, newest first. Raises CLIENT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        viewer = await surprise_store.get_viewer(tx, client_id, now=clock.now())
        await audit.note(
            tx, caller, "ListAttachments", [viewer.client_id], now=clock.now(), subject_id=subject_id
        )
        return await store.list_attachments(
            tx,
            viewer,
            subject_id=subject_id,
            reader=author_of(caller),
            include_surprises=include_surprises,
            before=before,
            limit=limit,
        )


async def delete_attachment(*, database: Database, clock: Clock, caller: Caller, attachment_id: str) -> None:
    """Remove an attachment; its bytes go after the commit. Raises ATTACHMENT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        attachment = await store.get_attachment(tx, attachment_id, reader=author_of(caller), lock=True)
        await audit.note(
            tx, caller, "DeleteAttachment", [attachment.client_id], now=clock.now(), subject_id=attachment_id
        )
        await store.delete_attachment(tx, attachment_id)


def _same(attachment: Attachment, content: Content) -> Attachment:
    if attachment.content is None or attachment.content.content_hash != content.content_hash:
        raise AlreadyComplete(attachment.attachment_id)
    return attachment


class _Reading:
    """Bytes on their way: counted, hashed, and refused as soon as they are too many or of another type."""

    def __init__(self, chunks: AsyncIterator[bytes], announced: ContentType, most_bytes: int) -> None:
        self._chunks = chunks
        self._announced = announced
        self._most_bytes = most_bytes
        self._count = 0
        self._hash = hashlib.sha256()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what comes."""
        head = b""
        is_known = False
        async for chunk in self._chunks:
            self._count += len(chunk)
            if self._count > self._most_bytes:
                raise TooLarge(self._most_bytes)
            self._hash.update(chunk)
            if is_known:
                yield chunk
                continue
            head += chunk
            if len(head) >= HEAD_BYTES:
                require_announced(self._announced, head)
                is_known = True
                yield head
        if not is_known:
            require_announced(self._announced, head)
            yield head

    def content(self, key: str) -> Content:
        """Return what came, once all of it was read."""
        return Content(key, self._count, self._hash.hexdigest())
