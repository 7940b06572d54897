"""E-mails from SendMessage to the mail server and back: permission, the way out, bounces, lost answers."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import media_pb2, media_pb2_grpc, templates_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import templates_pb2 as tpb
from carnet.profiles.v1 import events_pb2 as profile_events
from carnet.profiles.v1 import profiles_pb2
from mail_server import MailServer, mail_server
from outside_calls import call_outside

from chassis.errors import ServiceError
from chassis.testing import channel_to, eventually
from messaging.clients import Consent
from messaging.config import Settings
from messaging.domain import Channel, Purpose

SECRET = "a secret of these tests"
RETURN_DOMAIN = "bounces.maison.example"
NUMBERS = itertools.count(1)
SCOPES = ("senders:write", "messages:read", "messages:send", "sandbox:write", "templates:write")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[MailServer]:
    """Run a mail server for the module."""
    async with mail_server() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(settings: Settings, server: MailServer) -> Settings:
    """Return settings with that mail server."""
    return settings.model_copy(
        update={
            "smtp_url": f"smtp://127.0.0.1:{server.port}",
            "email_return_domain": RETURN_DOMAIN,
            "email_bounce_secret": SECRET,
        }
    )


class Mail:
    """A house with an e-mail address, and short ways to write from it."""

    def __init__(self, house: Any, channel: Any, server: MailServer) -> None:
        self.house, self.channel, self.server = house, channel, server

    async def open(self) -> None:
        """Give the store its address."""
        await self.house.stub.CreateSender(
            pb.CreateSenderRequest(
                store_id=self.house.store_id,
                email=f"Store{next(NUMBERS)}@Maison.Example",
                channel=pb.CHANNEL_EMAIL,
                display_name="Maison Aurore",
                segments_per_second=1000,
            )
        )

    async def client(self, *purposes: Purpose, local: str = "") -> str:
        """Return a client with an address of its own who agreed to purposes by e-mail."""
        house = self.house
        client_id: str = house.client()
        address = f"{local or 'ada'}{next(NUMBERS)}@client.example"
        house.profiles.recipients[client_id] = replace(
            house.profiles.recipients[client_id], emails=(address,), given_name="Ada"
        )
        if purposes:
            await self.consent(client_id, *purposes)
        return client_id

    async def consent(self, client_id: str, *purposes: Purpose) -> None:
        """Let a client agree by e-mail, now."""
        house = self.house
        consent_id = f"con_mail_{next(NUMBERS)}"
        house.profiles.consents[consent_id] = Consent(
            consent_id=consent_id,
            client_id=client_id,
            phone=self.address(client_id),
            purposes=purposes,
            wording="You may write to me.",
            captured_by="asc_1",
            captured_at=house.clock.now(),
            channel=Channel.EMAIL,
        )
        await house.hear(
            profile_events.ConsentCaptured(
                consent_id=consent_id, client_id=client_id, channel=profiles_pb2.CHANNEL_EMAIL
            ),
            entity_id=consent_id,
        )

    def address(self, client_id: str) -> str:
        """Return a client's address."""
        address: str = self.house.profiles.recipients[client_id].emails[0]
        return address

    async def send(self, client_id: str, **fields: Any) -> pb.Message:
        """Send an e-mail."""
        sent: pb.Message = await self.house.send(
            client_id,
            **{"channel": pb.CHANNEL_EMAIL, "subject": "Your ring", "body": "It is ready.", **fields},
        )
        return sent

    def taken(self, client_id: str) -> list[Any]:
        """Return the e-mails that the server took for a client."""
        return [mail for _, to, mail in self.server.taken if to == [self.address(client_id)]]

    async def link(self, client_id: str) -> str:
        """Return the way out of a client's newest e-mail."""
        link: str = self.taken(client_id)[-1]["List-Unsubscribe"].strip("<>")
        return link

    async def outside(self, method: str, url: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        """Ask as a party outside does."""
        status, _, content = await call_outside(self.channel, method, url, headers, body)
        return status, content.decode()

    async def verdict(self, client_id: str, purpose: "pb.Purpose.ValueType", channel: Any = None) -> Any:
        """Return what the gate says of an e-mail, or of another channel."""
        asked = pb.CheckMessageRequest(
            client_id=client_id,
            store_id=self.house.store_id,
            purpose=purpose,
            channel=channel or pb.CHANNEL_EMAIL,
        )
        return (await self.house.stub.CheckMessage(asked)).verdict


@pytest_asyncio.fixture(loop_scope="session")
async def mail(house: Any, started: Any, server: MailServer, sign_in: Any) -> AsyncIterator[Mail]:
    """Return the house with its address; the server behaves again."""
    sign_in(*SCOPES, chain_id=house.chain_id)
    server.answers.clear()
    server.loses_answer = False
    async with channel_to(started.address) as channel:
        made = Mail(house, channel, server)
        await made.open()
        yield made


async def test_an_email_goes_to_the_clients_address_and_counts_no_segments(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    sent = await mail.send(client_id)
    gone = await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    [taken] = mail.taken(client_id)
    assert (taken["Subject"], gone.segments) == ("Your ring", 0)
    assert sent.message_id in taken["Message-ID"]
    [conversation] = await mail.house.conversations(client_id)
    assert conversation.client_email == mail.address(client_id)
    assert conversation.client_phone == ""


async def test_permission_is_of_the_address_and_of_email_alone(mail: Mail) -> None:
    client_id = await mail.client(Purpose.MARKETING)
    assert await mail.verdict(client_id, pb.PURPOSE_MARKETING) == pb.VERDICT_ALLOW
    assert await mail.verdict(client_id, pb.PURPOSE_MARKETING, pb.CHANNEL_SMS) == pb.VERDICT_DENY
    other = await mail.client()
    assert await mail.verdict(other, pb.PURPOSE_MARKETING) == pb.VERDICT_DENY


async def test_a_template_writes_subject_and_body(mail: Mail) -> None:
    templates = templates_pb2_grpc.TemplatesServiceStub(mail.channel)
    made = await templates.CreateTemplate(
        tpb.CreateTemplateRequest(
            display_name="Ready",
            channel=pb.CHANNEL_EMAIL,
            purpose=pb.PURPOSE_SERVICE,
            texts=[
                tpb.TemplateText(
                    language_code="en",
                    subject="{{client.given_name}}, your {{piece}}",
                    body="It is ready. {{sender.name}}",
                )
            ],
        )
    )
    client_id = await mail.client(Purpose.SERVICE)
    fields = {"subject": "", "body": "", "template_id": made.template_id, "values": {"piece": "ring"}}
    sent = await mail.send(client_id, **fields)
    await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    [taken] = mail.taken(client_id)
    assert taken["Subject"] == "Ada, your ring"
    assert "It is ready. Maison Aurore" in taken.get_body(("plain",)).get_content()


async def test_a_picture_goes_along(mail: Mail) -> None:
    content = b"\x89PNG\r\n\x1a\n" + b"picture" * 60_000
    stub = media_pb2_grpc.MediaServiceStub(mail.channel)
    made = await stub.CreateMedia(
        media_pb2.CreateMediaRequest(content_type="image/png", file_name="ring.png")
    )

    async def pieces() -> AsyncIterator[media_pb2.UploadMediaContentRequest]:
        yield media_pb2.UploadMediaContentRequest(media_id=made.media_id)
        for start in range(0, len(content), 200_000):
            yield media_pb2.UploadMediaContentRequest(content=content[start : start + 200_000])

    await stub.UploadMediaContent(pieces())
    client_id = await mail.client(Purpose.SERVICE)
    sent = await mail.send(client_id, media_ids=[made.media_id])
    await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    [attached] = mail.taken(client_id)[0].iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("ring.png", "image/png")
    assert attached.get_content() == content


async def test_looking_at_the_way_out_changes_nothing_and_taking_it_does(mail: Mail) -> None:
    client_id = await mail.client(*Purpose)
    sent = await mail.send(client_id, purpose=pb.PURPOSE_MARKETING)
    await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    link = await mail.link(client_id)
    for method in ("GET", "HEAD", "GET"):
        status, page = await mail.outside(method, link)
        assert status == 200
    assert "Maison Aurore" in page
    assert mail.address(client_id) not in page
    assert await mail.verdict(client_id, pb.PURPOSE_MARKETING) == pb.VERDICT_ALLOW
    one_click = b"List-Unsubscribe=One-Click"
    for _ in range(2):
        status, page = await mail.outside(
            "POST", link, one_click, **{"content-type": "application/x-www-form-urlencoded"}
        )
        assert (status, "no more" in page) == (200, True)
    assert await mail.verdict(client_id, pb.PURPOSE_MARKETING) == pb.VERDICT_DENY
    assert await mail.verdict(client_id, pb.PURPOSE_SERVICE) == pb.VERDICT_ALLOW
    lines = [one for one in await mail.house.ledger(client_id) if one.source == "unsubscribe"]
    assert [(one.purpose, one.channel, one.cause_id) for one in lines] == [
        (pb.PURPOSE_MARKETING, pb.CHANNEL_EMAIL, sent.message_id)
    ]
    assert lines[0].email == mail.address(client_id)


async def test_whoever_agrees_anew_may_leave_by_an_old_email_again(mail: Mail) -> None:
    client_id = await mail.client(Purpose.MARKETING)
    await mail.house.becomes(await mail.send(client_id, purpose=pb.PURPOSE_MARKETING), pb.MESSAGE_STATE_SENT)
    link = await mail.link(client_id)
    for _ in range(2):
        await mail.outside("POST", link)
        assert await mail.verdict(client_id, pb.PURPOSE_MARKETING) == pb.VERDICT_DENY
        mail.house.clock.advance(timedelta(minutes=1))
        await mail.consent(client_id, Purpose.MARKETING)
        assert await mail.verdict(client_id, pb.PURPOSE_MARKETING) == pb.VERDICT_ALLOW
        mail.house.clock.advance(timedelta(minutes=1))


async def test_of_twenty_who_leave_at_once_one_line_is_written(mail: Mail) -> None:
    client_id = await mail.client(Purpose.MARKETING)
    await mail.house.becomes(await mail.send(client_id, purpose=pb.PURPOSE_MARKETING), pb.MESSAGE_STATE_SENT)
    link = await mail.link(client_id)
    answers = await asyncio.gather(*(mail.outside("POST", link) for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    assert len([one for one in await mail.house.ledger(client_id) if one.source == "unsubscribe"]) == 1


async def test_what_is_written_to_one_person_has_no_way_out(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    await mail.house.becomes(await mail.send(client_id), pb.MESSAGE_STATE_SENT)
    assert mail.taken(client_id)[0]["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    "change", [lambda link: link[:-2], lambda link: link.replace("MARKETING", "SERVICE")]
)
async def test_a_link_that_was_changed_does_nothing(mail: Mail, change: Any) -> None:
    client_id = await mail.client(*Purpose)
    await mail.house.becomes(await mail.send(client_id, purpose=pb.PURPOSE_MARKETING), pb.MESSAGE_STATE_SENT)
    link = change(await mail.link(client_id))
    assert (await mail.outside("POST", link))[0] == 403
    assert (await mail.outside("GET", link))[0] == 403
    for purpose in (pb.PURPOSE_MARKETING, pb.PURPOSE_SERVICE):
        assert await mail.verdict(client_id, purpose) == pb.VERDICT_ALLOW


async def test_a_link_is_good_for_years_and_not_for_ever(mail: Mail) -> None:
    client_id = await mail.client(Purpose.MARKETING)
    await mail.house.becomes(await mail.send(client_id, purpose=pb.PURPOSE_MARKETING), pb.MESSAGE_STATE_SENT)
    link = await mail.link(client_id)
    mail.house.clock.advance(timedelta(days=4 * 365))
    assert (await mail.outside("GET", link))[0] == 200
    mail.house.clock.advance(timedelta(days=2 * 366))
    assert (await mail.outside("POST", link))[0] == 403


async def test_the_way_out_of_somebody_who_was_erased_leads_nowhere_and_says_so_kindly(mail: Mail) -> None:
    client_id = await mail.client(Purpose.MARKETING)
    await mail.house.becomes(await mail.send(client_id, purpose=pb.PURPOSE_MARKETING), pb.MESSAGE_STATE_SENT)
    link = await mail.link(client_id)
    await mail.house.erase(client_id, erasure_id=f"ers_{client_id}")
    assert (await mail.outside("GET", link))[0] == 200
    assert (await mail.outside("POST", link))[0] == 200


async def test_a_refused_address_is_dead_until_somebody_agrees_anew(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    mail.server.answers["RCPT"] = "550 5.1.1 No such user"
    sent = await mail.send(client_id)
    failed = await mail.house.becomes(sent, pb.MESSAGE_STATE_FAILED)
    assert failed.error_code == "SMTP_5.1.1"
    assert "Ask the client for another one" in failed.error_message
    assert await mail.verdict(client_id, pb.PURPOSE_SERVICE) == pb.VERDICT_DENY
    mail.house.clock.advance(timedelta(minutes=1))
    await mail.consent(client_id, Purpose.SERVICE)
    assert await mail.verdict(client_id, pb.PURPOSE_SERVICE) == pb.VERDICT_ALLOW


async def test_a_busy_server_is_asked_again_later(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    mail.server.answers["RCPT"] = "451 4.7.1 Greylisted"
    sent = await mail.send(client_id)

    async def refused_once() -> bool:
        return bool((await mail.house.read(sent)).error_code == "SMTP_4.7.1")

    await eventually(refused_once)
    waiting = await mail.house.read(sent)
    assert (waiting.state, "tried again" in waiting.error_message) == (pb.MESSAGE_STATE_QUEUED, True)
    mail.server.answers.clear()
    mail.house.clock.advance(timedelta(minutes=1))
    await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    assert len(mail.taken(client_id)) == 1


async def test_an_email_whose_answer_was_lost_is_not_sent_again(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    mail.server.loses_answer = True
    sent = await mail.send(client_id)
    await mail.house.becomes(sent, pb.MESSAGE_STATE_UNKNOWN)
    mail.server.loses_answer = False
    mail.house.clock.advance(timedelta(hours=1))
    failed = await mail.house.becomes(sent, pb.MESSAGE_STATE_FAILED)
    assert failed.error_code == "EMAIL_UNCONFIRMED"
    assert len(mail.taken(client_id)) == 1
    assert await mail.verdict(client_id, pb.PURPOSE_SERVICE) == pb.VERDICT_ALLOW
    assert await bounced(mail, sent, action="delivered", status="2.1.5") == 204
    assert await mail.house.state(sent) == pb.MESSAGE_STATE_DELIVERED


async def bounced(
    mail: Mail, sent: pb.Message, *, action: str = "failed", status: str = "5.1.1", secret: str = SECRET
) -> int:
    """Hand in what a mail server says of an e-mail, and return the answer's status."""
    chain, reference = mail.house.chain_id.removeprefix("chn_"), sent.message_id.removeprefix("msg_")
    raw = f"""From: MAILER-DAEMON@mx.example
To: b.{chain}.{reference}@{RETURN_DOMAIN}
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="x"

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; somebody-else@client.example
Action: {action}
Status: {status}

--x--
"""
    answered, _ = await mail.outside(
        "POST",
        "/outside/email/bounce",
        raw.replace("\n", "\r\n").encode(),
        authorization=f"Bearer {secret}",
    )
    return answered


async def test_a_bounce_ends_the_email_and_the_address(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    sent = await mail.send(client_id)
    await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    assert await bounced(mail, sent, action="delayed", status="4.4.1") == 200
    assert await mail.house.state(sent) == pb.MESSAGE_STATE_SENT
    for _ in range(2):
        assert await bounced(mail, sent) == 204
    failed = await mail.house.read(sent)
    assert (failed.state, failed.error_code) == (pb.MESSAGE_STATE_FAILED, "BOUNCE_5.1.1")
    assert await mail.verdict(client_id, pb.PURPOSE_SERVICE) == pb.VERDICT_DENY


async def test_a_bounce_for_days_of_trying_is_the_end_and_kills_no_address(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    sent = await mail.send(client_id)
    await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    assert await bounced(mail, sent, status="4.4.7") == 204
    assert await mail.house.state(sent) == pb.MESSAGE_STATE_FAILED
    assert await mail.verdict(client_id, pb.PURPOSE_SERVICE) == pb.VERDICT_ALLOW
    assert len(mail.taken(client_id)) == 1


async def test_a_bounce_counts_with_the_secret_only_and_for_emails_only(mail: Mail) -> None:
    client_id = await mail.client(Purpose.SERVICE)
    sent = await mail.send(client_id)
    await mail.house.becomes(sent, pb.MESSAGE_STATE_SENT)
    assert await bounced(mail, sent, secret="guessed") == 403
    assert await bounced(mail, sent, secret="") == 403
    assert (await mail.outside("GET", "/outside/email/bounce"))[0] == 404
    await mail.house.consent(client_id)
    text = await mail.house.send(client_id)
    await mail.house.becomes(text, pb.MESSAGE_STATE_DELIVERED)
    assert await bounced(mail, text) == 200
    assert await mail.house.state(text) == pb.MESSAGE_STATE_DELIVERED
    assert await mail.house.state(sent) == pb.MESSAGE_STATE_SENT


async def test_a_client_without_an_address_cannot_be_written_to(mail: Mail) -> None:
    with pytest.raises(ServiceError) as refused:
        await mail.send(mail.house.client())
    assert refused.value.reason == "CLIENT_UNREACHABLE"


async def test_an_address_that_left_stays_silent_after_an_erasure(mail: Mail) -> None:
    client_id = await mail.client(Purpose.MARKETING)
    address = mail.address(client_id)
    await mail.house.becomes(await mail.send(client_id, purpose=pb.PURPOSE_MARKETING), pb.MESSAGE_STATE_SENT)
    await mail.outside("POST", await mail.link(client_id))
    await mail.house.erase(client_id, erasure_id=f"ers_{client_id}")
    newcomer = mail.house.client()
    mail.house.profiles.recipients[newcomer] = replace(
        mail.house.profiles.recipients[newcomer], emails=(address,)
    )
    asked = pb.CheckMessageRequest(
        client_id=newcomer,
        store_id=mail.house.store_id,
        purpose=pb.PURPOSE_MARKETING,
        channel=pb.CHANNEL_EMAIL,
    )
    decision = await mail.house.stub.CheckMessage(asked)
    assert [one.reason for one in decision.reasons] == ["PERMISSION_REVOKED"]


async def test_two_clients_of_one_address_fall_silent_together(mail: Mail) -> None:
    one = await mail.client(Purpose.MARKETING)
    other = mail.house.client()
    mail.house.profiles.recipients[other] = replace(
        mail.house.profiles.recipients[other], emails=(mail.address(one),)
    )
    assert await mail.verdict(other, pb.PURPOSE_MARKETING) == pb.VERDICT_ALLOW
    await mail.house.becomes(await mail.send(one, purpose=pb.PURPOSE_MARKETING), pb.MESSAGE_STATE_SENT)
    await mail.outside("POST", await mail.link(one))
    assert await mail.verdict(other, pb.PURPOSE_MARKETING) == pb.VERDICT_DENY
