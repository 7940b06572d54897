"""Attachments on the wire, their content as streams in and out."""

from collections.abc import AsyncIterator
from typing import Any

from carnet.profiles.v1 import records_pb2 as rec
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.objects import ObjectStore
from chassis.paging import cut_page, page_size_of
from chassis.values import proto_date_of, timestamp_of
from profiles.domain.attachments import Attachment
from profiles.grpc_api.pages import before_of
from profiles.grpc_api.surprises import surprise_of
from profiles.use_cases import attachments as use_cases


class AttachmentCalls:
    """The RPCs on attachments."""

    _database: Database
    _clock: Clock
    _objects: ObjectStore
    _attachment_max_bytes: int

    async def CreateAttachment(self, request: rec.CreateAttachmentRequest, context: Any) -> rec.Attachment:
        """Announce a photo or a document."""
        return _attachment_message(
            await use_cases.create_attachment(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                subject_id=request.subject_id,
                file_name=request.file_name,
                content_type=request.content_type,
                caption=request.caption,
                surprise=surprise_of(request),
            )
        )

    async def UploadAttachmentContent(
        self, request_iterator: AsyncIterator[rec.UploadAttachmentContentRequest], context: Any
    ) -> rec.Attachment:
        """Take in the content of an announced attachment."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.attachment_id:
            raise invalid("attachment_id", "is needed in the first message")

        async def chunks() -> AsyncIterator[bytes]:
            yield first.content
            async for request in request_iterator:
                yield request.content
            # For grpc.aio a broken connection ends the requests just as the sender's last word does; the cancellation
            # follows a moment later. Answering something makes sure that it has come: half a photo must not pass.
            await context.send_initial_metadata(())

        return _attachment_message(
            await use_cases.receive_content(
                database=self._database,
                clock=self._clock,
                objects=self._objects,
                caller=current_caller(),
                attachment_id=first.attachment_id,
                chunks=chunks(),
                most_bytes=self._attachment_max_bytes,
            )
        )

    async def DownloadAttachmentContent(
        self, request: rec.DownloadAttachmentContentRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        """Give the content of an attachment out."""
        attachment, chunks = await use_cases.open_content(
            database=self._database,
            clock=self._clock,
            objects=self._objects,
            caller=current_caller(),
            attachment_id=request.attachment_id,
        )
        async for chunk in chunks:
            yield HttpBody(content_type=attachment.content_type, data=chunk)

    async def ListAttachments(
        self, request: rec.ListAttachmentsRequest, context: Any
    ) -> rec.ListAttachmentsResponse:
        """List a client's attachments, newest first."""
        size = page_size_of(request.page_size)
        found = await use_cases.list_attachments(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            client_id=request.client_id,
            subject_id=request.subject_id,
            include_surprises=request.include_surprises,
            before=before_of(request.page_token),
            limit=size + 1,
        )
        page, token = cut_page(found, size, lambda one: (one.created_at.isoformat(), one.attachment_id))
        return rec.ListAttachmentsResponse(attachments=map(_attachment_message, page), next_page_token=token)

    async def DeleteAttachment(self, request: rec.DeleteAttachmentRequest, context: Any) -> Empty:
        """Remove an attachment with its content."""
        await use_cases.delete_attachment(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            attachment_id=request.attachment_id,
        )
        return Empty()


def _attachment_message(attachment: Attachment) -> rec.Attachment:
    return rec.Attachment(
        attachment_id=attachment.attachment_id,
        client_id=attachment.client_id,
        subject_id=attachment.subject_id,
        file_name=attachment.file_name,
        content_type=attachment.content_type.value,
        byte_count=attachment.content.byte_count if attachment.content else 0,
        caption=attachment.caption,
        surprise_for_client_id=attachment.surprise.client_id,
        surprise_end_date=proto_date_of(attachment.surprise.ends_on),
        create_time=timestamp_of(attachment.created_at),
    )
