"""A small HTTP server as a component, and the one that every service has for operators. No business route in here."""

import asyncio
from contextlib import nullcontext

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp


class HttpServer:
    """Serves one ASGI application on one address."""

    def __init__(self, name: str, app: ASGIApp, address: str, *, drain_seconds: float = 5.0) -> None:
        self.name = name
        host, _, port = address.rpartition(":")
        self._config = uvicorn.Config(
            app,
            host=host,
            port=int(port),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(drain_seconds) or 1,
        )
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Return the port that is listened on, once started."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        self._task = asyncio.create_task(self._server.serve(), name=self.name)
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError(f"{self.name} cannot listen on {self._config.host}:{self._config.port}")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Take no new connections, give running requests their time, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Leave signals to the runtime."""

    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave signals to the runtime."""
        return nullcontext()


def operator_app() -> Starlette:
    """Return /metrics for Prometheus and /healthz and /readyz for probes."""

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def fine(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", fine), Route("/readyz", fine)])
