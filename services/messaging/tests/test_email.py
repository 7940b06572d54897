"""E-mails on a real mail server: what they say, what its answers mean, and what is never sent twice."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosmtplib
import pytest
from mail_server import PASSWORD, USER, MailServer, certified, mail_server

from chassis.clock import FixedClock
from messaging.config import Settings
from messaging.domain import Channel, Purpose
from messaging.emails import Attachment, is_email, message_id_of, read_bounce, return_path_of
from messaging.links import Links
from messaging.providers import Accepted, Picture, Refused, Text, Unconfirmable
from messaging.providers.codes import EMAIL_FAULTS, NOT_CONFIGURED, Fault, advice_on, fault_of, pause_after
from messaging.providers.email import MailServer as Address
from messaging.providers.email import Smtp
from messaging.providers.router import Router

NOW = datetime(2026, 3, 10, 16, tzinfo=UTC)
LINKS = Links("a key of these tests, long enough", "https://carnet.example")
MAIL = Text(
    chain_id="chn_01kqh1m6q0",
    reference="msg_01kqh1m6q1",
    from_phone="fifth@maison.example",
    to_phone="ada@client.example",
    body="Dear Ada,\n\nyour ring is ready: https://maison.example/r?a=1&b=2.\n<Fifth Avenue>",
    channel=Channel.EMAIL,
    subject="Your ring",
    sender_name='Maison "Aurore", Fifth',
    purpose=Purpose.CONVERSATIONAL,
    conversation_id="cnv_01kqh1m6q2",
)


async def no_picture(chain_id: str, picture: Picture) -> Attachment:
    """Return the one picture of these tests."""
    return Attachment(b"\x89PNG", picture.content_type, "ring.png")


@asynccontextmanager
async def sending_to(server: MailServer, url: str = "", **fields: Any) -> AsyncIterator[Smtp]:
    """Return an e-mail carrier whose server is the given one."""
    carrier = Smtp(
        **{
            "server": Address.at(url or f"smtp://127.0.0.1:{server.port}"),
            "clock": FixedClock(NOW),
            "links": LINKS,
            "timeout_seconds": 5,
            "content_seconds": 5,
            "most_idle": 2,
            "return_domain": "bounces.maison.example",
            "fetch": no_picture,
            **fields,
        }
    )
    try:
        yield carrier
    finally:
        await carrier.stop()


async def test_an_email_has_its_parts_its_sender_and_our_id() -> None:
    async with mail_server() as server, sending_to(server) as carrier:
        assert await carrier.send(MAIL) == Accepted(message_id_of(MAIL), 0)
    [(return_path, receivers, mail)] = server.taken
    assert (return_path, receivers) == (
        "b.01kqh1m6q0.01kqh1m6q1@bounces.maison.example",
        ["ada@client.example"],
    )
    assert mail["From"].addresses[0].display_name == 'Maison "Aurore", Fifth'
    assert mail["From"].addresses[0].addr_spec == "fifth@maison.example"
    assert (mail["To"], mail["Subject"]) == ("ada@client.example", "Your ring")
    assert mail["Message-ID"] == "<chn_01kqh1m6q0.msg_01kqh1m6q1@maison.example>"
    assert mail["Date"].datetime == NOW
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert plain.get_content().splitlines() == MAIL.body.splitlines()
    said = page.get_content()
    assert '<a href="https://maison.example/r?a=1&amp;b=2">' in said
    assert "&lt;Fifth Avenue&gt;" in said
    assert "List-Unsubscribe" not in mail


@pytest.mark.parametrize(
    ("purpose", "is_for_many", "leaves"),
    [
        (Purpose.MARKETING, False, True),
        (Purpose.MARKETING, True, True),
        (Purpose.SERVICE, True, True),
        (Purpose.SERVICE, False, False),
        (Purpose.CONVERSATIONAL, True, False),
    ],
)
async def test_the_way_out_is_in_what_is_written_to_many(
    purpose: Purpose, is_for_many: bool, leaves: bool
) -> None:
    async with mail_server() as server, sending_to(server) as carrier:
        await carrier.send(replace(MAIL, purpose=purpose, is_for_many=is_for_many))
    mail = server.taken[0][2]
    assert ("List-Unsubscribe" in mail) is leaves
    if not leaves:
        return
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = mail["List-Unsubscribe"].strip("<>")
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in server.raw[0]
    path = link.removeprefix("https://carnet.example")
    claim = ("chn_01kqh1m6q0", "cnv_01kqh1m6q2", "msg_01kqh1m6q1", purpose.value)
    assert LINKS.read("unsubscribe", path, now=NOW + timedelta(days=365)) == claim
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        assert link in part.get_content()


@pytest.mark.parametrize("field", ["subject", "sender_name"])
async def test_nothing_that_somebody_wrote_ends_a_header(field: str) -> None:
    evil = "Ring\r\nBcc: spy@example.com\r\n\r\n<script>\u2028Bcc: spy@example.com"
    async with mail_server() as server, sending_to(server) as carrier:
        await carrier.send(replace(MAIL, **{field: evil}))
    _, receivers, mail = server.taken[0]
    assert receivers == ["ada@client.example"]
    assert mail["Bcc"] is None
    assert mail["Subject"]


@pytest.mark.parametrize(
    "address",
    [
        "ada@client.example\r\nBcc: spy@example.com",
        "ada@client.example, spy@example.com",
        "<ada@client.example>",
        "ada@client.example>\r\nRCPT TO:<spy@example.com",
        "ada",
        "ada@client",
        "@client.example",
        "a b@client.example",
        "ada@client..example",
        "ad\u00e4@client.example",
        "",
    ],
)
async def test_an_address_that_is_none_is_refused_before_the_server_hears_of_it(address: str) -> None:
    assert not is_email(address)
    async with mail_server() as server, sending_to(server) as carrier:
        answer = await carrier.send(replace(MAIL, to_phone=address))
        assert isinstance(answer, Refused)
        assert fault_of(answer.code) is Fault.DEAD_NUMBER
    assert server.taken == []
    assert server.connections == 0


async def test_pictures_are_attached() -> None:
    picture = Picture("med_1", "https://carnet.example/outside/media/x", "image/png")
    async with mail_server() as server, sending_to(server) as carrier:
        await carrier.send(replace(MAIL, pictures=(picture,)))
    [attached] = server.taken[0][2].iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("image/png", "ring.png")
    assert attached.get_content() == b"\x89PNG"


@pytest.mark.parametrize(
    ("step", "answer", "code", "fault"),
    [
        ("RCPT", "550 5.1.1 No such user", "SMTP_5.1.1", Fault.DEAD_NUMBER),
        ("RCPT", "550 No such user", "SMTP_550", Fault.DEAD_NUMBER),
        ("RCPT", "551 Not here", "SMTP_551", Fault.DEAD_NUMBER),
        ("RCPT", "553 Not an address", "SMTP_553", Fault.DEAD_NUMBER),
        ("RCPT", "550 5.7.1 Policy", "SMTP_5.7.1", Fault.CONTENT),
        ("RCPT", "452 4.2.2 Mailbox full", "SMTP_4.2.2", Fault.LATER),
        ("MAIL", "451 Grey", "SMTP_451", Fault.LATER),
        ("MAIL", "550 5.1.8 Bad sender's system address", "SMTP_5.1.8", Fault.SENDER),
        ("DATA", "554 5.7.1 Spam", "SMTP_5.7.1", Fault.CONTENT),
        ("DATA", "554 Spam", "SMTP_554", Fault.CONTENT),
        ("DATA", "451 4.3.0 Busy", "SMTP_4.3.0", Fault.LATER),
        ("DATA", "599 Who knows", "SMTP_599", Fault.OTHER),
    ],
)
async def test_an_answer_says_what_to_do_next(step: str, answer: str, code: str, fault: Fault) -> None:
    async with mail_server() as server, sending_to(server) as carrier:
        server.answers[step] = answer
        assert await carrier.send(MAIL) == Refused(code)
        assert fault_of(code) is fault
        server.answers.clear()
        assert isinstance(await carrier.send(MAIL), Accepted)
        assert server.connections == 1


async def test_one_connection_serves_many_emails_until_it_is_gone() -> None:
    async with mail_server() as server, sending_to(server) as carrier:
        for _ in range(3):
            await carrier.send(MAIL)
        assert server.connections == 1
    port = server.port
    async with mail_server() as other, sending_to(server) as carrier:
        carrier._server = Address.at(f"smtp://127.0.0.1:{other.port}")
        await carrier.send(MAIL)
    assert port != other.port


async def test_an_idle_connection_that_the_server_closed_costs_no_email() -> None:
    async with mail_server() as server, sending_to(server) as carrier:
        await carrier.send(MAIL)
        carrier._idle[0].close()
        assert isinstance(await carrier.send(MAIL), Accepted)
        await asyncio.gather(*(carrier.send(MAIL) for _ in range(8)))
        assert len(carrier._idle) == 2
    assert len(server.taken) == 10


async def test_an_answer_that_is_lost_is_not_known_and_cannot_be_asked_for() -> None:
    async with mail_server() as server, sending_to(server) as carrier:
        server.loses_answer = True
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await carrier.send(MAIL)
        assert await carrier.find(MAIL) == Unconfirmable()
    assert len(server.taken) == 1


async def test_a_server_that_is_not_there_or_does_not_answer_was_given_nothing() -> None:
    async with mail_server() as server:
        pass
    async with sending_to(server) as carrier:
        assert await carrier.send(MAIL) == Refused("SMTP_421")
    async with mail_server() as server, sending_to(server, timeout_seconds=0.2) as carrier:
        server.hangs_at = "MAIL"
        assert await carrier.send(MAIL) == Refused("SMTP_421")
    assert server.taken == []
    assert fault_of("SMTP_421") is Fault.LATER


@pytest.mark.parametrize("scheme", ["smtps", "starttls"])
async def test_the_server_is_spoken_to_under_tls_and_by_name(scheme: str, tmp_path: Path) -> None:
    theirs, ours = certified(tmp_path)
    user = f"{USER.decode()}:{quote(PASSWORD.decode(), safe='')}"
    async with mail_server(tls=theirs, starttls=scheme == "starttls", needs_user=True) as server:
        url = f"{scheme}://{user}@127.0.0.1:{server.port}"
        async with sending_to(server, url, tls=ours) as carrier:
            assert isinstance(await carrier.send(MAIL), Accepted)
        async with sending_to(server, url.replace("store:", "other:"), tls=ours) as carrier:
            refused = await carrier.send(MAIL)
        async with sending_to(server, url) as carrier:
            assert await carrier.send(MAIL) == Refused("SMTP_421")  # a certificate that nobody vouches for
    assert isinstance(refused, Refused)
    assert fault_of(refused.code) is Fault.SENDER
    assert len(server.taken) == 1


def test_a_url_of_a_server_has_the_port_of_its_kind() -> None:
    assert [Address.at(f"{scheme}://mail.example").port for scheme in ("smtp", "starttls", "smtps")] == [
        25,
        587,
        465,
    ]


def test_a_return_path_that_would_be_too_long_is_the_senders_own() -> None:
    assert return_path_of(replace(MAIL, chain_id="chn_" + "a" * 60), "b.example") == MAIL.from_phone
    assert return_path_of(MAIL, "") == MAIL.from_phone
    longest = replace(MAIL, chain_id="chn_" + "a" * 26, reference="msg_" + "b" * 26 + ".10")
    assert return_path_of(longest, "b.example").endswith("@b.example")


async def test_a_channel_without_a_carrier_is_refused() -> None:
    router = Router({})
    assert await router.send(MAIL) == Refused(NOT_CONFIGURED)
    assert await router.find(MAIL) == Unconfirmable()


def test_a_mail_server_is_tried_for_hours_and_a_bounce_is_the_end() -> None:
    pauses = [pause_after("SMTP_4.2.2", attempts) for attempts in range(1, 7)]
    assert pauses[-1] is None
    assert sum((pause for pause in pauses if pause), timedelta()) > timedelta(hours=5)
    assert pause_after("BOUNCE_4.4.7", 1) is None
    assert fault_of("BOUNCE_5.1.1") is Fault.DEAD_NUMBER
    assert fault_of("BOUNCE_5.2.2") is Fault.OTHER


def test_every_code_of_mail_servers_stands_in_the_pages() -> None:
    page = (Path(__file__).parents[1] / "docs" / "templates.md").read_text(encoding="utf-8")
    assert [code for code in EMAIL_FAULTS if code not in page] == []


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("", True),
        ("smtp://127.0.0.1:25", True),
        ("smtps://u:p%40ss@mail.example", True),
        ("http://mail.example", False),
        ("mail.example", False),
        ("smtp://mail.example/path", False),
    ],
)
def test_only_a_url_of_a_mail_server_is_taken(url: str, good: bool) -> None:
    pattern = next(
        one.pattern for one in Settings.model_fields["smtp_url"].metadata if hasattr(one, "pattern")
    )
    assert bool(re.fullmatch(pattern, url)) is good


def notice(
    *,
    to: str = "b.01kqh1m6q0.01kqh1m6q1@bounces.maison.example",
    action: str = "failed",
    status: str = "5.1.1",
    original: str = "<chn_01kqh1m6q0.msg_01kqh1m6q1@maison.example>",
    kind: str = "multipart/report; report-type=delivery-status",
) -> bytes:
    """Return a delivery status notification as a mail server writes one (RFC 3464)."""
    return f"""From: MAILER-DAEMON@mx.example
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: {kind}; boundary="x"

--x
Content-Type: text/plain

Sorry.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ada@client.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 No such user

--x
Content-Type: text/rfc822-headers

Message-ID: {original}
Subject: Your ring
--x--
""".replace("\n", "\r\n").encode()


def test_a_notice_names_its_attempt_by_its_receiver_else_by_what_it_returns() -> None:
    for raw in (
        notice(),
        notice(original="<x@y.example>"),
        notice(to="B.01KQH1M6Q0.01KQH1M6Q1@Bounces.Maison.Example"),
        notice(to="postmaster@maison.example"),
        notice(to="b.01kqh1m6q0.01kqh1m6q9@other.example"),
    ):
        found = read_bounce(raw, "bounces.maison.example")
        assert found is not None
        assert (found.chain_id, found.reference) == ("chn_01kqh1m6q0", "msg_01kqh1m6q1")
        assert (found.action, found.status) == ("failed", "5.1.1")
    again = read_bounce(
        notice(to="b.01kqh1m6q0.01kqh1m6q1.2@bounces.maison.example"), "bounces.maison.example"
    )
    assert again is not None
    assert again.reference == "msg_01kqh1m6q1.2"


def test_what_is_no_notice_of_ours_says_nothing() -> None:
    for raw in (
        notice(kind="multipart/mixed"),
        notice(to="postmaster@maison.example", original="<x@y.example>"),
        notice(status="none"),
        b"",
        b"\xff\xfe not an e-mail",
        b"Subject: I am away\r\n\r\nUntil Monday.",
    ):
        assert read_bounce(raw, "bounces.maison.example") is None


@pytest.mark.parametrize(
    "code",
    ["21610", "30005", "30003", "20429", "30007", "30034", "12345", "SMTP_550", "SMTP_451", "BOUNCE_5.7.1"],
)
def test_every_code_says_what_to_do(code: str) -> None:
    assert advice_on(code).endswith(".")
    assert advice_on("") == ""
    assert "Ask the client before" in advice_on("EMAIL_UNCONFIRMED")
