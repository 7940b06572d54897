"""What clients write, and the words that must be obeyed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.errors import Kind, ServiceError
from chassis.testing import eventually, published
from messaging.domain import Purpose


async def conversation_of(house: Any, phone: str) -> pb.Conversation:
    page = await house.stub.ListConversations(pb.ListConversationsRequest())
    (found,) = [conversation for conversation in page.conversations if conversation.client_phone == phone]
    return found


async def test_a_text_finds_its_client_counts_as_unread_and_is_said(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "Is my ring ready?")
    conversation = await conversation_of(house, house.phone_of(client_id))
    assert (conversation.client_id, conversation.unread_count) == (client_id, 1)
    (said,) = await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id)
    assert (said.client_id, said.store_id) == (client_id, house.store_id)
    assert said.conversation_id == conversation.conversation_id


async def test_the_same_text_twice_is_one_text(house: Any) -> None:
    client_id = house.client()
    await asyncio.gather(*(house.receive(client_id, "Hello", "net_1") for _ in range(10)))
    conversation = await conversation_of(house, house.phone_of(client_id))
    assert conversation.unread_count == 1
    assert len(await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id)) == 1


async def test_twenty_texts_of_a_new_number_at_once_are_one_conversation(house: Any) -> None:
    client_id = house.client()
    await asyncio.gather(*(house.receive(client_id, f"Text {number}") for number in range(20)))
    assert (await conversation_of(house, house.phone_of(client_id))).unread_count == 20


async def test_a_number_of_nobody_becomes_a_conversation_that_finds_its_client_later(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "Hello")
    assert (await conversation_of(house, house.phone_of(client_id))).client_id == ""
    await house.consent(client_id)
    assert (await conversation_of(house, house.phone_of(client_id))).client_id == client_id


async def test_a_shared_number_is_said_and_not_guessed(house: Any) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    await house.consent(one)
    await house.consent(other)
    await house.receive(one, "It is me")
    conversation = await conversation_of(house, house.phone_of(one))
    assert (conversation.client_id, conversation.is_shared_number) == ("", True)
    (said,) = await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id)
    assert said.client_id == ""


async def test_a_number_that_no_store_has_is_not_found(house: Any, next_phone: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.SimulateInbound(
            pb.SimulateInboundRequest(from_phone=next(next_phone), to_phone=next(next_phone), body="Hello")
        )
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "SENDER_NOT_FOUND")


async def test_another_chains_number_is_not_found(house: Any, sign_in: Any) -> None:
    sign_in("sandbox:write", chain_id="chn_elsewhere")
    with pytest.raises(ServiceError) as refused:
        await house.receive_from("+12025550150", "Hello")
    assert refused.value.reason == "SENDER_NOT_FOUND"


async def test_stop_binds_everybody_who_has_the_number_for_every_purpose(house: Any) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    await house.consent(one)
    await house.consent(other)
    await house.receive(one, "STOP")
    for client_id in (one, other):
        for purpose in (pb.PURPOSE_CONVERSATIONAL, pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING):
            decision = await house.check(client_id, purpose)
            assert [reason.reason for reason in decision.reasons] == ["PERMISSION_REVOKED"]
    said = await published(house.database, events_pb2.PermissionRevoked, chain_id=house.chain_id)
    assert [set(event.client_ids) for event in said] == [
        {one, other}
    ] * 6  # each purpose, on both channels of a number


async def test_a_sentence_with_the_word_in_it_opts_nobody_out(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "We have got to STOP by your store")
    assert (await house.check(client_id, pb.PURPOSE_MARKETING)).verdict == pb.VERDICT_ALLOW


async def test_the_confirmation_of_a_stop_is_the_carriers_and_the_only_text(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "STOP", "net_1")
    await house.receive(client_id, "STOP", "net_1")
    texts = await house.phone_received(client_id)
    assert len(texts) == 1
    assert "unsubscribed" in texts[0]
    conversation = await conversation_of(house, house.phone_of(client_id))
    page = await house.stub.ListMessages(pb.ListMessagesRequest(conversation_id=conversation.conversation_id))
    assert [message.direction for message in page.messages] == [pb.DIRECTION_INBOUND]


async def test_start_gives_back_what_the_keyword_took_and_nothing_more(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id, Purpose.SERVICE)
    await house.receive(client_id, "STOP")
    house.clock.advance(timedelta(seconds=1))
    await house.receive(client_id, "Yes!")
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW
    assert (await house.check(client_id, pb.PURPOSE_CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW
    assert (await house.check(client_id, pb.PURPOSE_MARKETING)).verdict == pb.VERDICT_DENY
    await house.becomes(await house.send(client_id), pb.MESSAGE_STATE_DELIVERED)


async def test_start_does_not_undo_what_the_client_told_an_associate(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.stub.RevokePermission(
        pb.RevokePermissionRequest(client_id=client_id, note="told me in the store")
    )
    await house.receive(client_id, "STOP")
    house.clock.advance(timedelta(seconds=1))
    await house.receive(client_id, "START")
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_DENY


async def test_yes_in_a_conversation_grants_nothing(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "YES")
    assert await house.ledger(client_id) == []
    assert (await house.check(client_id, pb.PURPOSE_MARKETING)).verdict == pb.VERDICT_DENY


async def test_help_is_answered_with_the_stores_name_once(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "help?", "net_1")
    await house.receive(client_id, "help?", "net_1")
    texts = await eventually(lambda: house.phone_received(client_id))
    assert len(texts) == 1
    assert texts[0].startswith("Maison Aurore")


async def test_after_stop_even_help_is_not_answered(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "STOP")
    await house.receive(client_id, "HELP")
    conversation = await conversation_of(house, house.phone_of(client_id))
    page = await house.stub.ListMessages(pb.ListMessagesRequest(conversation_id=conversation.conversation_id))
    (answer,) = [message for message in page.messages if message.direction == pb.DIRECTION_OUTBOUND]
    assert answer.state == pb.MESSAGE_STATE_DENIED


async def test_whoever_writes_first_may_be_answered_but_not_sold_to(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "Do you repair watches?")
    answer = await house.send(client_id, body="Gladly.", purpose=pb.PURPOSE_CONVERSATIONAL)
    assert [reason.reason for reason in answer.decision.reasons] == ["ANSWERS_CLIENT"]
    await house.becomes(answer, pb.MESSAGE_STATE_DELIVERED)
    assert (await house.check(client_id, pb.PURPOSE_MARKETING)).verdict == pb.VERDICT_DENY
