"""Microsoft Business Central, API v2.0: sign-in, pages, delta and waiting when it asks to. Must not know a client.

Sources: "Business Central API (v2.0)" (companies, customers, items, salesInvoices with salesInvoiceLines, filters by
lastModifiedDateTime), "Working with API limits" (429 and 504; the answer's Retry-After says how long to wait),
"Server-driven paging" (@odata.nextLink; Prefer: odata.maxpagesize), and "OAuth 2.0 client credentials" of the Microsoft
identity platform.
"""

import asyncio
import email.utils
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from chassis.errors import Kind, ServiceError

_PAGE = 500
_TIMEOUT_SECONDS = 120.0  # the service itself gives up after ten minutes; a page of this size takes seconds
_MOST_TRIES = 8
_LONGEST_WAIT_SECONDS = 300.0
_FIRST_WAIT_SECONDS = 1.0
# A token is asked for anew a little before it runs out: the call that it is for takes time too.
_TOKEN_MARGIN = timedelta(seconds=60)
_WAIT = frozenset({429, 502, 503, 504})

Record = Mapping[str, Any]


class SignInFailed(ServiceError):
    """Microsoft Entra or Business Central does not take the credentials."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CONNECTOR_SIGN_IN_FAILED",
            f"Business Central does not take these credentials: {why}.",
        )


class Unavailable(ServiceError):
    """Business Central does not answer, or not with what it documents."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Kind.UNAVAILABLE,
            "CONNECTOR_UNAVAILABLE",
            f"Business Central cannot be read: {why}.",
            retry_after=60.0,
        )


class AddressRefused(ServiceError):
    """A link leads away from the system that was asked."""

    def __init__(self) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CONNECTOR_ADDRESS_REFUSED",
            "Business Central answered with a link to another host, which is not followed.",
        )


@dataclass(frozen=True, slots=True)
class Access:
    """Where a chain's Business Central is and what signs in to it."""

    tenant_id: str
    environment: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Company:
    """One company of an environment."""

    company_id: str
    display_name: str


class BusinessCentral:
    """Reads one environment. `pause` waits for so many seconds; `waits` counts how often it was asked to."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        access: Access,
        *,
        api_url: str,
        sign_in_url: str,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._access = access
        self._sign_in_url = f"{sign_in_url.rstrip('/')}/{quote(access.tenant_id, safe='')}/oauth2/v2.0/token"
        self._scope = f"{api_url.rstrip('/')}/.default"
        self._base = (
            f"{api_url.rstrip('/')}/v2.0/{quote(access.tenant_id, safe='')}"
            f"/{quote(access.environment, safe='')}/api/v2.0"
        )
        self._now = now
        self._pause = pause
        self._token = ""
        self._token_ends = datetime.min.replace(tzinfo=UTC)
        self.waits = 0

    async def companies(self) -> list[Company]:
        """Return the environment's companies, by name. Raises SignInFailed and Unavailable."""
        found = [
            Company(str(one["id"]), str(one.get("displayName") or one.get("name") or one["id"]))
            async for one in self._records(f"{self._base}/companies", {})
        ]
        return sorted(found, key=lambda one: one.display_name.casefold())

    def changed(
        self, company_id: str, entity: str, *, since: datetime | None, expand: str = ""
    ) -> AsyncIterator[Record]:
        """Yield the records of an entity that changed at or after `since`, in the order of their change.

        Raises SignInFailed, Unavailable and AddressRefused.
        """
        query = {"$orderby": "lastModifiedDateTime"}
        if since is not None:
            moment = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            query["$filter"] = f"lastModifiedDateTime ge {moment}"
        if expand:
            query["$expand"] = expand
        return self._records(f"{self._base}/companies({quote(company_id, safe='')})/{entity}", query)

    async def _records(self, url: str, query: Mapping[str, str]) -> AsyncIterator[Record]:
        next_url, parameters = url, dict(query)
        while next_url:
            page = await self._get(next_url, parameters)
            records = page.get("value")
            if not isinstance(records, list):
                raise Unavailable("an answer has no list of records")
            for record in records:
                yield record
            # The link carries the whole query; asking with ours beside it would double it.
            next_url, parameters = str(page.get("@odata.nextLink") or ""), {}
            if next_url and _origin(next_url) != _origin(self._base):
                raise AddressRefused

    async def _get(self, url: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        wait = _FIRST_WAIT_SECONDS
        was_renewed = False
        for attempt in range(1, _MOST_TRIES + 1):
            token = await self._signed_in()
            try:
                answer = await self._http.get(
                    url,
                    params=dict(parameters) or None,
                    headers={
                        "Authorization": f"Bearer {token}",
                        "Accept": "application/json",
                        "Prefer": f"odata.maxpagesize={_PAGE}",
                        "Data-Access-Intent": "ReadOnly",
                    },
                    timeout=_TIMEOUT_SECONDS,
                )
            except httpx.HTTPError as error:
                if attempt == _MOST_TRIES:
                    raise Unavailable(type(error).__name__) from error
                wait = await self._wait(wait)
                continue
            if answer.status_code == 200:
                return _json(answer)
            if answer.status_code == 401 and not was_renewed:  # the token ran out or was revoked meanwhile
                self._token, was_renewed = "", True
                continue
            if answer.status_code in (401, 403):
                raise SignInFailed(_reason(answer))
            if answer.status_code not in _WAIT or attempt == _MOST_TRIES:
                raise Unavailable(f"{answer.status_code} {_reason(answer)}")
            wait = await self._wait(wait, _retry_after(answer, self._now()))
        raise Unavailable("it asked to wait too often")

    async def _wait(self, backoff: float, asked: float | None = None) -> float:
        """Wait as long as was asked, or for the backoff, and return the next backoff."""
        self.waits += 1
        await self._pause(min(backoff if asked is None else asked, _LONGEST_WAIT_SECONDS))
        return min(backoff * 2, _LONGEST_WAIT_SECONDS)

    async def _signed_in(self) -> str:
        if self._token and self._now() < self._token_ends:
            return self._token
        try:
            answer = await self._http.post(
                self._sign_in_url,
                data={
                    "grant_type": "client_credentials",
                    "client_id": self._access.client_id,
                    "client_secret": self._access.client_secret,
                    "scope": self._scope,
                },
                timeout=_TIMEOUT_SECONDS,
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"sign-in: {type(error).__name__}") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable(f"sign-in: {answer.status_code}")
        body = _json(answer)
        if answer.status_code != 200 or "access_token" not in body:
            raise SignInFailed(str(body.get("error") or answer.status_code))
        self._token = str(body["access_token"])
        self._token_ends = self._now() + timedelta(seconds=float(body.get("expires_in", 0))) - _TOKEN_MARGIN
        return self._token


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError as error:
        raise Unavailable(f"{answer.status_code} without JSON") from error
    if not isinstance(body, dict):
        raise Unavailable("an answer is not an object")
    return body


def _reason(answer: httpx.Response) -> str:
    """Return the code of an error as Business Central words it; never its message, which may quote data."""
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _retry_after(answer: httpx.Response, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, given as seconds or as a date (RFC 9110, 10.2.3)."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None
