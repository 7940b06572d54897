"""Pictures and WhatsApp in the sandbox network, so that both sides can be played."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import events_pb2, media_pb2, media_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.errors import ServiceError
from chassis.testing import channel_to, eventually, published

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


@pytest_asyncio.fixture(loop_scope="session")
async def media(house: Any, started: Any) -> AsyncIterator[Any]:
    """Return the stub of pictures."""
    async with channel_to(started.address) as channel:
        yield media_pb2_grpc.MediaServiceStub(channel)


async def picture(media: Any) -> str:
    """Return the id of an uploaded picture."""
    made = await media.CreateMedia(media_pb2.CreateMediaRequest(content_type="image/png"))

    async def pieces() -> AsyncIterator[media_pb2.UploadMediaContentRequest]:
        yield media_pb2.UploadMediaContentRequest(media_id=made.media_id, content=PNG)

    await media.UploadMediaContent(pieces())
    return str(made.media_id)


async def test_a_picture_arrives_on_the_sandbox_phone(house: Any, media: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    shown = await picture(media)
    await house.becomes(await house.send(client_id, media_ids=[shown]), pb.MESSAGE_STATE_DELIVERED)
    found = await house.stub.ListSandboxMessages(
        pb.ListSandboxMessagesRequest(phone=house.phone_of(client_id))
    )
    (message,) = found.messages
    assert (list(message.media_ids), message.channel) == ([shown], pb.CHANNEL_SMS)


async def test_a_client_sends_a_picture_through_the_sandbox(house: Any, media: Any, next_phone: Any) -> None:
    phone = next(next_phone)
    await house.stub.SimulateInbound(
        pb.SimulateInboundRequest(
            from_phone=phone, to_phone=house.sender.phone, body="Look", media_ids=[await picture(media)]
        )
    )
    (said,) = await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id)
    assert said.media_count == 1

    async def stored() -> pb.Media | None:
        message = await house.stub.GetMessage(pb.GetMessageRequest(message_id=said.message_id))
        return message.media[0] if message.media[0].state == pb.MEDIA_STATE_STORED else None

    kept = await eventually(stored)
    pieces = media.DownloadMediaContent(media_pb2.DownloadMediaContentRequest(media_id=kept.media_id))
    assert b"".join([piece.data async for piece in pieces]) == PNG


async def test_what_is_no_picture_yet_cannot_be_played(house: Any, media: Any, next_phone: Any) -> None:
    made = await media.CreateMedia(media_pb2.CreateMediaRequest(content_type="image/png"))
    for media_id, reason in ((made.media_id, "MEDIA_EMPTY"), ("med_none", "MEDIA_NOT_FOUND")):
        with pytest.raises(ServiceError) as refused:
            await house.stub.SimulateInbound(
                pb.SimulateInboundRequest(
                    from_phone=next(next_phone), to_phone=house.sender.phone, body="Hi", media_ids=[media_id]
                )
            )
        assert refused.value.reason == reason
    assert await house.conversations() == []


async def test_whatsapp_goes_both_ways_beside_texts(house: Any) -> None:
    await house.stub.CreateSender(
        pb.CreateSenderRequest(
            store_id=house.store_id,
            phone=house.sender.phone,
            display_name="Maison Aurore",
            channel=pb.CHANNEL_WHATSAPP,
            segments_per_second=1000,
        )
    )
    client_id = house.client()
    await house.consent(client_id)
    await house.stub.SimulateInbound(
        pb.SimulateInboundRequest(
            from_phone=house.phone_of(client_id),
            to_phone=house.sender.phone,
            body="Is it you?",
            channel=pb.CHANNEL_WHATSAPP,
        )
    )
    (conversation,) = await house.conversations()
    assert conversation.channel == pb.CHANNEL_WHATSAPP
    answer = await house.stub.SendMessage(
        pb.SendMessageRequest(
            request_id="req_whatsapp",
            conversation_id=conversation.conversation_id,
            body="It is us.",
            purpose=pb.PURPOSE_CONVERSATIONAL,
        )
    )
    await house.becomes(answer, pb.MESSAGE_STATE_DELIVERED)
    found = await house.stub.ListSandboxMessages(
        pb.ListSandboxMessagesRequest(phone=house.phone_of(client_id))
    )
    assert [message.channel for message in found.messages] == [pb.CHANNEL_WHATSAPP]
