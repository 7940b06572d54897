"""What parties outside ask without signing in, as handlers see it: carriers, mail servers, whoever has a link of ours.

A handler proves the request before it does anything. Must not know how requests come in.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

PREFIX = "/outside/"


@dataclass(frozen=True)
class OutsideRequest:
    """A request as it was called: `target` is path and query, header names are in lower case."""

    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Return the path alone."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """Return the query's parameters; of one that comes twice the last."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> list[tuple[str, str]]:
        """Return the fields of a form, as often as they come; none for another kind of body."""
        if not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return []
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True)
class OutsideAnswer:
    """An answer; `chunks` is a body that need not be in memory."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: AsyncIterator[bytes] | None = None


Handler = Callable[[OutsideRequest], Awaitable[OutsideAnswer]]

NOT_PROVEN = OutsideAnswer(403)
NOT_FOUND = OutsideAnswer(404)
