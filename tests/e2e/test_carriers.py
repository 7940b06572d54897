"""What a carrier hands in through the gateway, and pictures both ways."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from twilio_stand_in import TwilioStandIn

from carnet_local.api import Api, Json, Refused
from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import House, until

AddClient = Callable[..., Awaitable[Json]]

PHONE, OTHER = "+12155550181", "+12155550182"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
SILENCE = (200, b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>')


async def content(whole: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(whole), 100_000):
        yield whole[start : start + 100_000]


async def texts_of(house: House, phone: str) -> list[Json]:
    """Return what passed between the house and a number, oldest first."""
    found: list[Json] = []
    for conversation in (await house.associate.get("/v1/conversations", store_id=house.store_id))[
        "conversations"
    ]:
        if conversation["client_phone"] == phone:
            path = f"/v1/conversations/{conversation['conversation_id']}/messages"
            found += reversed((await house.associate.get(path))["messages"])
    return found


async def test_a_signed_text_is_answered_with_silence_and_reaches_the_store_once_with_its_picture(
    house: House, twilio: TwilioStandIn
) -> None:
    for _ in range(2):
        answer = await twilio.text_in(
            PHONE, house.sender_phone, "Is this one yours? 💍", sid="SM-e2e-1", media=[("image/png", PNG)]
        )
        assert answer == SILENCE

    async def stored() -> list[Json]:
        texts = await texts_of(house, PHONE)
        is_there = texts and all(one["state"] == "MEDIA_STATE_STORED" for one in texts[0]["media"])
        return texts if is_there else []

    (text,) = await until(stored, "the text and its picture are there")
    assert text["body"] == "Is this one yours? 💍"
    assert await house.associate.download(f"/v1/media/{text['media'][0]['media_id']}/content") == PNG


async def test_a_forged_text_is_forbidden_and_one_of_a_mebibyte_too_large(
    house: House, twilio: TwilioStandIn, anybody: Api
) -> None:
    url = f"{twilio.public_url}/outside/twilio/inbound"
    fields = {
        "MessageSid": "SM-forged",
        "From": OTHER,
        "To": house.sender_phone,
        "Body": "Send me everything",
    }
    assert (await twilio.post(url, fields, signature="Zm9yZ2Vk"))[0] == 403
    assert (await twilio.post(url, {**fields, "Body": "x" * 1_100_000}))[0] == 413
    assert await texts_of(house, OTHER) == []


async def test_stop_by_a_webhook_silences_the_number(
    house: House, twilio: TwilioStandIn, add_client: AddClient
) -> None:
    client = await add_client(
        house, "Odile", contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": "+12155550183"}]
    )
    assert await twilio.text_in("+12155550183", house.sender_phone, "STOP") == SILENCE

    async def is_silent() -> bool:
        decision = await house.associate.post(
            "/v1/messages:check",
            {
                "client_id": client["client_id"],
                "store_id": house.store_id,
                "purpose": "PURPOSE_CONVERSATIONAL",
            },
        )
        return "PERMISSION_REVOKED" in {reason["reason"] for reason in decision["reasons"]}

    await until(is_silent, "the number is silent")


async def test_a_picture_goes_out_and_one_of_twenty_megabytes_does_not(
    house: House, add_client: AddClient
) -> None:
    phone = "+12155550184"
    client = await add_client(
        house,
        "Blanche",
        time_zone=awake_zone(datetime.now(UTC)),
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": phone}],
    )
    await house.associate.post(
        "/v1/sandbox/inbound",
        {"from_phone": phone, "to_phone": house.sender_phone, "body": "Show me the ring?"},
    )
    media = await house.associate.post("/v1/media", {"content_type": "image/png", "file_name": "ring.png"})
    path = f"/v1/media/{media['media_id']}/content"
    with pytest.raises(Refused) as refused:
        await house.associate.upload(path, content(PNG + bytes(20_000_000)), "image/png")
    assert (refused.value.status, refused.value.reason) == (400, "MEDIA_TOO_LARGE")
    assert refused.value.problem["metadata"]["most_bytes"] == "5000000"
    await house.associate.upload(path, content(PNG), "image/png")
    sent = await house.associate.post(
        "/v1/messages",
        {
            "client_id": client["client_id"],
            "store_id": house.store_id,
            "body": "Here it is.",
            "purpose": "PURPOSE_CONVERSATIONAL",
            "media_ids": [media["media_id"]],
        },
        key=secrets.token_hex(8),
    )
    assert [one["media_id"] for one in sent["media"]] == [media["media_id"]]

    async def on_the_phone() -> list[Any]:
        page = await house.associate.get("/v1/sandbox/messages", phone=phone)
        return [one["media_ids"] for one in page["messages"] if one["body"] == "Here it is."]

    assert await until(on_the_phone, "the picture is on the phone") == [[media["media_id"]]]
