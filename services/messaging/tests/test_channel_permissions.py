"""Permission by channel, and consents that count once the client has said YES."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import events_pb2, gate_pb2, gate_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profile_events

from chassis.errors import Kind, ServiceError
from chassis.testing import channel_to, published
from messaging.domain import Channel, Purpose

SMS, EMAIL, WHATSAPP = pb.CHANNEL_SMS, pb.CHANNEL_EMAIL, pb.CHANNEL_WHATSAPP
MARKETING, SERVICE = pb.PURPOSE_MARKETING, pb.PURPOSE_SERVICE
GRANTED, REVOKED = pb.PERMISSION_CHANGE_GRANTED, pb.PERMISSION_CHANGE_REVOKED
REQUESTED = pb.PERMISSION_CHANGE_REQUESTED


@pytest_asyncio.fixture(loop_scope="session")
async def double_opt_in(started: Any, house: Any) -> AsyncIterator[Any]:
    """Let the house ask for a YES; its clients have a home store."""
    async with channel_to(started.address) as channel:
        stub = gate_pb2_grpc.GateServiceStub(channel)
        rules = gate_pb2.MessagingSettings(double_opt_in=True)
        await stub.UpdateMessagingSettings(gate_pb2.UpdateMessagingSettingsRequest(settings=rules))
        yield stub


@pytest_asyncio.fixture(loop_scope="session")
async def whatsapp(house: Any) -> pb.Sender:
    """Let the store have a number on WhatsApp too, and return it."""
    made: pb.Sender = await house.stub.CreateSender(
        pb.CreateSenderRequest(
            store_id=house.store_id, phone=house.sender.phone, display_name="Maison Aurore", channel=WHATSAPP
        )
    )
    return made


def client_of(house: Any, *emails: str) -> str:
    client_id: str = house.client()
    known = house.profiles.recipients
    known[client_id] = replace(known[client_id], home_store_id=house.store_id, emails=emails)
    return client_id


async def agree(house: Any, client_id: str, channel: Channel, *purposes: Purpose, **fields: Any) -> str:
    """Let a client agree on a channel, and let messaging hear of it."""
    event: profile_events.ConsentCaptured = house.captured(client_id, *purposes)
    consents = house.profiles.consents
    consents[event.consent_id] = replace(consents[event.consent_id], channel=channel, **fields)
    await house.hear(event, entity_id=event.consent_id)
    return event.consent_id


async def check(house: Any, client_id: str, purpose: Any, channel: Any) -> list[str]:
    decision = await house.stub.CheckMessage(
        pb.CheckMessageRequest(client_id=client_id, store_id=house.store_id, purpose=purpose, channel=channel)
    )
    return [reason.reason for reason in decision.reasons] or [pb.Verdict.Name(decision.verdict)]


async def standing(house: Any, client_id: str) -> set[tuple[Any, Any, Any]]:
    """Return (channel, purpose, change) of the newest line of each channel and purpose."""
    newest: dict[tuple[Any, Any], Any] = {}
    for entry in await house.ledger(client_id):
        newest.setdefault((entry.channel, entry.purpose), entry.change)
    return {(channel, purpose, change) for (channel, purpose), change in newest.items()}


async def receive(house: Any, client_id: str, body: str, channel: Any = SMS) -> None:
    await house.stub.SimulateInbound(
        pb.SimulateInboundRequest(
            from_phone=house.phone_of(client_id), to_phone=house.sender.phone, body=body, channel=channel
        )
    )


async def asked(house: Any, client_id: str) -> list[pb.Message]:
    """Return the texts that asked a client for a YES, the newest first."""
    found: list[pb.Message] = []
    for one in await house.conversations(client_id):
        listed = await house.stub.ListMessages(
            pb.ListMessagesRequest(conversation_id=one.conversation_id, page_size=200)
        )
        found += [message for message in listed.messages if message.author == "system:opt_in"]
    return found


async def test_a_consent_counts_for_its_channel_alone(house: Any, whatsapp: pb.Sender) -> None:
    client_id = client_of(house)
    await agree(house, client_id, Channel.WHATSAPP)
    assert await check(house, client_id, SERVICE, SMS) == ["NO_PERMISSION"]
    assert await check(house, client_id, SERVICE, WHATSAPP) == ["TEMPLATE_NEEDED"]
    await receive(house, client_id, "Hello", WHATSAPP)
    assert await check(house, client_id, SERVICE, WHATSAPP) == ["VERDICT_ALLOW"]


async def test_an_e_mail_consent_is_the_addresss_however_it_is_written(house: Any) -> None:
    await house.stub.CreateSender(
        pb.CreateSenderRequest(
            store_id=house.store_id,
            email=f"{house.store_id}@aurore.example",
            display_name="Aurore",
            channel=EMAIL,
        )
    )
    client_id = client_of(house, "ana@example.com")
    await agree(house, client_id, Channel.EMAIL, Purpose.MARKETING, phone="ana@example.com")
    (line,) = await house.ledger(client_id)
    assert (line.channel, line.email, line.phone, line.change) == (EMAIL, "ana@example.com", "", GRANTED)
    assert await check(house, client_id, MARKETING, EMAIL) == ["VERDICT_ALLOW"]
    assert await check(house, client_id, MARKETING, SMS) == ["NO_PERMISSION"]


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_stop_on_any_channel_of_a_number_silences_all_of_them(
    house: Any, whatsapp: pb.Sender, channel: Any
) -> None:
    client_id = client_of(house)
    await agree(house, client_id, Channel.SMS)
    await agree(house, client_id, Channel.WHATSAPP)
    await receive(house, client_id, "STOP", channel)
    assert {change for _, _, change in await standing(house, client_id)} == {REVOKED}
    for one in (SMS, WHATSAPP):
        assert "PERMISSION_REVOKED" in await check(house, client_id, SERVICE, one)


async def test_start_gives_back_the_channel_that_it_came_by(house: Any, whatsapp: pb.Sender) -> None:
    client_id = client_of(house)
    await agree(house, client_id, Channel.SMS)
    await agree(house, client_id, Channel.WHATSAPP)
    await receive(house, client_id, "STOP")
    house.clock.advance(timedelta(minutes=1))
    await receive(house, client_id, "START", WHATSAPP)
    assert await check(house, client_id, SERVICE, WHATSAPP) == ["VERDICT_ALLOW"]
    assert await check(house, client_id, SERVICE, SMS) == ["PERMISSION_REVOKED"]


async def test_plain_words_on_one_channel_suspend_both_and_a_lift_frees_both(
    house: Any, whatsapp: pb.Sender
) -> None:
    client_id = client_of(house)
    await agree(house, client_id, Channel.SMS)
    await agree(house, client_id, Channel.WHATSAPP)
    await receive(house, client_id, "please stop texting me", WHATSAPP)
    for one in (SMS, WHATSAPP):
        assert await check(house, client_id, SERVICE, one) == ["PERMISSION_SUSPENDED"]
    (review,) = (await house.stub.ListPermissionReviews(pb.ListPermissionReviewsRequest())).permission_reviews
    await house.stub.DecidePermissionReview(
        pb.DecidePermissionReviewRequest(
            permission_review_id=review.permission_review_id, decision=pb.PERMISSION_REVIEW_DECISION_LIFT
        )
    )
    for one in (SMS, WHATSAPP):
        assert await check(house, client_id, SERVICE, one) == ["VERDICT_ALLOW"]


async def test_told_in_person_binds_all_that_a_client_can_be_reached_by(house: Any) -> None:
    client_id = client_of(house, "bea@example.com")
    revoked = await house.stub.RevokePermission(pb.RevokePermissionRequest(client_id=client_id))
    found = {(one.channel, one.email or one.phone) for one in revoked.entries}
    phone = house.phone_of(client_id)
    assert found == {(SMS, phone), (WHATSAPP, phone), (EMAIL, "bea@example.com")}
    assert len(revoked.entries) == 9


async def test_one_channel_can_be_revoked_alone(house: Any) -> None:
    client_id = client_of(house, "cleo@example.com")
    await agree(house, client_id, Channel.SMS)
    await house.stub.RevokePermission(
        pb.RevokePermissionRequest(client_id=client_id, channels=[EMAIL, WHATSAPP])
    )
    assert await check(house, client_id, SERVICE, SMS) == ["VERDICT_ALLOW"]
    assert {channel for channel, _, change in await standing(house, client_id) if change == REVOKED} == {
        EMAIL, WHATSAPP,
    }  # fmt: skip


async def test_an_address_can_be_revoked_without_a_client(house: Any) -> None:
    revoked = await house.stub.RevokeNumber(pb.RevokeNumberRequest(email=" Dora@Example.com "))
    assert {(one.channel, one.email) for one in revoked.entries} == {(EMAIL, "dora@example.com")}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "phone"),
        ({"phone": "+12025550123", "email": "eve@example.com"}, "phone"),
        ({"email": "no address"}, "email"),
        ({"phone": "+19995550123"}, "phone"),
        ({"phone": "+12025550123", "channels": [EMAIL]}, "channels"),
        ({"email": "eve@example.com", "channels": [SMS]}, "channels"),
        ({"email": "eve@example.com", "channels": [9]}, "channels[0]"),
    ],
)
async def test_what_cannot_be_revoked_names_the_field(house: Any, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.RevokeNumber(pb.RevokeNumberRequest(**fields))
    assert refused.value.kind is Kind.INVALID
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_an_offer_waits_for_a_yes_which_is_asked_for_once(house: Any, double_opt_in: Any) -> None:
    client_id = client_of(house)
    await agree(house, client_id, Channel.SMS)
    await agree(house, client_id, Channel.SMS)
    (question,) = await asked(house, client_id)
    await house.becomes(question, pb.MESSAGE_STATE_DELIVERED)
    assert "Maison Aurore" in question.body
    assert "Reply YES" in question.body
    assert question.purpose == SERVICE
    assert (SMS, MARKETING, REQUESTED) in await standing(house, client_id)
    assert (SMS, SERVICE, GRANTED) in await standing(house, client_id)
    assert await check(house, client_id, MARKETING, SMS) == ["CONFIRMATION_AWAITED"]
    house.clock.advance(timedelta(days=29))
    await receive(house, client_id, "Yes please")
    assert await check(house, client_id, MARKETING, SMS) == ["VERDICT_ALLOW"]
    granted = (await house.ledger(client_id))[0]
    assert (granted.source, granted.change, granted.purpose) == ("confirmation", GRANTED, MARKETING)
    for words in ("may text me about my pieces", "Reply YES to agree", "Answered: Yes please"):
        assert words in granted.evidence
    said = await published(house.database, events_pb2.PermissionGranted, chain_id=house.chain_id)
    assert [fact.purpose for fact in said].count(MARKETING) == 1


async def test_a_yes_that_comes_too_late_or_to_nothing_confirms_nothing(
    house: Any, double_opt_in: Any
) -> None:
    client_id = client_of(house)
    await agree(house, client_id, Channel.SMS, Purpose.MARKETING)
    (question,) = await asked(house, client_id)
    await house.becomes(question, pb.MESSAGE_STATE_DELIVERED)
    house.clock.advance(timedelta(days=31))
    await receive(house, client_id, "YES")
    assert await check(house, client_id, MARKETING, SMS) == ["NO_PERMISSION"]
    stranger = client_of(house)
    await receive(house, stranger, "YES")
    assert await house.ledger(stranger) == []


async def test_a_question_that_waits_for_the_morning_is_not_asked_after_a_stop(
    house: Any, double_opt_in: Any
) -> None:
    client_id = client_of(house)
    house.clock.advance(timedelta(hours=12))
    await agree(house, client_id, Channel.SMS, Purpose.MARKETING)
    (question,) = await asked(house, client_id)
    assert question.state == pb.MESSAGE_STATE_DEFERRED
    await receive(house, client_id, "YES")  # to what, nobody knows
    assert await check(house, client_id, MARKETING, SMS) == ["CONFIRMATION_AWAITED", "QUIET_HOURS"]
    await receive(house, client_id, "STOP")
    house.clock.advance(timedelta(hours=12))
    denied = await house.becomes(question, pb.MESSAGE_STATE_DENIED)
    assert [reason.reason for reason in denied.decision.reasons] == ["PERMISSION_REVOKED"]


async def test_who_agreed_before_is_not_asked_again(house: Any, started: Any) -> None:
    client_id = client_of(house)
    await agree(house, client_id, Channel.SMS)
    async with channel_to(started.address) as channel:
        rules = gate_pb2.MessagingSettings(double_opt_in=True)
        await gate_pb2_grpc.GateServiceStub(channel).UpdateMessagingSettings(
            gate_pb2.UpdateMessagingSettingsRequest(settings=rules)
        )
    await agree(house, client_id, Channel.SMS)
    assert await asked(house, client_id) == []
    assert await check(house, client_id, MARKETING, SMS) == ["VERDICT_ALLOW"]


async def test_of_twenty_consents_at_once_one_question_comes(house: Any, double_opt_in: Any) -> None:
    client_id = client_of(house)
    await asyncio.gather(*(agree(house, client_id, Channel.SMS) for _ in range(20)))
    assert len(await asked(house, client_id)) == 1


async def test_without_a_number_to_ask_from_the_consent_waits(house: Any, double_opt_in: Any) -> None:
    client_id = house.client()
    await agree(house, client_id, Channel.SMS)
    assert await asked(house, client_id) == []
    assert await check(house, client_id, MARKETING, SMS) == ["CONFIRMATION_AWAITED"]


async def test_an_erasure_keeps_a_stop_but_no_request(house: Any, double_opt_in: Any) -> None:
    silent, waiting = client_of(house), client_of(house)
    phones = [house.phone_of(one) for one in (silent, waiting)]
    for one in (silent, waiting):
        await agree(house, one, Channel.WHATSAPP, Purpose.MARKETING)
    await house.stub.RevokePermission(pb.RevokePermissionRequest(client_id=silent, channels=[WHATSAPP]))
    await house.erase(silent, erasure_id="ers_silent")
    await house.erase(waiting, erasure_id="ers_waiting")
    again = [house.client(phone) for phone in phones]
    assert [await check(house, one, MARKETING, SMS) for one in again] == [
        ["PERMISSION_REVOKED"],  # a hash knows no channel: silent on one is silent on all
        ["NO_PERMISSION"],
    ]
