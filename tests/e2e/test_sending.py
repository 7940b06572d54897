"""A store's texts keep to what its brand may send, wait for their hour, and stop with their sender, through the API."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from carnet_local.api import Api, Json
from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import House, until

AddClient = Callable[..., Awaitable[Json]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(house: House, add_client: AddClient) -> Json:
    """Return a client who agreed to texts about the pieces, and of whom messaging has heard so."""
    made = await add_client(
        house,
        "Solange",
        time_zone=awake_zone(datetime.now(UTC)),
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": "+12155550173"}],
    )
    await house.associate.post(
        f"/v1/clients/{made['client_id']}/consents",
        {
            "contact_point_id": made["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": ["PURPOSE_SERVICE"],
            "wording": "Yes, you may text me about my pieces.",
        },
    )

    async def heard() -> bool:
        return bool((await house.associate.get(f"/v1/clients/{made['client_id']}/permissions"))["entries"])

    await until(heard, "messaging has heard of the consent")
    return made


async def send(house: House, client: Json, **fields: object) -> Json:
    """Send a text of service."""
    body = {
        "client_id": client["client_id"],
        "store_id": house.store_id,
        "body": "Fifth Avenue: your ring is ready.",
        "purpose": "PURPOSE_SERVICE",
        **fields,
    }
    return await house.associate.post("/v1/messages", body, key=secrets.token_hex(8))


async def state_of(api: Api, message: Json) -> str:
    """Return a message's state now."""
    return str((await api.get(f"/v1/messages/{message['message_id']}"))["state"])


async def test_a_stopped_sender_holds_its_texts_and_lets_them_go_when_resumed(
    house: House, client: Json
) -> None:
    (sender,) = (await house.admin.get("/v1/senders"))["senders"]
    brand = await house.admin.post(
        "/v1/brand_registrations",
        {"display_name": "Fifth Avenue", "segments_per_day": 500},
        key=secrets.token_hex(8),
    )
    path = f"/v1/senders/{sender['sender_id']}"
    changed = await house.admin.put(
        path,
        {
            "display_name": sender["display_name"],
            "brand_registration_id": brand["brand_registration_id"],
            "segments_per_second": 5,
        },
    )
    assert changed["segments_per_second"] == 5
    stopped = await house.admin.post(f"{path}:stop", {"note": "The number moves to another carrier."})
    assert stopped["state"] == "SENDER_STATE_STOPPED"
    held = await send(house, client)
    assert held["state"] in ("MESSAGE_STATE_QUEUED", "MESSAGE_STATE_DEFERRED")
    later = datetime.now(UTC) + timedelta(days=1)
    planned = await send(house, client, send_time=later.isoformat())
    assert planned["state"] == "MESSAGE_STATE_DEFERRED"
    await house.associate.post(f"/v1/messages/{planned['message_id']}:cancel", {})
    await house.admin.post(f"{path}:resume", {})

    async def delivered() -> bool:
        return await state_of(house.associate, held) == "MESSAGE_STATE_DELIVERED"

    await until(delivered, "what was held back arrives")
    assert await state_of(house.associate, planned) == "MESSAGE_STATE_CANCELLED"
    load = await house.admin.get(f"{path}/load")
    assert (load["brand_segments_today"], load["brand_segments_per_day"]) == (load["segments_today"], 500)
    assert load["segments_today"] >= 1
