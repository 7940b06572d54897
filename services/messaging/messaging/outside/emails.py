"""What readers of e-mails and mail servers ask: the way out, and notices of what did not arrive."""

import base64
import hashlib
import hmac
import html

import structlog

from chassis.clock import Clock
from chassis.database import Database
from messaging.domain import Channel, Purpose, message_id_of
from messaging.emails import UNSUBSCRIBE, read_bounce
from messaging.links import Links
from messaging.outside import NOT_FOUND, NOT_PROVEN, OutsideAnswer, OutsideRequest
from messaging.providers import Receipt, Status
from messaging.providers.codes import BOUNCE
from messaging.store import messages
from messaging.suppression import Suppressor
from messaging.telemetry import OUTSIDE_REFUSED
from messaging.use_cases import delivery, unsubscribing

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;padding:0 1.5rem}"
    "button{font:inherit;padding:.6rem 1.2rem}"
)
_HEADERS = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "content-security-policy": "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
_IGNORED = OutsideAnswer(200, b"ignored\n", "text/plain; charset=utf-8")
_STATUSES = {"failed": Status.FAILED, "delivered": Status.DELIVERED}

_log = structlog.get_logger(__name__)


class WayOut:
    """Answers whoever follows the way out of an e-mail (RFC 8058): only POST changes anything."""

    def __init__(self, *, database: Database, clock: Clock, suppressor: Suppressor, links: Links) -> None:
        self._database = database
        self._clock = clock
        self._suppressor = suppressor
        self._links = links

    async def answer(self, request: OutsideRequest) -> OutsideAnswer:
        """Show the page that asks, or do it. A link that is not good says so to a person."""
        good_for = self._links.read(UNSUBSCRIBE, request.path, now=self._clock.now())
        if good_for is None or len(good_for) != 4 or good_for[3] not in set(Purpose):
            OUTSIDE_REFUSED.labels("unsubscribe").inc()
            return _page(403, "This link is not good any more", "Please use the one in a newer e-mail.")
        chain_id, conversation_id, message_id, purpose = good_for
        if request.method == "POST":
            await unsubscribing.unsubscribe(
                database=self._database,
                clock=self._clock,
                suppressor=self._suppressor,
                chain_id=chain_id,
                conversation_id=conversation_id,
                message_id=message_id,
                purpose=Purpose(purpose),
            )
            return _page(200, "Done", "You will get no more of these e-mails.")
        name = await unsubscribing.sender_name(
            database=self._database, chain_id=chain_id, conversation_id=conversation_id
        )
        said = f"No more e-mails like this one{f' from {name}' if name else ''}?"
        return _page(200, "E-mails", said, button="No more of these")


def _page(status: int, title: str, said: str, *, button: str = "") -> OutsideAnswer:
    form = f'<form method="post"><button name="confirm" value="1">{html.escape(button)}</button></form>'
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{html.escape(title)}</h1><p>{html.escape(said)}</p>{form if button else ''}</body></html>\n"
    )
    return OutsideAnswer(status, page.encode(), "text/html; charset=utf-8", _HEADERS)


class Bounces:
    """Takes what mail servers send back about e-mails of ours (RFC 3464)."""

    def __init__(
        self, *, database: Database, clock: Clock, suppressor: Suppressor, secret: str, return_domain: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._suppressor = suppressor
        self._authorization = f"Bearer {secret}".encode()
        self._return_domain = return_domain

    async def take(self, request: OutsideRequest) -> OutsideAnswer:
        """Take one e-mail in. What is no notice of ours is no fault of the mail server, which would try it again."""
        if request.method != "POST":
            return NOT_FOUND
        offered = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(offered, self._authorization):
            OUTSIDE_REFUSED.labels("bounce").inc()
            return NOT_PROVEN
        bounce = read_bounce(request.body, self._return_domain)
        if bounce is None or (status := _STATUSES.get(bounce.action)) is None:
            return _IGNORED
        async with self._database.transaction(bounce.chain_id) as tx:
            message = await messages.find(tx, message_id_of(bounce.reference))
        if message is None or message.channel is not Channel.EMAIL:
            return _IGNORED
        receipt = Receipt(
            bounce.chain_id,
            bounce.reference,
            message.provider_message_id,
            status,
            f"{BOUNCE}{bounce.status}" if status is Status.FAILED else "",
        )
        await delivery.note_receipt(
            database=self._database, clock=self._clock, suppressor=self._suppressor, receipt=receipt
        )
        return OutsideAnswer(204)
