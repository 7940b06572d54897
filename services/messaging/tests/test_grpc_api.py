"""Messaging as its callers see it: through the stub, on real servers."""

import asyncio
from typing import Any

import pytest
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import messaging_pb2_grpc

from chassis.errors import Kind, ServiceError
from chassis.testing import SignIn, channel_to, free_port, running
from messaging.bootstrap import build


async def refusal(call: Any) -> tuple[Kind, str]:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value.kind, refused.value.reason


def sender_request(house: Any, **fields: Any) -> pb.CreateSenderRequest:
    given = {"store_id": house.store_id, "phone": "+12025550150", "display_name": "Maison Aurore", **fields}
    return pb.CreateSenderRequest(**given)


async def test_a_number_that_no_phone_can_have_is_no_sender(house: Any) -> None:
    call = house.stub.CreateSender(sender_request(house, phone="+19995550123"))
    assert await refusal(call) == (Kind.INVALID, "PHONE_INVALID")


async def test_a_sender_belongs_to_a_store_that_is_there(house: Any) -> None:
    call = house.stub.CreateSender(sender_request(house, store_id="sto_nobody"))
    assert await refusal(call) == (Kind.NOT_FOUND, "STORE_NOT_FOUND")


async def test_a_number_is_a_sender_once_in_all_chains(house: Any, sign_in: SignIn) -> None:
    sign_in("senders:write", chain_id="chn_elsewhere")
    call = house.stub.CreateSender(sender_request(house, phone=house.sender.phone))
    assert await refusal(call) == (Kind.ALREADY_EXISTS, "SENDER_PHONE_TAKEN")


async def test_of_twenty_who_want_a_number_at_once_one_gets_it(house: Any, next_phone: Any) -> None:
    phone = next(next_phone)

    async def create() -> bool:
        try:
            await house.stub.CreateSender(sender_request(house, phone=phone))
        except ServiceError as error:
            assert error.reason == "SENDER_PHONE_TAKEN"
            return False
        return True

    assert sum(await asyncio.gather(*(create() for _ in range(20)))) == 1


async def test_the_same_request_for_a_sender_gives_the_same_one(house: Any, next_phone: Any) -> None:
    request = sender_request(house, phone=next(next_phone), request_id="again")
    first = await house.stub.CreateSender(request)
    assert await house.stub.CreateSender(request) == first


async def test_an_associate_writes_for_the_own_store_only(house: Any, sign_in: SignIn) -> None:
    sign_in("messages:send", chain_id=house.chain_id, stores=frozenset({"sto_other"}))
    assert await refusal(house.send(house.client())) == (Kind.FORBIDDEN, "STORE_NOT_YOURS")


async def test_senders_come_in_pages(house: Any) -> None:
    made = [house.sender, *[await house.open_store() for _ in range(4)]]
    found: list[pb.Sender] = []
    token = ""
    while True:
        page = await house.stub.ListSenders(pb.ListSendersRequest(page_size=2, page_token=token))
        found += page.senders
        token = page.next_page_token
        if not token:
            break
    assert found == made


async def test_a_client_of_nobody_is_not_found(house: Any) -> None:
    assert await refusal(house.send("cli_nobody")) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")


async def test_a_client_with_a_landline_only_is_unreachable(house: Any) -> None:
    client_id = house.client("+390612345678")
    assert await refusal(house.send(client_id)) == (Kind.PRECONDITION, "CLIENT_UNREACHABLE")
    decision = await house.check(client_id, pb.PURPOSE_SERVICE)
    assert [reason.reason for reason in decision.reasons] == ["CLIENT_UNREACHABLE"]


async def test_a_store_without_a_number_cannot_write(house: Any) -> None:
    call = house.send(house.client(), store_id="sto_silent")
    assert await refusal(call) == (Kind.PRECONDITION, "SENDER_MISSING")


async def test_the_gate_says_what_a_store_without_a_number_lacks(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    decision = await house.stub.CheckMessage(
        pb.CheckMessageRequest(client_id=client_id, store_id="sto_silent", purpose=pb.PURPOSE_SERVICE)
    )
    assert decision.verdict == pb.VERDICT_DENY
    assert [reason.reason for reason in decision.reasons] == ["SENDER_MISSING"]


@pytest.mark.parametrize(
    "fields",
    [{"request_id": ""}, {"body": ""}, {"body": " \n"}, {"body": "x" * 1601}, {"purpose": 0}, {"purpose": 9}],
)
async def test_a_faulty_field_is_named(house: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.send(house.client(), **fields)
    assert refused.value.kind is Kind.INVALID
    assert [violation.field for violation in refused.value.violations] == list(fields)


async def test_a_caller_without_the_scope_is_refused(house: Any, sign_in: SignIn) -> None:
    sign_in("messages:read", chain_id=house.chain_id)
    assert await refusal(house.send(house.client())) == (Kind.FORBIDDEN, "SCOPE_MISSING")


async def test_another_chains_messages_and_conversations_are_not_there(house: Any, sign_in: SignIn) -> None:
    message = await house.send(house.client())
    sign_in("messages:read", "messages:send", chain_id="chn_elsewhere")
    stub, conversation_id = house.stub, message.conversation_id
    for call in (
        stub.GetMessage(pb.GetMessageRequest(message_id=message.message_id)),
        stub.CancelMessage(pb.CancelMessageRequest(message_id=message.message_id)),
        stub.GetConversation(pb.GetConversationRequest(conversation_id=conversation_id)),
        stub.ListMessages(pb.ListMessagesRequest(conversation_id=conversation_id)),
        stub.MarkConversationRead(pb.MarkConversationReadRequest(conversation_id=conversation_id)),
    ):
        kind, reason = await refusal(call)
        assert kind is Kind.NOT_FOUND
        assert reason in {"MESSAGE_NOT_FOUND", "CONVERSATION_NOT_FOUND"}


@pytest.mark.parametrize("token", ["made-up", "WzFd", "eyJhIjogMX0"])
async def test_a_made_up_page_token_is_refused(house: Any, token: str) -> None:
    call = house.stub.ListConversations(pb.ListConversationsRequest(page_token=token))
    assert (await refusal(call))[0] is Kind.INVALID


async def test_with_the_carrier_off_texts_wait_and_there_is_no_sandbox(
    house: Any, started: Any, settings: Any
) -> None:
    off = build(
        settings.model_copy(update={"carrier": "off", "grpc_address": f"127.0.0.1:{free_port()}"}),
        clock=started.clock,
        profiles=started.profiles,
    )
    assert not [part for part in off.components if part.name in ("courier", "sandbox receipts")]
    async with (
        running(off, without=("broker", "outbox", "consumer", "operator")) as address,
        channel_to(address) as channel,
    ):
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        request = pb.SimulateInboundRequest(
            from_phone="+12025550150", to_phone=house.sender.phone, body="Hello"
        )
        assert await refusal(stub.SimulateInbound(request)) == (Kind.PRECONDITION, "SANDBOX_OFF")
