"""A real mail server on loopback that can be told to misbehave; what it took is kept."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USER, PASSWORD = b"store", b"a password: with / signs @"


@dataclass
class MailServer:
    """What the server answers, and what it took: (return path, receivers, e-mail)."""

    answers: dict[str, str] = field(default_factory=dict)
    loses_answer: bool = False
    hangs_at: str = ""
    taken: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await self._wait("MAIL")
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.answers:
            return self.answers["DATA"]
        content = envelope.content
        assert isinstance(content, bytes)
        self.raw.append(content)
        parsed = message_from_bytes(content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.taken.append((envelope.mail_from or "", list(envelope.rcpt_tos), parsed))
        if self.loses_answer:
            assert server.transport is not None
            server.transport.abort()
        return "250 OK"

    async def _wait(self, step: str) -> None:
        if self.hangs_at == step:
            await asyncio.Event().wait()


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    is_known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, PASSWORD)
    return AuthResult(success=is_known, handled=False)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: bool = False, needs_user: bool = False
) -> AsyncIterator[MailServer]:
    """Run a mail server; with `tls` from the first byte on, or after STARTTLS."""
    server = MailServer()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        server.connections += 1
        sessions.append(
            SMTP(
                server,
                hostname="mail.example",
                tls_context=tls if starttls else None,
                require_starttls=starttls,
                authenticator=_authenticate if needs_user else None,
                auth_required=needs_user,
                auth_require_tls=False,
            )
        )
        return sessions[-1]

    listening = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", 0, ssl=None if starttls else tls
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for one in sessions:
            if one.transport is not None:
                one.transport.abort()
        await listening.wait_closed()


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the TLS of a server at 127.0.0.1, and that of whoever trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem + secret)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(folder / "server.pem")
    return theirs, ssl.create_default_context(cadata=pem.decode())
