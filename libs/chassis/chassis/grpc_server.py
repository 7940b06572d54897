"""The gRPC server that every service runs. What each call must pass stands in `_Guard` and cannot be left out."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import protovalidate
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status
from opentelemetry.instrumentation.grpc import aio_server_interceptor

from chassis import context as work
from chassis.caller import METADATA_KEY, CallerVerifier, set_caller, unauthenticated
from chassis.contracts import Access, access_of, most_bytes_of, service_named
from chassis.errors import Kind, ServiceError, Violation
from chassis.grpc_errors import CODES, internal, status_of
from chassis.telemetry import GRPC_SECONDS

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
DEFAULT_DEADLINE = 15.0  # seconds, for callers that set none
# Taken off the caller's deadline, so that the answer still says what timed out: a tenth, and at least so many seconds.
_MARGIN_SHARE, _MARGIN_SECONDS = 0.1, 0.05

_HEAR_OUT_SECONDS = 30.0  # that a sender gets to come to its end when what it sends is refused

_TOO_LATE = "DEADLINE_EXCEEDED"
# The caller's time is nearly up: a retry by its channel would only turn this answer into a bare time-out (gRFC A6).
_NO_RETRY = (("grpc-retry-pushback-ms", "-1"),)

_log = structlog.get_logger(__name__)

Register = Callable[[grpc.aio.Server], None]
_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only
_Handler = Any  # grpc.RpcMethodHandler is generic in its stubs only


class _Guard(grpc.aio.ServerInterceptor):
    """Verifies the caller, the scope and the message, bounds the time, translates errors, measures: for every call."""

    def __init__(self, access: Mapping[str, Access], verifier: CallerVerifier) -> None:
        self._access = access
        self._verifier = verifier
        self._validator = protovalidate.Validator()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        handler = await continuation(handler_call_details)
        access = self._access.get(handler_call_details.method)
        if access is None or handler is None:  # health and reflection, or no such RPC
            return handler
        method = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata or ())
        wrap = self._streaming if handler.response_streaming else self._unary
        behaviour = (
            (handler.stream_stream if handler.request_streaming else handler.unary_stream)
            if handler.response_streaming
            else (handler.stream_unary if handler.request_streaming else handler.unary_unary)
        )
        make = getattr(
            grpc,
            f"{'stream' if handler.request_streaming else 'unary'}_"
            f"{'stream' if handler.response_streaming else 'unary'}_rpc_method_handler",
        )
        guarded: _Handler = make(
            wrap(method, access, metadata, behaviour),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return guarded

    def _admit(
        self, access: Access, metadata: Mapping[str, Any], context: _Context, *, bounded: bool
    ) -> None:
        work.begin_work(str(metadata.get(work.CORRELATION_KEY, "")))
        remaining = context.time_remaining()
        if bounded:
            limit = DEFAULT_DEADLINE if remaining is None else remaining
            work.set_deadline(limit - max(_MARGIN_SECONDS, limit * _MARGIN_SHARE))
        if token := metadata.get(METADATA_KEY):
            caller = self._verifier.verify(str(token))
            set_caller(caller)
            if not access.is_public:
                caller.require_scope(access.scope)
        elif access.is_public:
            set_caller(None)
        else:
            raise unauthenticated("CALLER_MISSING", "The call carries no caller context.")

    def _check(self, request: Message) -> Message:
        if found := self._validator.collect_violations(request):
            violations = [Violation(_field_path(v.proto), v.proto.message or v.proto.rule_id) for v in found]
            said = "; ".join(f"{v.field}: {v.description}" for v in violations)
            raise ServiceError(Kind.INVALID, "FIELD_INVALID", said, violations=violations)
        return request

    async def _check_each(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            yield self._check(request)

    def _incoming(self, request: Any) -> Any:
        return self._check(request) if isinstance(request, Message) else self._check_each(request)

    def _unary(self, method: str, access: Access, metadata: Mapping[str, Any], behaviour: Any) -> Any:
        async def call(request: Any, context: _Context) -> Any:
            bounded = isinstance(request, Message)  # a streamed request takes as long as its sender does
            async with _answering(method, context), _hearing_out(request):
                self._admit(access, metadata, context, bounded=bounded)
                try:
                    async with asyncio.timeout(
                        work.seconds_left(DEFAULT_DEADLINE) if bounded else None
                    ) as bound:
                        return await behaviour(self._incoming(request), context)
                except TimeoutError as error:
                    if not bound.expired():
                        raise
                    raise _too_late(method) from error

        return call

    def _streaming(self, method: str, access: Access, metadata: Mapping[str, Any], behaviour: Any) -> Any:
        async def call(request: Any, context: _Context) -> AsyncIterator[Any]:
            async with _answering(method, context):
                self._admit(access, metadata, context, bounded=False)
                async for response in behaviour(self._incoming(request), context):
                    yield response

        return call


@asynccontextmanager
async def _answering(method: str, context: _Context) -> AsyncIterator[None]:
    """Measure a call, and abort it with what the outside may know of an error; the rest goes to the log."""
    started = time.perf_counter()
    code = "CANCELLED"  # unless one of the ways out below is reached
    try:
        yield
        code = "OK"
    except Exception as error:
        told = error if isinstance(error, ServiceError) else internal(work.correlation_id())
        if told is not error:
            _log.error("call failed", method=method, exc_info=error)
        elif told.kind in (Kind.UNAVAILABLE, Kind.INTERNAL):
            _log.warning("call could not be served", method=method, reason=told.reason)
        code = CODES[told.kind].name
        status = rpc_status.to_status(status_of(told))
        trailing = tuple(status.trailing_metadata or ())
        if told.reason == _TOO_LATE:
            trailing += _NO_RETRY
        await context.abort(CODES[told.kind], told.message, trailing)
    finally:
        GRPC_SECONDS.labels(method, code).observe(time.perf_counter() - started)


@asynccontextmanager
async def _hearing_out(requests: Any) -> AsyncIterator[None]:
    """Take what a sender of many messages still sends before an error is answered.

    A call that ends while its sender writes makes grpc.aio tell the sender of the failed write instead of the answer.
    """
    try:
        yield
    except Exception:
        if not isinstance(requests, Message):
            with suppress(Exception):
                async with asyncio.timeout(_HEAR_OUT_SECONDS):
                    async for _ in requests:
                        pass
        raise


def _too_late(method: str) -> ServiceError:
    name = method.rsplit("/", 1)[-1]
    return ServiceError(Kind.UNAVAILABLE, _TOO_LATE, f"{name} did not finish in time.", retry_after=1.0)


def _field_path(violation: Any) -> str:
    parts: list[str] = []
    for element in violation.field.elements if violation.has_field("field") else ():
        name = element.field_name
        subscript = element.subscript
        parts.append(name if subscript is None else f"{name}[{subscript.value}]")
    return ".".join(parts)


class GrpcServer:
    """One listening server; `start` and `stop` are called by the runtime in order."""

    name = "grpc"

    def __init__(
        self,
        *,
        address: str,
        services: Sequence[str],
        register: Sequence[Register],
        verifier: CallerVerifier,
        drain_seconds: float,
    ) -> None:
        self._address = address
        self._services = services
        self._register = register
        self._drain_seconds = drain_seconds
        self._access = {
            f"/{service}/{method.name}": access_of(method)
            for service in services
            for method in service_named(service).methods
        }
        # gRPC bounds a server's messages, not one RPC's.
        self._most_bytes = max(
            MAX_MESSAGE_BYTES,
            *(most_bytes_of(method) for service in services for method in service_named(service).methods),
        )
        self._verifier = verifier
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen; `port` then says where. Raises RuntimeError when the address is taken."""
        self._server = server = grpc.aio.server(
            interceptors=[
                aio_server_interceptor(),  # type: ignore[no-untyped-call]
                _Guard(self._access, self._verifier),
            ],
            options=[
                ("grpc.max_receive_message_length", self._most_bytes),
                ("grpc.so_reuseport", 0),
                # Callers look names up again when a connection ends; so they find replicas that came later.
                ("grpc.max_connection_age_ms", 300_000),
                ("grpc.max_connection_age_grace_ms", 600_000),  # uploads and watches go on meanwhile
            ],
        )
        for register in self._register:
            register(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME], server
        )
        self.port = server.add_insecure_port(self._address)
        await server.start()
        for service in ("", *self._services):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """Say that it is going, take no new calls, and give running ones `drain_seconds`."""
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(self._drain_seconds)
