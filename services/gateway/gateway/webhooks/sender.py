"""One HTTP call to a partner's receiver: signed, bounded in time, never into a private network, never redirected."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import httpcore
from standardwebhooks import Webhook

from gateway.telemetry import WEBHOOK_SECONDS
from gateway.webhooks.domain import Reply, UrlNotAllowed, check_url, is_public_address

SECONDS = 10.0


class Sends(Protocol):
    """Posts one signed event."""

    async def post(self, url: str, *, secret: str, event_id: str, body: bytes, now: datetime) -> Reply: ...


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host. Raises UrlNotAllowed when there is none, or one of them is not public."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UrlNotAllowed("has a host that cannot be found") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(map(is_public_address, addresses)):
        raise UrlNotAllowed("leads to a private network")
    return addresses


class _Guard(httpcore.AsyncNetworkBackend):
    """Resolves by itself and connects to the very address that was checked, whatever the name says a moment later."""

    def __init__(self, *, allow_private: bool) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a checked address of `host`."""
        addresses = await resolve(host, port, allow_private=self._allow_private)
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Refuse."""
        raise httpcore.ConnectError("no unix sockets")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


class WebhookSender:
    """Posts events; a component because connections stay open for a while."""

    name = "webhook sender"

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=50,
            keepalive_expiry=30,
            network_backend=_Guard(allow_private=allow_private),
        )

    async def start(self) -> None:
        """Do nothing: connections are made when they are needed."""

    async def stop(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def post(self, url: str, *, secret: str, event_id: str, body: bytes, now: datetime) -> Reply:
        """Post one event and return what came back. Never raises for what a receiver does."""
        started = time.perf_counter()
        headers = {
            "content-type": "application/cloudevents+json",
            "user-agent": "Carnet-Webhooks/1",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(event_id, now, body.decode()),
        }
        try:
            check_url(url, allow_private=self._allow_private)
            async with (
                asyncio.timeout(SECONDS),
                self._pool.stream(
                    "POST", url, headers=[("host", _host_of(url)), *headers.items()], content=body
                ) as answer,
            ):
                # The body is not read: a receiver has nothing to say that we would act on.
                return Reply(
                    answer.status,
                    error="" if 200 <= answer.status < 300 else f"The receiver answered {answer.status}.",
                    retry_after=_retry_after(answer.headers),
                )
        except UrlNotAllowed as error:
            return Reply(0, error.message)
        except TimeoutError:
            return Reply(0, f"No answer within {SECONDS:.0f} seconds.")
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            OSError,
            ssl.SSLError,
        ) as error:
            return Reply(0, f"The connection failed ({type(error).__name__}).")
        finally:
            WEBHOOK_SECONDS.observe(time.perf_counter() - started)


def _host_of(url: str) -> str:
    return httpcore.URL(url).host.decode() + (
        f":{port}" if (port := httpcore.URL(url).port) is not None else ""
    )


def _retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 10:
            return float(value)
    return None
