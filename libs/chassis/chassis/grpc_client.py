"""Channels to other services: deadline, caller, correlation and trace on every call; failures come back typed.

Only UNAVAILABLE is tried again, by gRPC itself. Must not know any service.
"""

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any

import grpc
from grpc.aio import ClientCallDetails, Metadata
from opentelemetry.instrumentation.grpc import aio_client_interceptors

from chassis import context as work
from chassis.caller import METADATA_KEY, find_caller
from chassis.grpc_errors import error_of
from chassis.grpc_server import MAX_MESSAGE_BYTES

DEFAULT_TIMEOUT = 10.0  # seconds

_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)


def _outgoing(details: ClientCallDetails, *, bounded: bool) -> ClientCallDetails:
    metadata = Metadata(*(details.metadata or ()))
    if (caller := find_caller()) is not None and metadata.get(METADATA_KEY) is None:
        metadata.add(METADATA_KEY, caller.token)
    if (correlation := work.correlation_id()) and metadata.get(work.CORRELATION_KEY) is None:
        metadata.add(work.CORRELATION_KEY, correlation)
    timeout = details.timeout
    if bounded:
        timeout = work.seconds_left(DEFAULT_TIMEOUT if timeout is None else timeout)
    return ClientCallDetails(details.method, timeout, metadata, details.credentials, details.wait_for_ready)


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        try:
            call = await continuation(_outgoing(client_call_details, bounded=True), request)
            return await call
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure) from failure


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: ClientCallDetails, request: Any
    ) -> AsyncIterator[Any]:
        call = await continuation(_outgoing(client_call_details, bounded=False), request)
        return _typed(call)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    """Cannot await here, because the sender may still be writing: whoever awaits the call translates with error_of."""

    async def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: ClientCallDetails, request_iterator: Any
    ) -> Any:
        return await continuation(_outgoing(client_call_details, bounded=False), request_iterator)


async def _typed(call: AsyncIterable[Any]) -> AsyncIterator[Any]:
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from failure


def open_channel(address: str) -> grpc.aio.Channel:
    """Return a channel to a service at `host:port`; it connects by itself and again after a break."""
    ours: Sequence[grpc.aio.ClientInterceptor] = (_UnaryUnary(), _UnaryStream(), _StreamUnary())
    tracing = [
        interceptor
        for interceptor in aio_client_interceptors()  # type: ignore[no-untyped-call]
        # This one waits for the call's code inside the call, so that a cancelled upload would never be told.
        if not isinstance(interceptor, grpc.aio.StreamUnaryClientInterceptor)
    ]
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.service_config", _SERVICE_CONFIG),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.enable_http_proxy", 0),
            (
                "grpc.use_local_subchannel_pool",
                1,
            ),  # a connection on its way out is not handed to the next channel
        ],
        interceptors=[*ours, *tracing],
    )
