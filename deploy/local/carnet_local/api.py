"""A caller of the public REST API, as a chain's own developer would write one; it knows the address and nothing else.

For the seed, the demo and the end-to-end tests. Must not know any operation by name.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx

# What is refused for a moment and says so with Retry-After is asked again for so long.
_PATIENCE_SECONDS = 30.0

Json = dict[str, Any]


class Refused(Exception):
    """The API said no; `problem` is its problem document (RFC 9457), empty when the answer was none."""

    def __init__(self, request: httpx.Request, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        try:
            self.problem: Json = response.json()
        except ValueError:
            self.problem = {}
        self.reason: str = self.problem.get("reason", "")
        detail = self.problem.get("detail") or response.text[:300]
        super().__init__(
            f"{request.method} {request.url.path} was answered {self.status} {self.reason}: {detail}"
        )


class StreamBroken(Exception):
    """A stream of events ended with a problem; the text holds it."""


class Api:
    """One caller: an address, connections, and whom to be."""

    def __init__(
        self, http: httpx.AsyncClient, token: str = "", *, patience: float = _PATIENCE_SECONDS
    ) -> None:
        self.http = http
        self.token = token
        self._patience = patience

    @classmethod
    @asynccontextmanager
    async def at(
        cls, address: str, token: str = "", *, patience: float = _PATIENCE_SECONDS
    ) -> AsyncIterator[Api]:
        """Open connections to an address for the time of a with block."""
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=address, timeout=30, limits=limits, trust_env=False) as http:
            yield cls(http, token, patience=patience)

    def as_caller(self, token: str) -> Api:
        """Return the same connections with other credentials."""
        return Api(self.http, token, patience=self._patience)

    async def sign_in(self, email: str, password: str) -> Api:
        """Return a caller who is signed in as this person. Raises Refused."""
        session = await self.post("/v1/sessions", {"email": email, "password": password})
        return self.as_caller(session["token"])

    async def get(self, path: str, **query: Any) -> Json:
        """Read. Raises Refused."""
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str = "") -> Json:
        """Create or do something; `key` makes a repeat harmless. Raises Refused."""
        return await self.call("POST", path, body=body or {}, key=key)

    async def put(self, path: str, body: Mapping[str, Any], *, key: str = "") -> Json:
        """Replace. Raises Refused."""
        return await self.call("PUT", path, body=body, key=key)

    async def delete(self, path: str) -> Json:
        """Remove. Raises Refused."""
        return await self.call("DELETE", path)

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> Json:
        """Make one call and return its answer. A refusal for a moment is asked again. Raises Refused."""
        deadline = time.monotonic() + self._patience
        headers = self._headers() | ({"Idempotency-Key": key} if key else {})
        while True:
            response = await self.http.request(
                method, path, json=body, params=plain_query(query or {}), headers=headers
            )
            if response.is_success:
                return dict(response.json()) if response.content else {}
            pause = response.headers.get("Retry-After")
            # A request id in the body protects as the header does.
            is_safe = method == "GET" or bool(key) or "request_id" in (body or ())
            is_repeatable = is_safe or response.status_code == 429
            if not is_repeatable or pause is None or time.monotonic() + float(pause) > deadline:
                raise Refused(response.request, response)
            await asyncio.sleep(float(pause))

    async def download(self, path: str, **query: Any) -> bytes:
        """Read an answer as it comes, JSON or a file. Raises Refused."""
        response = await self.http.get(path, params=plain_query(query), headers=self._headers())
        if not response.is_success:
            raise Refused(response.request, response)
        return response.content

    async def upload(self, path: str, content: AsyncIterator[bytes], content_type: str) -> Json:
        """Stream a file to an address; returns the answer, which may take minutes. Raises Refused."""
        response = await self.http.put(
            path, content=content, headers=self._headers() | {"Content-Type": content_type}, timeout=600
        )
        if not response.is_success:
            raise Refused(response.request, response)
        return dict(response.json())

    async def follow(self, path: str) -> AsyncIterator[Json]:
        """Yield the data of server-sent events until the server ends the stream. Raises Refused and StreamBroken."""
        headers = self._headers() | {"Accept": "text/event-stream"}
        async with self.http.stream("GET", path, headers=headers, timeout=600) as response:
            if not response.is_success:
                await response.aread()
                raise Refused(response.request, response)
            event, data = "", ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    data += value
                elif not line and data:
                    if event == "end":
                        return
                    if event == "problem":
                        raise StreamBroken(f"{path} ended with {data}")
                    yield json.loads(data)
                    event, data = "", ""

    async def every(
        self, path: str, field: str, *, page_size: int = 200, **query: Any
    ) -> AsyncIterator[Json]:
        """Yield the items of all pages of a list. Raises Refused."""
        token = ""
        while True:
            page = await self.get(path, page_size=page_size, page_token=token, **query)
            for item in page[field]:
                yield item
            token = page["next_page_token"]
            if not token:
                return

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def plain_query(query: Mapping[str, Any]) -> list[tuple[str, str | int | float | bool | None]]:
    """Write query parameters: lists repeat, empty ones are left out, dates and booleans as the API reads them."""
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in query.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each not in ("", None):
                pairs.append((name, str(each).lower() if isinstance(each, bool) else str(each)))
    return pairs


def day(value: date, *, without_year: bool = False) -> Json:
    """Write a calendar day as the API takes it."""
    return {"year": 0 if without_year else value.year, "month": value.month, "day": value.day}


def money(amount: float, currency_code: str = "USD") -> Json:
    """Write an amount, rounded to cents, as the API takes it."""
    cents = round(amount * 100)
    whole, rest = divmod(abs(cents), 100)
    sign = -1 if cents < 0 else 1
    return {"currency_code": currency_code, "units": str(sign * whole), "nanos": sign * rest * 10_000_000}
