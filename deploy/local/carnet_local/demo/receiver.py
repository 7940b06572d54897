"""The partner brand's own side: a small web server on this machine that checks the signature of every event."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

_MOST_BYTES = 1 << 20


class Receiver:
    """What arrived, in the order of arrival; nothing counts before the secret is known."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.events: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self._webhook: Webhook | None = None
        self._seen: set[str] = set()

    def trust(self, secret: str) -> None:
        """Take the signing secret that the gateway showed once."""
        self._webhook = Webhook(secret)

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """Check and keep one delivery; returns the HTTP status to answer. A repeat counts once."""
        if self._webhook is None:
            return 503
        try:
            event = self._webhook.verify(body, headers)
        except (WebhookVerificationError, ValueError) as refusal:
            self.refused.append(str(refusal))
            return 401
        delivery = headers["webhook-id"]
        if delivery not in self._seen:
            self._seen.add(delivery)
            self.events.append(event)
        return 204


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen on a free port of the loopback interface for the time of a with block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", 0)), _MOST_BYTES)
            lower = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(taken.take(self.rfile.read(length), lower))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing: the story says what arrived."""

    # One thread: deliveries are taken one after the other, so their order is theirs and not ours.
    server = HTTPServer(("127.0.0.1", 0), Handler)
    taken = Receiver(f"http://127.0.0.1:{server.server_port}/carnet")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
