"""A Twilio to test against, over real HTTP: takes, lists and tells texts, calls back with signatures, and misbehaves.

It can be told to break off after it took a text, to answer 500 after or before, to throttle, to hang, and to double and
reorder what it says of a text. What it was handed stays in `texts`, so that a test can count what went out.
"""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from chassis.clock import Clock, SystemClock
from chassis.http import HttpServer
from messaging.segments import count_segments

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "the first auth token of these tests"
_ROOT = "/2010-04-01/Accounts/{account}/Messages"

# What becomes of a text that is handed in.
ACCEPT = "accept"
DROP_AFTER = "drop_after"  # takes it, then the connection breaks
FAIL_AFTER = "fail_after"  # takes it and answers 500
HANG_AFTER = "hang_after"  # takes it and does not answer
DROP = "drop"
FAIL = "fail"
THROTTLE = "throttle"
_TAKES = frozenset({ACCEPT, DROP_AFTER, FAIL_AFTER, HANG_AFTER})

Deliver = Callable[[str, str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]


@dataclass
class StoodIn:
    """A text as this Twilio has it."""

    sid: str
    fields: Mapping[str, list[str]]
    created_at: datetime
    status: str = "queued"
    error_code: int | None = None

    def one(self, name: str) -> str:
        """Return a field that comes once."""
        return (self.fields.get(name) or [""])[0]

    @property
    def callback(self) -> str:
        """Return where its status is told."""
        return self.one("StatusCallback")

    @property
    def reference(self) -> str:
        """Return the sender's own name for it, which stands in the address it is told at."""
        return (parse_qs(urlsplit(self.callback).query).get("reference") or [""])[0]

    def document(self, account: str) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "sid": self.sid,
            "account_sid": account,
            "messaging_service_sid": self.one("MessagingServiceSid") or None,
            "from": self.one("From") or None,
            "to": self.one("To"),
            "body": self.one("Body"),
            "status": self.status,
            "direction": "outbound-api",
            "num_segments": "0" if self.one("MessagingServiceSid") else str(count_segments(self.one("Body"))),
            "num_media": str(len(self.fields.get("MediaUrl", []))),
            "error_code": self.error_code,
            "error_message": None,
            "date_created": format_datetime(self.created_at.replace(microsecond=0)),
            "date_updated": format_datetime(self.created_at.replace(microsecond=0)),
            "date_sent": None,
            "price": None,
            "price_unit": "USD",
            "api_version": "2010-04-01",
            "uri": f"{_ROOT.format(account=account)}/{self.sid}.json",
            "subresource_uris": {},
        }


async def over_http(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Call back as Twilio does; an address that does not answer is a status of 0."""
    async with httpx.AsyncClient(timeout=15, trust_env=False) as http:
        try:
            answer = await http.request(method, url, headers=dict(headers), content=body)
        except httpx.TransportError:
            return 0, b""
    return answer.status_code, answer.content


@dataclass
class TwilioStandIn:
    """The server. `public_url` is what the house under test calls itself; `deliver` carries callbacks there."""

    public_url: str = "https://carnet.example"
    clock: Clock = field(default_factory=SystemClock)
    tokens: tuple[str, ...] = (TOKEN,)  # the first signs
    api_keys: Mapping[str, str] = field(default_factory=dict)
    deliver: Deliver = over_http
    tells: Sequence[str] = ()  # what is said by itself of each text, such as ("sent", "delivered")
    doubles: bool = False
    reorders: bool = False
    behaviours: deque[str] = field(default_factory=deque)  # of the next texts; ACCEPT when it is empty
    behaviour_of: Callable[[Mapping[str, list[str]]], str] | None = None
    refusals: dict[str, int] = field(default_factory=dict)  # error codes by the number that is written to
    texts: list[StoodIn] = field(default_factory=list)
    media: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    media_redirects: dict[str, str] = field(default_factory=dict)
    seed: int = 1

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._random = random.Random(self.seed)
        self._telling: set[asyncio.Task[None]] = set()
        self.released = asyncio.Event()
        self.calls: Counter[str] = Counter()
        self.server: HttpServer | None = None

    @property
    def base_url(self) -> str:
        """Return where it listens."""
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def references(self) -> Counter[str]:
        """Return how often each attempt of the sender's was taken."""
        return Counter(text.reference for text in self.texts)

    async def start(self, address: str = "127.0.0.1:0") -> None:
        """Listen."""
        root = _ROOT.format(account="{account}")
        app = Starlette(
            routes=[
                Route(f"{root}.json", self._create, methods=["POST"]),
                Route(f"{root}.json", self._list),
                Route(f"{root}/{{sid}}.json", self._fetch),
                Route(f"{root}/{{sid}}/Media/{{media}}", self._media),
            ]
        )
        self.server = HttpServer("twilio stand-in", app, address, drain_seconds=1)
        await self.server.start()

    async def stop(self) -> None:
        """Let go of who hangs, and stop."""
        self.released.set()
        for task in self._telling:
            task.cancel()
        assert self.server is not None
        await self.server.stop()

    def _is_known(self, request: Request) -> bool:
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        username, _, password = base64.b64decode(encoded).decode().partition(":")
        by_token = username == request.path_params["account"] and password in self.tokens
        return kind == "Basic" and (by_token or self.api_keys.get(username) == password)

    async def _create(self, request: Request) -> Response:
        self.calls["create"] += 1
        if not self._is_known(request):
            return _refusal(401, 20003)
        fields = parse_qs((await request.body()).decode())
        behaviour = self.behaviours.popleft() if self.behaviours else ACCEPT
        if self.behaviour_of is not None:
            behaviour = self.behaviour_of(fields)
        if behaviour == THROTTLE:
            return _refusal(429, 20429)
        if behaviour == ACCEPT and (code := self.refusals.get(fields["To"][0])):
            return _refusal(400, code)
        if behaviour not in _TAKES:
            return _broken() if behaviour == DROP else _refusal(500, 20500)
        text = self.put(fields)
        if self.tells and text.callback:
            task = asyncio.create_task(self._tell(text))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
        if behaviour == DROP_AFTER:
            return _broken()
        if behaviour == FAIL_AFTER:
            return _refusal(500, 20500)
        if behaviour == HANG_AFTER:
            await self.released.wait()
        return JSONResponse(text.document(request.path_params["account"]), 201)

    def put(self, fields: Mapping[str, list[str]]) -> StoodIn:
        """Have a text with these fields."""
        text = StoodIn(f"SM{next(self._numbers):032x}", fields, self.clock.now())
        self.texts.append(text)
        return text

    async def _list(self, request: Request) -> Response:
        self.calls["list"] += 1
        if not self._is_known(request):
            return _refusal(401, 20003)
        asked = request.query_params
        found = [
            text
            for text in reversed(self.texts)
            if all(asked.get(name, text.one(name)) == text.one(name) for name in ("To", "From"))
        ]
        size, page = int(asked.get("PageSize", 50)), int(asked.get("Page", 0))
        account = request.path_params["account"]
        path = f"{_ROOT.format(account=account)}.json"
        more = {**asked, "Page": page + 1, "PageSize": size}
        return JSONResponse(
            {
                "messages": [text.document(account) for text in found[page * size : (page + 1) * size]],
                "page": page,
                "page_size": size,
                "uri": f"{path}?{asked}",
                "next_page_uri": f"{path}?{urlencode(more)}" if len(found) > (page + 1) * size else None,
            }
        )

    async def _fetch(self, request: Request) -> Response:
        self.calls["fetch"] += 1
        if not self._is_known(request):
            return _refusal(401, 20003)
        for text in self.texts:
            if text.sid == request.path_params["sid"]:
                return JSONResponse(text.document(request.path_params["account"]))
        return _refusal(404, 20404)

    async def _media(self, request: Request) -> Response:
        self.calls["media"] += 1
        name = request.path_params["media"]
        if leads_to := self.media_redirects.get(name):
            return RedirectResponse(leads_to, 307)
        if not self._is_known(request):
            return _refusal(401, 20003)
        if name not in self.media:
            return _refusal(404, 20404)
        content_type, content = self.media[name]

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 65_536):
                yield content[start : start + 65_536]

        return StreamingResponse(pieces(), media_type=content_type)

    async def _tell(self, text: StoodIn) -> None:
        words = [word for word in self.tells for _ in range(2 if self.doubles else 1)]
        if self.reorders:
            self._random.shuffle(words)
        for word in words:
            await self.tell(text, word)

    async def tell(self, text: StoodIn, status: str, error_code: int | None = None) -> int:
        """Say what became of a text, and return the answer's status code."""
        text.status, text.error_code = status, error_code
        fields = {
            "MessageSid": text.sid,
            "SmsSid": text.sid,
            "AccountSid": ACCOUNT,
            "MessageStatus": status,
            "To": text.one("To"),
            "From": text.one("From"),
            "ApiVersion": "2010-04-01",
            **({"ErrorCode": str(error_code)} if error_code else {}),
        }
        return (await self.post(text.callback, fields))[0]

    async def text_in(
        self,
        from_phone: str,
        to_phone: str,
        body: str,
        *,
        sid: str = "",
        messaging_service_sid: str = "",
        media: Iterable[tuple[str, bytes]] = (),
        **more: str,
    ) -> tuple[int, bytes]:
        """Hand a text in at the house, with pictures as (type, content), and return the answer."""
        sid = sid or f"SM{next(self._numbers):031x}a"
        fields = {
            "ToCountry": "US",
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "AccountSid": ACCOUNT,
            "From": from_phone,
            "To": to_phone,
            "Body": body,
            "NumSegments": str(count_segments(body)),
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
            **({"MessagingServiceSid": messaging_service_sid} if messaging_service_sid else {}),
            **more,
        }
        held = list(media)
        fields["NumMedia"] = str(len(held))
        for place, (content_type, content) in enumerate(held):
            name = f"ME{next(self._numbers):032x}"
            self.media[name] = (content_type, content)
            path = f"{_ROOT.format(account=ACCOUNT)}/{sid}/Media/{name}"
            fields[f"MediaUrl{place}"] = f"{self.base_url}{path}"
            fields[f"MediaContentType{place}"] = content_type
        return await self.post(f"{self.public_url}/outside/twilio/inbound", fields)

    async def post(
        self, url: str, fields: Mapping[str, str], *, token: str = "", signature: str = ""
    ) -> tuple[int, bytes]:
        """Post a form as Twilio does, signed with its token unless another one or a signature is given."""
        headers = {
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "x-twilio-signature": signature or signed(url, fields, token or self.tokens[0]),
            "user-agent": "TwilioProxy/1.1",
        }
        return await self.deliver("POST", url, headers, urlencode(fields).encode())

    async def settled(self) -> None:
        """Wait until everything that is said by itself was said."""
        while self._telling:
            await asyncio.gather(*self._telling)


def signed(url: str, fields: Mapping[str, str], token: str) -> str:
    """Return Twilio's signature of a form: the address and the sorted fields, HMAC-SHA1, base64."""
    text = url + "".join(f"{name}{value}" for name, value in sorted(fields.items()))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def signed_json(url: str, body: bytes, token: str) -> tuple[str, str]:
    """Return the address and the signature of a JSON body."""
    url += ("&" if "?" in url else "?") + "bodySHA256=" + hashlib.sha256(body).hexdigest()
    return url, base64.b64encode(hmac.new(token.encode(), url.encode(), hashlib.sha1).digest()).decode()


def fields_of(body: bytes) -> dict[str, str]:
    """Return a form's fields."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def _refusal(status: int, code: int) -> Response:
    return JSONResponse(
        {"code": code, "message": "of the stand-in", "more_info": "", "status": status}, status
    )


def _broken() -> Response:
    """Return an answer that breaks off in the middle, and the connection with it."""

    async def half() -> AsyncIterator[bytes]:
        yield json.dumps({"sid": "cut"}).encode()[:5]

    return StreamingResponse(half(), 201, headers={"content-length": "1000"})


@asynccontextmanager
async def stand_in(**fields: Any) -> AsyncIterator[TwilioStandIn]:
    """Run a Twilio for the time of a with block."""
    server = TwilioStandIn(**fields)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
