"""Downloads: the bytes of a stream of google.api.HttpBody as one answer. Must not know what the bytes are."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from google.api.httpbody_pb2 import HttpBody
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_ENDINGS: Mapping[str, str] = {
    "application/json": ".json",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "text/csv": ".csv",
}

_log = structlog.get_logger(__name__)


class Download(StreamingResponse):
    """A response whose bytes come from a call: the next are asked for when the last were taken by the receiver."""

    def __init__(self, call: Any, first: HttpBody | None, rest: AsyncIterator[HttpBody], name: str) -> None:
        media_type = (first.content_type if first else "") or "application/octet-stream"
        self._call = call
        super().__init__(
            _bytes_of(first, rest),
            media_type=media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{file_name(name, media_type)}"',
                "Cache-Control": "private, no-store",
                # What clients sent in must not run as the house's own page, whoever opens it how.
                "Content-Security-Policy": "sandbox; default-src 'none'",
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the call ends with it, however it ends."""
        try:
            await super().__call__(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            self._call.cancel()


async def _bytes_of(first: HttpBody | None, rest: AsyncIterator[HttpBody]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first.data
    try:
        async for body in rest:
            yield body.data
    except Exception as error:
        # The status is out. What is left is to break the connection off, so that nobody takes a part for the whole.
        _log.warning("a download broke off", error=type(error).__name__)
        raise


def file_name(name: str, media_type: str) -> str:
    """Return a name that is safe on every system: the id from the path, with the ending of the type."""
    return _UNSAFE.sub("_", name)[:100] + _ENDINGS.get(media_type.partition(";")[0].strip().lower(), "")
