"""What Twilio calls back with: inbound texts and what became of ours. Nothing counts without its signature.

The signature is over the address as Twilio called it, which is CARNET_PUBLIC_URL and the target: never one that was put
together from headers, which anybody can send. All fields count, those that nobody here knows as well.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import structlog

from chassis.clock import Clock
from chassis.database import Database
from messaging.domain import Channel
from messaging.outside import NOT_FOUND, NOT_PROVEN, OutsideAnswer, OutsideRequest
from messaging.providers import InboundText, Receipt
from messaging.providers.twilio import PROVIDER, status_of
from messaging.store import carrier_texts
from messaging.suppression import Suppressor
from messaging.telemetry import OUTSIDE_REFUSED
from messaging.use_cases import delivery, intake

_WHATSAPP = "whatsapp:"
_MOST_MEDIA = 10
# No words of ours: whatever is to be answered goes through the gate like any other text.
_SILENCE = OutsideAnswer(
    200,
    b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>',
    content_type="text/xml; charset=utf-8",
)
_TAKEN = OutsideAnswer(204)

_log = structlog.get_logger(__name__)


def is_signed(request: OutsideRequest, *, public_url: str, tokens: Sequence[str]) -> bool:
    """Return whether a request carries Twilio's signature by one of the tokens. Source: Twilio, "Webhooks security"."""
    offered = request.headers.get("x-twilio-signature", "").encode()
    fields = request.form
    body_hash = request.query.get("bodySHA256")
    if body_hash is not None and not fields:
        found = hashlib.sha256(request.body).hexdigest()
        if not hmac.compare_digest(found.encode(), body_hash.lower().encode()):
            return False
    elif not fields and request.body:
        return False  # a body that nothing vouches for
    proven = False
    for url in _as_called(public_url, request.target):
        for token in tokens:
            proven |= hmac.compare_digest(signature(url, fields, token).encode(), offered)
    return proven


def signature(url: str, fields: Iterable[tuple[str, str]], token: str) -> str:
    """Return the signature of an address and a form's fields: sorted, a name with several values once with each."""
    text = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def _as_called(public_url: str, target: str) -> list[str]:
    """Return the address, and the same with the port that its scheme means: Twilio is known to add it at times."""
    base = urlsplit(public_url)
    called = [public_url + target]
    if base.port is None:
        called.append(f"{public_url}:{443 if base.scheme == 'https' else 80}{target}")
    return called


class TwilioWebhooks:
    """Answers Twilio. With two tokens it takes what either has signed, so that one can be replaced."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        suppressor: Suppressor,
        public_url: str,
        tokens: Sequence[str],
        arrived: asyncio.Event,
    ) -> None:
        self._database = database
        self._clock = clock
        self._suppressor = suppressor
        self._public_url = public_url.rstrip("/")
        self._tokens = tokens
        self._arrived = arrived
        self._directory = intake.Directory(database)

    def _is_proven(self, request: OutsideRequest) -> bool:
        if is_signed(request, public_url=self._public_url, tokens=self._tokens):
            return True
        OUTSIDE_REFUSED.labels("twilio").inc()
        _log.warning("a request in Twilio's name has no signature of Twilio's", path=request.path)
        return False

    async def take_inbound(self, request: OutsideRequest) -> OutsideAnswer:
        """Keep a text and answer; the same text again gets the same answer and does nothing."""
        if not self._is_proven(request):
            return NOT_PROVEN
        fields = {name: _storable(value) for name, value in request.form}
        sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
        if request.method != "POST" or not (sid and fields.get("From") and fields.get("To")):
            return NOT_FOUND
        channel = Channel.WHATSAPP if fields["From"].startswith(_WHATSAPP) else Channel.SMS
        count = fields.get("NumMedia", "0")
        inbound = InboundText(
            "",
            PROVIDER,
            sid,
            fields["From"].removeprefix(_WHATSAPP),
            fields["To"].removeprefix(_WHATSAPP),
            fields.get("Body", ""),
            channel,
            tuple(
                (fields[f"MediaUrl{place}"], fields.get(f"MediaContentType{place}", ""))
                for place in range(min(int(count) if count.isdecimal() else 0, _MOST_MEDIA))
                if fields.get(f"MediaUrl{place}")
            ),
        )
        await intake.keep_text(
            database=self._database,
            clock=self._clock,
            suppressor=self._suppressor,
            directory=self._directory,
            inbound=inbound,
            raw=fields,
            messaging_service_id=fields.get("MessagingServiceSid", ""),
        )
        self._arrived.set()
        return _SILENCE

    async def take_status(self, request: OutsideRequest) -> OutsideAnswer:
        """Take in what became of a text of ours; such words come late, twice and in any order."""
        if not self._is_proven(request):
            return NOT_PROVEN
        fields = dict(request.form)
        chain_id, reference = request.query.get("chain", ""), request.query.get("reference", "")
        sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
        if request.method != "POST" or not (sid and chain_id and reference):
            return NOT_FOUND
        async with self._database.transaction(chain_id) as tx:
            # Two attempts may have looked alike: whose text it is was perhaps said before.
            owner = await carrier_texts.claim(
                tx, provider=PROVIDER, provider_message_id=sid, reference=reference, now=self._clock.now()
            )
        status, error_code = status_of(
            fields.get("MessageStatus") or fields.get("SmsStatus") or "", fields.get("ErrorCode")
        )
        await delivery.note_receipt(
            database=self._database,
            clock=self._clock,
            suppressor=self._suppressor,
            receipt=Receipt(chain_id, owner, sid, status, error_code),
        )
        return _TAKEN


def _storable(value: str) -> str:
    """Return a value without what Postgres has no place for."""
    return value.replace("\0", "")
