"""The ASGI application around the routes: correlation, trace, time, and every failure as a problem."""

import re
import time

import structlog
from opentelemetry import propagate, trace
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import context as work
from chassis.errors import ServiceError
from chassis.grpc_errors import internal
from gateway.rest.problems import problem
from gateway.rest.router import Router
from gateway.telemetry import HTTP_SECONDS

_log = structlog.get_logger(__name__)
_tracer = trace.get_tracer(__name__)
_CORRELATION = re.compile(r"[A-Za-z0-9_.-]{8,100}")
_SAFETY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


class RestApp:
    """Routes requests to endpoints."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        template = "unknown"
        try:
            found = self._router.find(request.method, request.url.path)
            template = scope["carnet.template"] = found.template
            scope["path_params"] = found.fields
            response = await found.endpoint(request)
            response.headers.update(getattr(request.state, "headers", {}))
        except ServiceError as error:
            response = problem(error, work.correlation_id(), getattr(request.state, "headers", {}))
        except ClientDisconnect:
            return
        except Exception as error:
            _log.error("request failed", method=request.method, route=template, exc_info=error)
            response = problem(internal(work.correlation_id()), work.correlation_id())
        await response(scope, receive, send)


class Work:
    """Begins the unit of work of every request: correlation id, trace, metrics. Pure ASGI: nothing is buffered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        offered = headers.get("x-correlation-id", "")
        correlation_id = work.begin_work(offered if _CORRELATION.fullmatch(offered) else "")
        work.set_deadline(None)
        started, status = time.perf_counter(), 499

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-correlation-id", correlation_id.encode()),
                    *_SAFETY_HEADERS,
                ]
            await send(message)

        with _tracer.start_as_current_span(
            f"{scope['method']}", context=propagate.extract(headers), kind=trace.SpanKind.SERVER
        ) as span:
            try:
                await self._app(scope, receive, send_on)
            finally:
                operation = f"{scope['method']} {scope.get('carnet.template', 'unknown')}"
                span.update_name(operation)
                HTTP_SECONDS.labels(operation, str(status)).observe(time.perf_counter() - started)


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
