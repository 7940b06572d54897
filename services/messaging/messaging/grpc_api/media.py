"""Pictures on the wire, their content as streams in and out."""

from collections.abc import AsyncIterator
from typing import Any

from carnet.messaging.v1 import media_pb2 as pb
from carnet.messaging.v1 import media_pb2_grpc, messaging_pb2
from google.api.httpbody_pb2 import HttpBody

from chassis.caller import current_caller
from chassis.database import RequestKey
from chassis.errors import invalid
from messaging.grpc_api.rendering import media_message
from messaging.parts import Parts
from messaging.use_cases import media as use_cases

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class MediaServicer(media_pb2_grpc.MediaServiceServicer):
    """Serves carnet.messaging.v1.MediaService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def CreateMedia(self, request: pb.CreateMediaRequest, context: _Context) -> messaging_pb2.Media:
        return media_message(
            await use_cases.create_media(
                database=self._parts.database,
                clock=self._parts.clock,
                chain_id=current_caller().chain_id,
                key=RequestKey.of(request),
                content_type=request.content_type,
                file_name=request.file_name,
            )
        )

    async def UploadMediaContent(
        self, request_iterator: AsyncIterator[pb.UploadMediaContentRequest], context: _Context
    ) -> messaging_pb2.Media:
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.media_id:
            raise invalid("media_id", "is needed in the first message")

        async def chunks() -> AsyncIterator[bytes]:
            yield first.content
            async for request in request_iterator:
                yield request.content
            # A broken connection ends the requests just as the sender's last word does; its cancellation comes a moment
            # later, for certain once something was answered. Half a picture must not pass.
            await context.send_initial_metadata(())

        return media_message(
            await use_cases.receive_content(
                database=self._parts.database,
                clock=self._parts.clock,
                objects=self._parts.objects,
                chain_id=current_caller().chain_id,
                media_id=first.media_id,
                chunks=chunks(),
                most_bytes=self._parts.settings.media_max_bytes,
            )
        )

    async def DownloadMediaContent(
        self, request: pb.DownloadMediaContentRequest, context: _Context
    ) -> AsyncIterator[HttpBody]:
        medium, chunks = await use_cases.open_content(
            database=self._parts.database,
            objects=self._parts.objects,
            chain_id=current_caller().chain_id,
            media_id=request.media_id,
        )
        async for chunk in chunks:
            yield HttpBody(content_type=medium.content_type, data=chunk)
