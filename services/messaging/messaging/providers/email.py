"""A mail server that e-mails are handed to, over SMTP (RFC 5321). Must not decide whether one may go out.

What fails before the content is with the server was not taken, and is said so. From there on a lost answer means that
nobody knows: a mail server cannot be asked, so such an e-mail is never sent again.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from chassis.clock import Clock
from chassis.errors import ServiceError
from messaging.emails import (
    AddressRefused,
    Attachment,
    compose,
    message_id_of,
    return_path_of,
    unsubscribe_url,
)
from messaging.links import Links
from messaging.providers import Accepted, Picture, Refused, Text, Unconfirmable
from messaging.providers.codes import SMTP

FetchPicture = Callable[[str, Picture], Awaitable[Attachment]]

_CLOSING = 421
_LATER = f"{SMTP}421"  # as a server says that closes its doors: come again
_BAD_ADDRESS = f"{SMTP}5.1.3"
_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class MailServer:
    """Where it is, how it is spoken to, and as whom."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def at(cls, url: str) -> "MailServer":
        """Return the server of a URL such as smtps://user:password@mail.example:465."""
        parts = urlsplit(url)
        return cls(
            parts.scheme,
            parts.hostname or "",
            parts.port or _PORTS[parts.scheme],
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )


class Smtp:
    """Hands e-mails over; keeps up to `most_idle` connections for the next ones.

    `timeout_seconds` is for all that comes before the content, `content_seconds` for the answer to it.
    """

    name = "mail server"

    def __init__(
        self,
        *,
        server: MailServer,
        clock: Clock,
        links: Links,
        timeout_seconds: float,
        content_seconds: float,
        most_idle: int,
        return_domain: str,
        fetch: FetchPicture,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._clock = clock
        self._links = links
        self._timeout_seconds = timeout_seconds
        self._content_seconds = content_seconds
        self._most_idle = most_idle
        self._return_domain = return_domain
        self._fetch = fetch
        self._tls = tls
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, text: Text) -> Accepted | Refused:
        """Hand one e-mail over. Raises when the content was sent and the answer did not come."""
        now = self._clock.now()
        try:
            pictures = [await self._fetch(text.chain_id, picture) for picture in text.pictures]
            composed = compose(
                text, way_out=unsubscribe_url(text, self._links, now), now=now, attachments=pictures
            )
        except AddressRefused:
            return Refused(_BAD_ADDRESS)
        except ServiceError as error:
            _log.warning("the pictures of an e-mail cannot be had", reason=error.reason)
            return Refused(_LATER)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                client = await self._begin(text)
        except aiosmtplib.SMTPResponseException as error:
            return Refused(_code(error.code, error.message))
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            _log.warning("the mail server cannot be reached", error=type(error).__name__)
            return Refused(_LATER)
        try:
            await client.data(composed.as_bytes(), timeout=self._content_seconds)
        except aiosmtplib.SMTPResponseException as error:
            self._keep(client)
            return Refused(_code(error.code, error.message))
        except BaseException:
            client.close()
            raise
        self._keep(client)
        return Accepted(message_id_of(text), 0)

    async def find(self, text: Text) -> Unconfirmable:
        """Say that a mail server cannot be asked."""
        return Unconfirmable()

    async def start(self) -> None:
        """Do nothing: a connection is made when there is something to send."""

    async def stop(self) -> None:
        """End all connections."""
        while self._idle:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._idle.pop().quit()

    async def _begin(self, text: Text) -> aiosmtplib.SMTP:
        """Return a connection that has taken sender and receiver. An idle one may be gone: then a new one is tried."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.rset()
                return await self._address(client, text)
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError):
                client.close()
        return await self._address(await self._connect(), text)

    async def _address(self, client: aiosmtplib.SMTP, text: Text) -> aiosmtplib.SMTP:
        try:
            await client.mail(return_path_of(text, self._return_domain))
            await client.rcpt(text.to_phone)
        except aiosmtplib.SMTPResponseException as error:
            if error.code == _CLOSING:
                client.close()
            self._keep(client)
            raise
        except BaseException:
            client.close()
            raise
        return client

    async def _connect(self) -> aiosmtplib.SMTP:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            timeout=self._timeout_seconds,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "starttls",
            tls_context=self._tls,
        )
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        return client

    def _keep(self, client: aiosmtplib.SMTP) -> None:
        """Keep a connection for the next e-mail. Nothing is said on it: that could take time, and the answer is in."""
        if client.is_connected and len(self._idle) < self._most_idle:
            self._idle.append(client)
        else:
            client.close()


def _code(basic: int, words: str) -> str:
    """Return the code of an answer: the enhanced status (RFC 3463) where the server gives one."""
    enhanced = _ENHANCED.match(words)
    # Some servers say 550 4.x.x; what counts is the first digit of the answer itself.
    if enhanced and enhanced[1][0] == str(basic)[0]:
        return SMTP + enhanced[1]
    return f"{SMTP}{basic}"
