"""Writing texts: decided at once, idempotent, deferred, cancelled, listed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.errors import Kind, ServiceError
from chassis.testing import published
from messaging.clients import Recipient
from messaging.domain import Purpose

NIGHT = datetime(2026, 3, 11, 3, tzinfo=UTC)  # 23:00 in New York
MORNING = datetime(2026, 3, 11, 12, tzinfo=UTC)  # 08:00


async def test_a_text_that_was_agreed_to_is_delivered(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    message = await house.send(client_id)
    assert message.state == pb.MESSAGE_STATE_QUEUED
    assert message.decision.verdict == pb.VERDICT_ALLOW
    delivered = await house.becomes(message, pb.MESSAGE_STATE_DELIVERED)
    assert delivered.segments == 1
    assert await house.phone_received(client_id) == ["Maison Aurore: your ring is ready."]


async def test_what_became_of_a_text_is_said_once_without_number_or_words(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    message = await house.becomes(await house.send(client_id), pb.MESSAGE_STATE_DELIVERED)
    sent = await published(house.database, events_pb2.MessageSent, chain_id=house.chain_id)
    delivered = await published(house.database, events_pb2.MessageDelivered, chain_id=house.chain_id)
    assert [event.message_id for event in (*sent, *delivered)] == [message.message_id] * 2
    assert (sent[0].client_id, sent[0].store_id, sent[0].segments) == (client_id, house.store_id, 1)
    for event in (*sent, *delivered):
        assert house.phone_of(client_id).encode() not in event.SerializeToString()
        assert b"ring" not in event.SerializeToString()


async def test_a_denial_is_an_answer_and_nothing_goes_out(house: Any) -> None:
    client_id = house.client()
    message = await house.send(client_id)
    assert message.state == pb.MESSAGE_STATE_DENIED
    assert [reason.reason for reason in message.decision.reasons] == ["NO_PERMISSION"]
    assert await house.phone_received(client_id) == []


async def test_a_grant_for_one_purpose_is_none_for_another(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id, Purpose.SERVICE)
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW
    assert (await house.check(client_id, pb.PURPOSE_MARKETING)).verdict == pb.VERDICT_DENY


async def test_at_night_a_text_waits_and_goes_out_in_the_morning(house: Any) -> None:
    client_id = house.client()
    house.clock.set(NIGHT)
    await house.consent(client_id)
    message = await house.send(client_id)
    assert message.state == pb.MESSAGE_STATE_DEFERRED
    assert message.send_after_time.ToDatetime(tzinfo=UTC) == MORNING
    assert message.decision.defer_until_time == message.send_after_time
    house.clock.set(MORNING)
    sent = await house.becomes(message, pb.MESSAGE_STATE_DELIVERED)
    assert not sent.HasField("send_after_time")


async def test_a_stop_in_the_night_keeps_the_morning_quiet(house: Any) -> None:
    client_id = house.client()
    house.clock.set(NIGHT)
    await house.consent(client_id)
    message = await house.send(client_id)
    await house.receive(client_id, "Stop")
    house.clock.set(MORNING)
    denied = await house.becomes(message, pb.MESSAGE_STATE_DENIED)
    assert [reason.reason for reason in denied.decision.reasons] == ["PERMISSION_REVOKED"]
    failed = await published(house.database, events_pb2.MessageFailed, chain_id=house.chain_id)
    assert [(event.message_id, event.error_code) for event in failed] == [
        (message.message_id, "PERMISSION_REVOKED")
    ]


async def test_the_client_s_own_zone_counts(house: Any) -> None:
    client_id = house.client(time_zone="Asia/Tokyo")  # where it is after two in the morning
    await house.consent(client_id)
    assert (await house.send(client_id)).state == pb.MESSAGE_STATE_DEFERRED


async def test_twenty_calls_with_one_request_id_are_one_text(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    messages = await asyncio.gather(*(house.send(client_id, request_id="same") for _ in range(20)))
    assert len({message.message_id for message in messages}) == 1
    await house.becomes(messages[0], pb.MESSAGE_STATE_DELIVERED)
    assert len(await house.phone_received(client_id)) == 1


async def test_a_request_id_with_another_text_is_a_conflict(house: Any) -> None:
    client_id = house.client()
    await house.send(client_id, request_id="one")
    with pytest.raises(ServiceError) as refused:
        await house.send(client_id, request_id="one", body="Something else.")
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "REQUEST_ID_REUSED")


async def test_a_waiting_text_can_be_taken_back(house: Any) -> None:
    client_id = house.client()
    house.clock.set(NIGHT)
    await house.consent(client_id)
    message = await house.send(client_id)
    request = pb.CancelMessageRequest(message_id=message.message_id)
    assert (await house.stub.CancelMessage(request)).state == pb.MESSAGE_STATE_CANCELLED
    assert (await house.stub.CancelMessage(request)).state == pb.MESSAGE_STATE_CANCELLED
    house.clock.set(MORNING)
    later = await house.send(client_id, body="Maison Aurore: good morning.")
    await house.becomes(later, pb.MESSAGE_STATE_DELIVERED)
    assert await house.phone_received(client_id) == ["Maison Aurore: good morning."]


async def test_what_is_out_cannot_be_taken_back(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    message = await house.becomes(await house.send(client_id), pb.MESSAGE_STATE_DELIVERED)
    with pytest.raises(ServiceError) as refused:
        await house.stub.CancelMessage(pb.CancelMessageRequest(message_id=message.message_id))
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "MESSAGE_NOT_WAITING")


async def test_the_first_marketing_text_must_name_the_store_and_the_second_need_not(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    nameless = await house.send(client_id, body="Sapphires are in.", purpose=pb.PURPOSE_MARKETING)
    assert [reason.reason for reason in nameless.decision.reasons] == ["SENDER_NAME_MISSING"]
    named = await house.send(client_id, body="Maison Aurore: sapphires.", purpose=pb.PURPOSE_MARKETING)
    second = await house.send(client_id, body="Sapphires are in.", purpose=pb.PURPOSE_MARKETING)
    assert (named.state, second.state) == (pb.MESSAGE_STATE_QUEUED, pb.MESSAGE_STATE_QUEUED)


async def test_the_number_that_agreed_is_written_to_unless_another_is_preferred(
    house: Any, next_phone: Any
) -> None:
    first, second = next(next_phone), next(next_phone)
    client_id = house.client(second)
    await house.consent(client_id)
    house.profiles.recipients[client_id] = Recipient(client_id, "America/New_York", (first, second))
    await house.becomes(await house.send(client_id), pb.MESSAGE_STATE_DELIVERED)
    found = await house.stub.ListSandboxMessages(pb.ListSandboxMessagesRequest(phone=second))
    assert len(found.messages) == 1
    house.profiles.recipients[client_id] = Recipient(client_id, "America/New_York", (first, second), True)
    assert (await house.send(client_id)).state == pb.MESSAGE_STATE_DENIED


async def test_conversations_come_the_latest_first_in_pages(house: Any) -> None:
    clients = [house.client() for _ in range(5)]
    for client_id in clients:
        await house.receive(client_id, "Hello")
        house.clock.advance(timedelta(seconds=1))
    await house.receive(clients[0], "Hello again")
    found: list[str] = []
    token = ""
    while True:
        page = await house.stub.ListConversations(pb.ListConversationsRequest(page_size=2, page_token=token))
        found += [conversation.client_phone for conversation in page.conversations]
        token = page.next_page_token
        if not token:
            break
    assert found == [house.phone_of(clients[number]) for number in (0, 4, 3, 2, 1)]


async def test_conversations_are_found_by_store_client_and_unread(house: Any) -> None:
    client_id, other = house.client(), house.client()
    await house.consent(client_id)
    await house.receive(client_id, "Hello")
    await house.receive(other, "Hello")

    async def ids(**filters: Any) -> list[str]:
        page = await house.stub.ListConversations(pb.ListConversationsRequest(**filters))
        return [conversation.client_phone for conversation in page.conversations]

    assert await ids(client_id=client_id) == [house.phone_of(client_id)]
    assert await ids(store_id="sto_other") == []
    assert len(await ids(store_id=house.store_id, unread_only=True)) == 2
    page = await house.stub.ListConversations(pb.ListConversationsRequest(client_id=client_id))
    read = await house.stub.MarkConversationRead(
        pb.MarkConversationReadRequest(conversation_id=page.conversations[0].conversation_id)
    )
    assert read.unread_count == 0
    assert await ids(unread_only=True) == [house.phone_of(other)]


async def test_a_conversations_messages_come_newest_first_in_pages(house: Any) -> None:
    client_id = house.client()
    for number in range(5):
        message = await house.send(client_id, body=f"Text {number}")
    found: list[str] = []
    token = ""
    while True:
        page = await house.stub.ListMessages(
            pb.ListMessagesRequest(conversation_id=message.conversation_id, page_size=2, page_token=token)
        )
        found += [one.body for one in page.messages]
        token = page.next_page_token
        if not token:
            break
    assert found == [f"Text {number}" for number in (4, 3, 2, 1, 0)]
