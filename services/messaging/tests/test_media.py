"""Pictures in both directions: what is taken, where it lies, who may have it, and that it goes with its message."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
import pytest_asyncio
from carnet.messaging.v1 import media_pb2, media_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.privacy.v1 import privacy_pb2
from outside_calls import call_outside, delivering
from twilio_stand_in import ACCOUNT, TOKEN, TwilioStandIn, stand_in

from chassis.errors import Kind, ServiceError
from chassis.grpc_errors import error_of
from chassis.object_removals import sweep_objects
from chassis.objects import FolderObjects
from chassis.testing import NOON, channel_to, eventually
from messaging.config import Settings
from messaging.domain.media import PictureType, type_of
from messaging.links import Links

MEGABYTE = 1_000_000
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
JPEG = b"\xff\xd8\xff\xe0" + b"jpeg" * 500
MOST = 5_000_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network() -> AsyncIterator[TwilioStandIn]:
    """Run a Twilio for the module."""
    async with stand_in() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(settings: Settings, network: TwilioStandIn) -> Settings:
    """Return settings with that Twilio as the carrier."""
    return settings.model_copy(
        update={
            "carrier": "twilio",
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_tokens": TOKEN,
            "twilio_base_url": network.base_url,
        }
    )


@pytest_asyncio.fixture(loop_scope="session")
async def channel(started: Any) -> AsyncIterator[Any]:
    """Return a channel to messaging."""
    async with channel_to(started.address) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def twilio(house: Any, network: TwilioStandIn, started: Any, channel: Any) -> TwilioStandIn:
    """Return a Twilio that calls this messaging and has nothing yet."""
    network.clock = started.clock
    network.texts.clear()
    network.media.clear()
    network.media_redirects.clear()
    network.deliver = delivering(channel)
    return network


@pytest_asyncio.fixture(loop_scope="session")
async def media(house: Any, channel: Any) -> Any:
    """Return the stub of pictures."""
    return media_pb2_grpc.MediaServiceStub(channel)


async def announced(media: Any, content_type: str = "image/png", **fields: Any) -> str:
    """Announce a picture and return its id."""
    made = await media.CreateMedia(media_pb2.CreateMediaRequest(content_type=content_type, **fields))
    return str(made.media_id)


async def upload(media: Any, media_id: str, content: bytes) -> pb.Media:
    """Send a picture's content in pieces."""

    async def pieces() -> AsyncIterator[media_pb2.UploadMediaContentRequest]:
        yield media_pb2.UploadMediaContentRequest(media_id=media_id)
        for start in range(0, len(content), 200_000):
            yield media_pb2.UploadMediaContentRequest(content=content[start : start + 200_000])

    try:
        stored: pb.Media = await media.UploadMediaContent(pieces())
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from failure
    return stored


async def picture(media: Any, content: bytes = PNG) -> str:
    """Return the id of an uploaded picture."""
    media_id = await announced(media)
    await upload(media, media_id, content)
    return media_id


async def download(media: Any, media_id: str) -> bytes:
    """Return a picture's bytes."""
    pieces = media.DownloadMediaContent(media_pb2.DownloadMediaContentRequest(media_id=media_id))
    return b"".join([piece.data async for piece in pieces])


async def refusal(call: Any) -> str:
    """Return the reason that a call is refused with."""
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value.reason


def files(settings: Settings) -> set[str]:
    """Return the objects that lie in the folder."""
    return {path.name for path in Path(settings.objects_dir).rglob("obj_*") if path.is_file()}


async def swept(house: Any, settings: Settings) -> None:
    """Remove what is to be removed."""
    await sweep_objects(
        database=house.database, clock=house.clock, objects=FolderObjects(Path(settings.objects_dir))
    )


async def received(house: Any, phone: str) -> pb.Message:
    """Return the message that a number sent, once its pictures are decided."""

    async def found() -> pb.Message | None:
        page = await house.stub.ListConversations(pb.ListConversationsRequest())
        for conversation in page.conversations:
            if conversation.client_phone == phone:
                texts = await house.stub.ListMessages(
                    pb.ListMessagesRequest(conversation_id=conversation.conversation_id)
                )
                for message in texts.messages:
                    is_inbound = message.direction == pb.DIRECTION_INBOUND
                    if (
                        is_inbound
                        and message.media
                        and all(one.state != pb.MEDIA_STATE_PENDING for one in message.media)
                    ):
                        return message  # type: ignore[no-any-return]
        return None

    message: pb.Message = await eventually(found)
    return message


async def test_a_picture_is_announced_sent_and_read_back(media: Any) -> None:
    media_id = await announced(media, "image/png; charset=x", file_name="ring.png")
    stored = await upload(media, media_id, PNG)
    assert (stored.byte_count, stored.content_type, stored.file_name) == (len(PNG), "image/png", "ring.png")
    assert stored.state == pb.MEDIA_STATE_STORED
    assert await download(media, media_id) == PNG


async def test_a_repeat_is_the_same_picture(media: Any) -> None:
    one = await announced(media, request_id="req_picture")
    assert await announced(media, request_id="req_picture") == one
    assert (await upload(media, one, PNG)).byte_count == (await upload(media, one, PNG)).byte_count
    assert await refusal(upload(media, one, PNG + b"x")) == "MEDIA_COMPLETE"


async def test_of_twenty_uploads_at_once_one_counts_and_the_others_leave_nothing(
    house: Any, media: Any, settings: Settings
) -> None:
    before = files(settings)
    media_id = await announced(media)
    contents = [PNG + str(number).encode() for number in range(20)]
    answers = await asyncio.gather(
        *(upload(media, media_id, content) for content in contents), return_exceptions=True
    )
    assert [getattr(answer, "reason", "") for answer in answers].count("MEDIA_COMPLETE") == 19
    house.clock.advance(timedelta(hours=2))
    await swept(house, settings)
    assert len(files(settings) - before) == 1


@pytest.mark.parametrize("content_type", ["image/heic", "video/mp4", "text/html", "image"])
async def test_a_type_that_carriers_do_not_take_is_refused(media: Any, content_type: str) -> None:
    with pytest.raises(ServiceError) as refused:
        await announced(media, content_type)
    assert (refused.value.reason, refused.value.kind) == ("MEDIA_TYPE_REFUSED", Kind.INVALID)
    assert [violation.field for violation in refused.value.violations] == ["content_type"]


async def test_twenty_megabytes_are_refused_with_the_limit_and_nothing_stays(
    media: Any, settings: Settings
) -> None:
    before = files(settings)
    media_id = await announced(media)
    with pytest.raises(ServiceError) as refused:
        await upload(media, media_id, PNG + bytes(20 * MEGABYTE))
    assert refused.value.reason == "MEDIA_TOO_LARGE"
    assert refused.value.metadata["most_bytes"] == str(MOST)
    assert str(MOST) in refused.value.message
    assert files(settings) == before
    assert await refusal(download(media, media_id)) == "MEDIA_EMPTY"


async def test_a_page_that_calls_itself_a_picture_is_refused(media: Any) -> None:
    media_id = await announced(media)
    assert await refusal(upload(media, media_id, b"<html><script>alert(1)</script>")) == "MEDIA_TYPE_MISMATCH"
    assert await refusal(upload(media, media_id, JPEG)) == "MEDIA_TYPE_MISMATCH"
    assert await refusal(upload(media, media_id, b"")) == "MEDIA_TYPE_MISMATCH"


async def test_another_chains_picture_is_not_found(house: Any, media: Any, sign_in: Any) -> None:
    media_id = await picture(media)
    sign_in("messages:send", "messages:read", chain_id="chn_elsewhere")
    assert await refusal(download(media, media_id)) == "MEDIA_NOT_FOUND"
    assert await refusal(upload(media, media_id, PNG)) == "MEDIA_NOT_FOUND"


async def test_a_picture_goes_out_by_a_link_that_the_carrier_can_fetch(
    house: Any, media: Any, twilio: TwilioStandIn, channel: Any
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    media_id = await picture(media)
    message = await house.send(client_id, media_ids=[media_id])
    assert [one.media_id for one in message.media] == [media_id]
    await house.becomes(message, pb.MESSAGE_STATE_SENT)
    (url,) = twilio.texts[0].fields["MediaUrl"]
    assert url.startswith("https://carnet.example/outside/media/")
    status, headers, content = await call_outside(channel, "GET", url, {})
    assert (status, headers["content-type"], content) == (200, "image/png", PNG)
    status, headers, content = await call_outside(channel, "HEAD", url, {})
    assert (status, headers["content-length"], content) == (200, str(len(PNG)), b"")
    house.clock.advance(timedelta(hours=25))
    assert (await call_outside(channel, "GET", url, {}))[0] == 403


async def test_a_link_that_was_changed_opens_nothing(
    house: Any, media: Any, channel: Any, settings: Settings
) -> None:
    links = Links(settings.link_key, settings.public_url)
    later = house.clock.now() + timedelta(hours=1)
    one, other = await picture(media), await picture(media)
    url = links.address("media", house.chain_id, one, expires_at=later)
    assert (await call_outside(channel, "GET", url, {}))[0] == 200
    for changed in (url.replace(one, other), url[:-1] + "_", url.replace("/media/", "/unsubscribe/")):
        assert (await call_outside(channel, "GET", changed, {}))[0] in (403, 404)
    forged = Links("x" * 32, settings.public_url).address("media", house.chain_id, one, expires_at=later)
    assert (await call_outside(channel, "GET", forged, {}))[0] == 403
    assert one in urlsplit(url).path


async def test_what_is_no_picture_yet_is_not_sent(house: Any, media: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    assert await refusal(house.send(client_id, media_ids=["med_none"])) == "MEDIA_NOT_FOUND"
    empty = await announced(media)
    assert await refusal(house.send(client_id, media_ids=[empty])) == "MEDIA_EMPTY"
    large = [await picture(media, PNG + bytes(3 * MEGABYTE)) for _ in range(2)]
    assert await refusal(house.send(client_id, media_ids=large)) == "MEDIA_TOO_LARGE"


async def test_a_clients_pictures_are_fetched_and_kept(
    house: Any, media: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    phone = next(next_phone)
    await twilio.text_in(
        phone, house.sender.phone, "This one?", media=[("image/png", PNG), ("image/jpeg", JPEG)]
    )
    message = await received(house, phone)
    assert [one.state for one in message.media] == [pb.MEDIA_STATE_STORED] * 2
    assert [await download(media, one.media_id) for one in message.media] == [PNG, JPEG]


async def test_a_picture_is_what_its_bytes_say(house: Any, twilio: TwilioStandIn, next_phone: Any) -> None:
    phone = next(next_phone)
    await twilio.text_in(phone, house.sender.phone, "", media=[("application/octet-stream", JPEG)])
    (stored,) = (await received(house, phone)).media
    assert (stored.state, stored.content_type) == (pb.MEDIA_STATE_STORED, "image/jpeg")


@pytest.mark.parametrize(
    "content", [PNG + bytes(6 * MEGABYTE), b"<html><script>alert(1)</script>", b"%PDF-1.7", b""]
)
async def test_what_is_too_large_or_no_picture_is_refused_and_the_words_stay(
    house: Any, media: Any, twilio: TwilioStandIn, next_phone: Any, settings: Settings, content: bytes
) -> None:
    phone = next(next_phone)
    before = files(settings)
    await twilio.text_in(phone, house.sender.phone, "See this", media=[("image/png", content)])
    message = await received(house, phone)
    assert (message.body, [one.state for one in message.media]) == ("See this", [pb.MEDIA_STATE_REFUSED])
    assert await refusal(download(media, message.media[0].media_id)) == "MEDIA_EMPTY"
    assert files(settings) == before


async def test_pictures_are_fetched_from_the_carrier_only_and_no_redirect_gets_our_credentials(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    phone = next(next_phone)
    async with stand_in() as elsewhere:
        elsewhere.media["ME1"] = ("image/png", PNG)
        url = f"{elsewhere.base_url}/2010-04-01/Accounts/{ACCOUNT}/Messages/SM1/Media/ME1"
        fields = {
            "MessageSid": "SM-ssrf",
            "From": phone,
            "To": house.sender.phone,
            "Body": "Hi",
            "NumMedia": "1",
        }
        await twilio.post(
            "https://carnet.example/outside/twilio/inbound",
            {**fields, "MediaUrl0": url, "MediaContentType0": "image/png"},
        )
        assert [one.state for one in (await received(house, phone)).media] == [pb.MEDIA_STATE_REFUSED]

        other = next(next_phone)
        twilio.media_redirects["ME-away"] = url
        path = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}/Messages/SM1/Media/ME-away"
        await twilio.post(
            "https://carnet.example/outside/twilio/inbound",
            {**fields, "MessageSid": "SM-away", "From": other, "MediaUrl0": path},
        )
        assert [one.state for one in (await received(house, other)).media] == [pb.MEDIA_STATE_REFUSED]
        assert elsewhere.calls["media"] == 0


async def test_redirects_have_an_end(house: Any, twilio: TwilioStandIn, next_phone: Any) -> None:
    phone = next(next_phone)
    path = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}/Messages/SM1/Media/ME-round"
    twilio.media_redirects["ME-round"] = path
    fields = {
        "MessageSid": "SM-round",
        "From": phone,
        "To": house.sender.phone,
        "Body": "Hi",
        "NumMedia": "1",
    }
    await twilio.post("https://carnet.example/outside/twilio/inbound", {**fields, "MediaUrl0": path})
    assert [one.state for one in (await received(house, phone)).media] == [pb.MEDIA_STATE_REFUSED]
    assert twilio.calls["media"] < 20


async def test_an_erasure_takes_the_pictures_and_their_bytes(
    house: Any, media: Any, twilio: TwilioStandIn, settings: Settings
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    before = files(settings)
    shown = await picture(media)
    await house.becomes(await house.send(client_id, media_ids=[shown]), pb.MESSAGE_STATE_SENT)
    await twilio.text_in(
        house.phone_of(client_id), house.sender.phone, "And this", media=[("image/png", PNG)]
    )
    message = await received(house, house.phone_of(client_id))
    assert len(files(settings) - before) == 2
    await house.erase(client_id)
    for media_id in (shown, message.media[0].media_id):
        assert await refusal(download(media, media_id)) == "MEDIA_NOT_FOUND"
    await swept(house, settings)
    assert files(settings) == before


async def test_a_picture_that_somebody_else_got_too_stays(
    house: Any, media: Any, twilio: TwilioStandIn
) -> None:
    one, other = house.client(), house.client()
    shown = await picture(media)
    for client_id in (one, other):
        await house.consent(client_id)
        await house.send(client_id, media_ids=[shown])
    await house.erase(one)
    assert await download(media, shown) == PNG
    await house.erase(other, erasure_id="ers_2")
    assert await refusal(download(media, shown)) == "MEDIA_NOT_FOUND"


async def test_a_picture_that_no_message_ever_had_goes_after_a_week(house: Any, media: Any) -> None:
    unused, used = await picture(media), await picture(media)
    client_id = house.client()
    await house.consent(client_id)
    await house.send(client_id, media_ids=[used])
    house.clock.advance(timedelta(days=8))

    async def is_gone() -> bool:
        try:
            await download(media, unused)
        except ServiceError as error:
            return error.reason == "MEDIA_NOT_FOUND"
        return False

    await eventually(is_gone)
    assert await download(media, used) == PNG


async def test_an_export_tells_of_a_clients_pictures_and_of_nobody_elses(
    house: Any, media: Any, twilio: TwilioStandIn
) -> None:
    client_id, other = house.client(), house.client()
    shown = await picture(media)
    for one in (client_id, other):
        await house.consent(one)
    message = await house.send(client_id, media_ids=[shown])
    await house.send(other, media_ids=[await picture(media)])
    told = await house.records.ListClientRecords(
        privacy_pb2.ListClientRecordsRequest(client_ids=[client_id], page_size=200)
    )
    pictures = [record.fields for record in told.records if record.section == "media"]
    assert [(one["media_id"], one["message_id"]) for one in pictures] == [(shown, message.message_id)]


def test_types_are_told_from_bytes() -> None:
    heads = {
        b"\xff\xd8\xff": PictureType.JPEG,
        b"\x89PNG\r\n\x1a\n": PictureType.PNG,
        b"GIF89a": PictureType.GIF,
        b"RIFF\x00\x00\x00\x00WEBP": PictureType.WEBP,
    }
    assert {head: type_of(head + bytes(16)) for head in heads} == heads
    assert all(type_of(head) is None for head in (b"", b"<svg ", b"BM", b"\x00" * 16))


def test_a_link_holds_ids_only() -> None:
    links = Links("k" * 32, "https://carnet.example/")
    url = links.address("media", "chn_1", "med_1", expires_at=NOON)
    assert re.fullmatch(r"https://carnet\.example/outside/media/chn_1\.med_1\.\d+\.[\w-]{32}", url)
    with pytest.raises(ValueError, match="only ids"):
        links.sign("media", "chn_1", "+12025550101", expires_at=NOON)
