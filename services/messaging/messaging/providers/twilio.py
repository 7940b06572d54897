"""Twilio, through its SDK. Knows no message, client or permission of ours.

Its POST takes no key of the caller's: the same request twice is two texts. So nothing here repeats one, and an answer
that did not come is looked for among what Twilio has: see ADR 0014. Its own records are `carrier_texts`.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from logging import getLogger
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from chassis.clock import Clock
from chassis.database import Database
from messaging.domain import Channel
from messaging.providers import Accepted, Found, MediaNotThere, Refused, Status, Text
from messaging.segments import count_segments
from messaging.store import carrier_texts

PROVIDER = "twilio"
STATUS_PATH = "/outside/twilio/status"
_WHATSAPP = "whatsapp:"
_SLOW_DOWN = "20429"
_LEAST_CODE = (
    10_000  # Twilio's own codes are above; the SDK puts the HTTP status in place of one that is missing
)
_CLOCKS_APART = timedelta(minutes=1)  # between Twilio's clock, which counts whole seconds, and ours
_MOST_LOOKED_AT = 400  # of the texts between two numbers, newest first
_TRIAL = "Sent from your Twilio trial account - "
_MEDIA_SECONDS = 30.0
_REDIRECTS = 3

# What Twilio says of a text that it has; a word that is not here means that it has it.
_STATUSES: Mapping[str, Status] = {
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "undelivered": Status.FAILED,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
}


class AnswerLost(Exception):
    """Nobody knows whether Twilio took it."""


def status_of(word: str, error_code: str | int | None) -> tuple[Status, str]:
    """Return what one of Twilio's words for a status means, and the error code of a failure."""
    status = _STATUSES.get(word, Status.SENT)
    return status, (str(error_code) if error_code else word.upper()) if status is Status.FAILED else ""


class _Wire(AsyncHttpClient):  # type: ignore[misc]  # ships no types
    """The SDK's way out. Its own one writes numbers and addresses to the log, and repeats requests if told so."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__(getLogger(__name__), is_async=True)
        self._http = http

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request once, and return what came back."""
        fields: Any = _given(data)
        asked: Any = _given(params)
        answer = await self._http.request(
            method, uri, params=asked or None, data=fields or None, headers=headers, auth=auth
        )
        return Response(answer.status_code, answer.text, answer.headers)


def _given(fields: Mapping[str, object] | None) -> dict[str, object]:
    return {name: value for name, value in (fields or {}).items() if value is not None}


class Twilio:
    """The network. A component because connections stay open for a while."""

    name = "twilio"

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        account_sid: str,
        username: str,
        password: str,
        base_url: str,
        public_url: str,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._account_sid = account_sid
        self._auth = (username, password)
        self._base_url = base_url.rstrip("/")
        self._public_url = public_url.rstrip("/")
        self._http = http or httpx.AsyncClient(timeout=_MEDIA_SECONDS, follow_redirects=False)
        client = Client(username, password, account_sid=account_sid, http_client=_Wire(self._http))
        client.api.base_url = self._base_url
        self._messages: Any = client.api.v2010.account.messages
        self._message: Callable[[str], Any] = self._messages

    async def start(self) -> None:
        """Do nothing: connections are made when they are first used."""

    async def stop(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, text: Text) -> Accepted | Refused:
        """Hand one text over, once. Raises AnswerLost, or whatever broke, when Twilio may have it all the same."""
        try:
            taken = await self._messages.create_async(**self._fields(text))
        except (TwilioRestException, TwilioServiceException) as error:
            if error.status == httpx.codes.TOO_MANY_REQUESTS:
                return Refused(_SLOW_DOWN)
            if 400 <= error.status < 500 and int(error.code) >= _LEAST_CODE:
                return Refused(str(error.code))
            raise AnswerLost(f"Twilio answered {error.status}") from None  # its text may hold a number
        if not await self._claim(text, taken.sid):
            raise AnswerLost("that text was taken for another attempt meanwhile")
        return _accepted(taken, text)

    def _fields(self, text: Text) -> dict[str, Any]:
        prefix = _WHATSAPP if text.channel is Channel.WHATSAPP else ""
        fields: dict[str, Any] = {
            "to": prefix + text.to_phone,
            "from_": prefix + text.from_phone,
            "status_callback": f"{self._public_url}{STATUS_PATH}?"
            + urlencode({"chain": text.chain_id, "reference": text.reference}),
        }
        if text.messaging_service_id:
            fields["messaging_service_sid"] = text.messaging_service_id
        if text.template is not None:
            fields["content_sid"] = text.template.provider_template_id
            fields["content_variables"] = json.dumps(dict(text.template.values), ensure_ascii=False)
            return fields
        if text.body:
            fields["body"] = text.body
        if text.pictures:
            fields["media_url"] = [picture.url for picture in text.pictures]
        return fields

    async def find(self, text: Text) -> Found | None:
        """Say what became of an attempt: by what was said of it since, else by looking through what Twilio has.

        Raises AnswerLost when Twilio has several texts that it may be.
        """
        async with self._database.transaction(text.chain_id) as tx:
            sid = await carrier_texts.of_reference(tx, provider=PROVIDER, reference=text.reference)
        if sid is not None:
            return _found(await self._message(sid).fetch_async(), text)
        while (candidate := await self._unclaimed(text)) is not None:
            if await self._claim(text, candidate.sid):
                return _found(candidate, text)
        return None

    async def _unclaimed(self, text: Text) -> Any | None:
        """Return the oldest text of Twilio's that may be this attempt and is nobody's yet."""
        prefix = _WHATSAPP if text.channel is Channel.WHATSAPP else ""
        earliest = None if text.attempted_at is None else text.attempted_at - _CLOCKS_APART
        alike: dict[str, Any] = {}
        # Not by the time of sending: what waits at Twilio has none yet.
        listed = await self._messages.stream_async(
            to=prefix + text.to_phone,
            from_=prefix + text.from_phone,
            limit=_MOST_LOOKED_AT,
            page_size=100,
        )
        async for one in listed:
            if earliest is not None and one.date_created is not None and one.date_created < earliest:
                break
            if str(one.direction).startswith("outbound") and _may_be(one, text):
                alike[one.sid] = one
        async with self._database.transaction(text.chain_id) as tx:
            taken = await carrier_texts.claimed(tx, provider=PROVIDER, provider_message_ids=alike)
        free = [one for sid, one in alike.items() if sid not in taken]
        if text.template is not None and len(free) > 1:
            raise AnswerLost("several texts may be this one, since Twilio wrote the words")
        return free[-1] if free else None

    async def _claim(self, text: Text, sid: str) -> bool:
        async with self._database.transaction(text.chain_id) as tx:
            owner = await carrier_texts.claim(
                tx,
                provider=PROVIDER,
                provider_message_id=sid,
                reference=text.reference,
                now=self._clock.now(),
            )
        return owner == text.reference

    @asynccontextmanager
    async def open_media(self, chain_id: str, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a picture of an inbound text. Our credentials go to Twilio's own address only, along no redirect."""
        if urlsplit(url)[:2] != urlsplit(self._base_url)[:2]:
            raise MediaNotThere("that is not Twilio's address")
        auth: tuple[str, str] | None = self._auth
        for _ in range(_REDIRECTS + 1):
            async with self._http.stream("GET", url, auth=auth) as answer:
                if answer.is_redirect:
                    url, auth = str(answer.next_request.url if answer.next_request else ""), None
                    if not _is_carriers(url, self._base_url):
                        raise MediaNotThere("it leads to somebody else's address")
                    continue
                if answer.status_code in (404, 410, 403):
                    raise MediaNotThere(f"Twilio answered {answer.status_code}")
                answer.raise_for_status()
                yield answer.aiter_bytes()
                return
        raise MediaNotThere("it is redirected without end")


def _is_carriers(url: str, base_url: str) -> bool:
    """Return whether an address is one that Twilio keeps pictures at: its own, or its stores' behind redirects."""
    place, base = urlsplit(url), urlsplit(base_url)
    if place[:2] == base[:2]:
        return True
    host = (place.hostname or "").lower()
    return place.scheme == "https" and (
        host.endswith((".twilio.com", ".twiliocdn.com"))
        or (host == "s3-external-1.amazonaws.com" and place.path.startswith("/media.twiliocdn.com/"))
    )


def _accepted(message: Any, text: Text) -> Accepted:
    # Behind a messaging service Twilio counts segments once it has chosen a number, and says 0 until then.
    return Accepted(message.sid, int(message.num_segments or 0) or count_segments(text.body))


def _found(message: Any, text: Text) -> Found:
    status, error_code = status_of(str(message.status), message.error_code)
    return Found(_accepted(message, text), status, error_code)


def _may_be(message: Any, text: Text) -> bool:
    if text.template is not None:
        return True
    if bool(int(message.num_media or 0)) != bool(text.pictures):
        return False
    body = message.body or ""
    return " ".join(body.removeprefix(_TRIAL).split()) == " ".join(text.body.split())
