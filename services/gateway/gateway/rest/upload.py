"""Uploads: a body of any size as a stream of messages: the first has the fields of path and query, the rest content."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from chassis.grpc_errors import error_of
from gateway.rest.admission import Admission
from gateway.rest.codec import parse_query, set_text
from gateway.rest.contracts import Operation
from gateway.rest.transcoding import answer_of, response_of

CHUNK_BYTES = 256 * 1024  # the contracts take no more in one message


class Upload:
    """Streams a request's body into one operation; the next piece is read when the last one was taken."""

    def __init__(self, operation: Operation, channel: grpc.aio.Channel, admission: Admission) -> None:
        self._operation = operation
        self._admission = admission
        self._call: Any = channel.stream_unary(
            operation.grpc_path,
            request_serializer=operation.request.SerializeToString,
            response_deserializer=operation.response.FromString,
        )

    async def __call__(self, request: Request) -> Response:
        """Answer when the last byte was worked on, or at the first that is refused. Raises ServiceError."""
        if self._operation.access.is_public:
            await self._admission.admit_anybody(request)
        else:
            await self._admission.admit(request)
        first = self._read(request)
        try:
            answer = await self._call(self._messages(first, request))
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure) from failure
        return response_of(answer_of(answer))

    def _read(self, request: Request) -> Message:
        operation = self._operation
        message = operation.request()
        taken = (*operation.path_fields, operation.content_field)
        parse_query(request.query_params.multi_items(), message, taken=taken)
        for name, text in request.path_params.items():
            set_text(message, name, text)
        return message

    async def _messages(self, first: Message, request: Request) -> AsyncIterator[Message]:
        yield first
        # Small pieces are gathered: a message per packet of the network would cost more than the work itself.
        gathered = bytearray()
        async for part in request.stream():
            gathered += part
            while len(gathered) >= CHUNK_BYTES:
                yield self._piece(gathered[:CHUNK_BYTES])
                del gathered[:CHUNK_BYTES]
        if gathered:
            yield self._piece(gathered)

    def _piece(self, content: bytearray) -> Message:
        return self._operation.request(**{self._operation.content_field: bytes(content)})
