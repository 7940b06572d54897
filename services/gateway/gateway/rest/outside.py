"""What parties outside send that cannot sign in, handed on to messaging as it came: carriers, mail servers, links.

Must not read what it carries: whether it proves itself is decided where the secrets are, over the very address and
bytes that were called. No caller goes with it.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from carnet.messaging.v1 import outside_pb2, outside_pb2_grpc
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from chassis.caller import set_caller
from gateway.rest.admission import Admission
from gateway.rest.transcoding import MOST_BYTES, read_bytes

OUTSIDE_PATH = "/outside"
METHODS = ("GET", "HEAD", "POST")
_SECONDS = 15.0  # a carrier waits so long for its answer
_MOST_HEADERS = 100


class Outside:
    """Answers everything below /outside."""

    def __init__(self, channel: grpc.aio.Channel, admission: Admission) -> None:
        self._stub: Any = outside_pb2_grpc.OutsideServiceStub(channel)
        self._admission = admission

    async def __call__(self, request: Request) -> Response:
        """Hand a request on and its answer back. Raises RateLimited, BodyTooLarge and whatever messaging raises."""
        await self._admission.admit_outside(request)
        set_caller(None)
        asked = outside_pb2.AnswerRequest(
            method=request.method,
            target=_target_of(request),
            headers=dict(list(_headers_of(request).items())[:_MOST_HEADERS]),
            body=await read_bytes(request, MOST_BYTES),
        )
        call = self._stub.Answer(asked, timeout=_SECONDS)
        pieces = aiter(call)
        first = await anext(pieces)
        return _Answer(call, first, pieces)


class _Answer(StreamingResponse):
    """An answer whose body comes from a call, which ends with it, however it ends."""

    def __init__(
        self,
        call: Any,
        first: outside_pb2.AnswerResponse,
        rest: AsyncIterator[outside_pb2.AnswerResponse],
    ) -> None:
        self._call = call
        super().__init__(_bytes_of(first, rest), status_code=first.status, headers=dict(first.headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            self._call.cancel()


async def _bytes_of(
    first: outside_pb2.AnswerResponse, rest: AsyncIterator[outside_pb2.AnswerResponse]
) -> AsyncIterator[bytes]:
    yield first.body
    async for piece in rest:
        yield piece.body


def _target_of(request: Request) -> str:
    """Return path and query as they were called: decoding and writing them again may change what was signed."""
    path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _headers_of(request: Request) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    return headers
