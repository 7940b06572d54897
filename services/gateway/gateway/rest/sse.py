"""Server-sent events: the text format and the response that carries it. Must not know what is told."""

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

COMMENT_HEARTBEAT = ": still here\n\n"


def event_text(data: str, *, kind: str = "", event_id: str = "") -> str:
    """Return one event; `data` is one line."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {kind}\ndata: {data}\n\n" if kind else f"{head}data: {data}\n\n"


class EventStream(StreamingResponse):
    """A response of server-sent events; proxies are asked not to hold them back."""

    def __init__(self, events: AsyncIterator[str]) -> None:
        super().__init__(
            events,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
