"""One endpoint for every operation of the contracts: HTTP to message, call, message to HTTP. Knows no RPC."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import orjson
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from chassis import context as work
from chassis.errors import ServiceError, Violation
from gateway.auth.domain import Credential
from gateway.rest import idempotency
from gateway.rest.admission import CREDENTIAL_KEY, Admission
from gateway.rest.codec import load_json, parse_body, parse_query, render, set_text
from gateway.rest.contracts import Operation
from gateway.rest.download import Download
from gateway.rest.errors import BodyTooLarge, ContentTypeUnsupported, FieldsInvalid, HeaderInvalid
from gateway.rest.idempotency import Answer, IdempotencyMemory
from gateway.rest.problems import MEDIA_TYPE, document_of, headers_of, status_of
from gateway.rest.sse import EventStream, event_text

MOST_BYTES = 1024 * 1024
CALL_SECONDS = 30.0


class Transcoder:
    """Answers one operation."""

    def __init__(
        self, operation: Operation, channel: grpc.aio.Channel, admission: Admission, memory: IdempotencyMemory
    ) -> None:
        self._operation = operation
        self._admission = admission
        self._memory = memory
        is_stream = operation.is_streaming or operation.is_download
        open_call = channel.unary_stream if is_stream else channel.unary_unary
        self._call: Any = open_call(
            operation.grpc_path,
            request_serializer=operation.request.SerializeToString,
            response_deserializer=operation.response.FromString,
        )

    async def __call__(self, request: Request) -> Response:
        """Answer a request. Raises ServiceError."""
        operation = self._operation
        credential: Credential | None = None
        if operation.access.is_public:
            await self._admission.admit_anybody(request)
        else:
            credential = await self._admission.admit(request)
        message = await self._read(request)
        self._take_if_match(request, message)
        if operation.is_streaming or operation.is_download:
            return await self._stream(request, message)
        if operation.is_change and credential is not None:
            key = idempotency.read_key(request.headers.get(idempotency.HEADER))
            if key:
                return await self._answer_once(message, credential, key)
        answer = await self._ask(message, credential)
        return response_of(answer)

    async def _read(self, request: Request) -> Message:
        operation = self._operation
        message = operation.request()
        if operation.has_body:
            body = await read_body(request, operation.most_bytes or MOST_BYTES)
            parse_body(load_json(body) if body else {}, message)
            if request.url.query:
                parse_query(request.query_params.multi_items(), message, taken=_names(message))
        else:
            parse_query(request.query_params.multi_items(), message, taken=operation.path_fields)
        for name, text in request.path_params.items():
            if (given := getattr(message, name)) and str(given) != text:
                raise FieldsInvalid([Violation(name, "is not the one in the path")])
            set_text(message, name, text)
        return message

    def _take_if_match(self, request: Request, message: Message) -> None:
        value = request.headers.get("if-match")
        if value is None or value.strip() == "*":
            return
        if "etag" not in message.DESCRIPTOR.fields_by_name:
            raise HeaderInvalid("If-Match", "means nothing to this operation")
        if not (len(value) > 2 and value.startswith('"') and value.endswith('"')):
            raise HeaderInvalid("If-Match", "must be one strong etag in quotes")
        set_text(message, "etag", value[1:-1])

    async def _answer_once(self, message: Message, credential: Credential, key: str) -> Response:
        claim = await self._memory.claim(self._operation, message, credential, key)
        if isinstance(claim, Answer):
            return response_of(claim)
        if self._operation.has_request_id and not getattr(message, "request_id"):  # noqa: B009
            set_text(message, "request_id", idempotency.request_id_of(credential, key))
        try:
            answer = await self._ask(message, credential)
        except ServiceError as error:
            document = orjson.dumps(document_of(error, work.correlation_id()))
            answer = Answer(status_of(error), {"Content-Type": MEDIA_TYPE, **headers_of(error)}, document)
        await self._memory.settle(claim, answer)
        return response_of(answer)

    def _metadata(self, credential: Credential | None) -> tuple[tuple[str, str], ...]:
        if credential is None or self._operation.service != "gateway":
            return ()
        return ((CREDENTIAL_KEY, credential.credential_id),)

    async def _ask(self, message: Message, credential: Credential | None) -> Answer:
        response = await self._call(message, timeout=CALL_SECONDS, metadata=self._metadata(credential))
        return answer_of(response)

    async def _stream(self, request: Request, message: Message) -> Response:
        call = self._call(message)
        responses = aiter(call)
        try:
            # What is refused is refused before the first word: as a problem, not as a stream.
            first = await anext(responses, None)
        except BaseException:
            call.cancel()
            raise
        if self._operation.is_download:
            return Download(call, first, responses, request.path_params.get(self._operation.naming_field, ""))

        async def events() -> AsyncIterator[str]:
            try:
                if first is not None:
                    yield event_text(orjson.dumps(render(first)).decode())
                async for response in responses:
                    yield event_text(orjson.dumps(render(response)).decode())
                yield event_text("{}", kind="end")
            except ServiceError as error:
                yield event_text(
                    orjson.dumps(document_of(error, work.correlation_id())).decode(), kind="problem"
                )
            finally:
                call.cancel()

        return EventStream(events())


def _names(message: Message) -> list[str]:
    return list(message.DESCRIPTOR.fields_by_name)


def answer_of(response: Message) -> Answer:
    """Return a message as what goes out."""
    if isinstance(response, Empty):
        return Answer(204, {}, b"")
    headers = {"Content-Type": "application/json"}
    if etag := getattr(response, "etag", ""):
        headers["ETag"] = f'"{etag}"'
    return Answer(200, headers, orjson.dumps(render(response)))


def response_of(answer: Answer) -> Response:
    """Return an answer as a response."""
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


async def read_body(request: Request, most: int) -> bytes:
    """Return a JSON body, empty for none. Raises BodyTooLarge and ContentTypeUnsupported."""
    body = await read_bytes(request, most)
    if body and not _is_json(request.headers):
        raise ContentTypeUnsupported("application/json")
    return body


async def read_bytes(request: Request, most: int) -> bytes:
    """Return a body whatever it is, and read no more of it than `most`. Raises BodyTooLarge."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise BodyTooLarge(most)
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise BodyTooLarge(most)
        parts.append(part)
    return b"".join(parts)


def _is_json(headers: Mapping[str, str]) -> bool:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))
