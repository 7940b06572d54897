"""A text comes in: somebody sees to it, hands it over, is covered for, finds it again, and says whose number it is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest_asyncio

from carnet_local.api import Api, Json
from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import STORE_ZONE, House, until

AddClient = Callable[..., Awaitable[Json]]

ANA_S, UNKNOWN = "+12155550172", "+12155550173"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(house: House) -> AsyncIterator[list[Any]]:
    """Return what the live stream tells the associate from now on."""
    heard: list[Any] = []

    async def listen() -> None:
        async for event in house.associate.follow("/v1/stream"):
            heard.append(event)

    listening = asyncio.create_task(listen())
    yield heard
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def receive(house: House, phone: str, body: str) -> None:
    await house.associate.post(
        "/v1/sandbox/inbound", {"from_phone": phone, "to_phone": house.sender_phone, "body": body}
    )


async def listed(caller: Api, **filters: Any) -> list[Json]:
    found: list[Json] = (await caller.get("/v1/conversations", **filters))["conversations"]
    return found


def today() -> Json:
    day = datetime.now(ZoneInfo(STORE_ZONE)).date()
    return {"year": day.year, "month": day.month, "day": day.day}


async def test_a_text_is_seen_to_handed_over_and_covered_for(
    house: House, add_client: AddClient, told: list[Any]
) -> None:
    client = await add_client(
        house,
        "Ana",
        time_zone=awake_zone(datetime.now(UTC)),
        associate_id=house.seller_id,
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": ANA_S}],
    )
    await receive(house, ANA_S, "Is the émeraude ring still there?")
    (unknown,) = await listed(house.associate, unlinked_only=True)
    linked = await house.associate.post(
        f"/v1/conversations/{unknown['conversation_id']}:link",
        {"client_id": client["client_id"]},
        key=secrets.token_hex(8),
    )
    assert linked["client_id"] == client["client_id"]
    path = f"/v1/conversations/{linked['conversation_id']}"
    await receive(house, ANA_S, "Hello?")

    async def seen_to() -> Json | None:
        found = await house.associate.get(path)
        return found if found["assignee_id"] == house.seller_id else None

    mine = await until(seen_to, "the client's own associate sees to the conversation")
    assert (mine["unread_count"], mine["state"]) == (2, "CONVERSATION_STATE_OPEN")
    assert mine["waiting_since_time"]
    assert (await house.associate.post(f"{path}:mark_read"))["unread_count"] == 0
    assert (await house.admin.get(path))["unread_count"] == 2

    colleague, cover = house.book_owners[:2]
    note = "She prefers to be called after five."
    await house.associate.post(
        f"{path}:assign", {"assignee_id": colleague, "note": note}, key=secrets.token_hex(8)
    )
    await house.admin.post(
        f"/v1/associates/{colleague}/covers",
        {"cover_associate_id": cover, "start_date": today(), "end_date": today()},
    )

    async def covered() -> bool:
        return bool((await house.associate.get(path)).get("cover_associate_id") == cover)

    await until(covered, "the cover is said once it is known")
    assert [one["conversation_id"] for one in await listed(house.associate, assignee_id=cover)] == [
        linked["conversation_id"]
    ]
    newest, *_ = (await house.associate.get(f"{path}/messages"))["messages"]
    assert (newest["body"], newest["direction"]) == (note, "DIRECTION_NOTE")
    on_the_phone = await house.associate.get("/v1/sandbox/messages", phone=ANA_S)
    assert on_the_phone["messages"] == []

    (found,) = (await house.associate.get("/v1/messages:search", query="EMERAUDE ring"))["found"]
    assert found["client_id"] == client["client_id"]
    assert "émeraude" in found["excerpt"]

    def is_told() -> set[str]:
        return {
            event["type"]
            for event in told
            if event["data"].get("conversation_id") == linked["conversation_id"]
        }

    async def all_told() -> bool:
        return is_told() >= {
            "carnet.messaging.message.received.v1",
            "carnet.messaging.conversation.assigned.v1",
            "carnet.messaging.conversation.changed.v1",
        }

    await until(all_told, "the live stream tells of the conversation")
    assert note not in str(told)


async def test_an_unknown_number_becomes_a_client_and_later_somebody_else_s(house: House) -> None:
    await receive(house, UNKNOWN, "Do you buy old watches?")
    (unknown,) = [one for one in await listed(house.associate) if one["client_phone"] == UNKNOWN]
    path = f"/v1/conversations/{unknown['conversation_id']}"
    key = secrets.token_hex(8)
    request = {"new_client": {"given_name": "Ines", "family_name": "Moreau"}}
    linked, again = [await house.associate.post(f"{path}:link", request, key=key) for _ in range(2)]
    assert linked["client_id"] == again["client_id"] != ""
    client = await house.associate.get(f"/v1/clients/{linked['client_id']}")
    assert (client["given_name"], client["associate_id"]) == ("Ines", house.seller_id)
    assert [point["value"] for point in client["contact_points"]] == [UNKNOWN]

    apart = await house.associate.post(
        f"{path}:unlink", {"client_id": linked["client_id"], "is_reassigned": True}
    )
    assert (apart.get("client_id", ""), apart.get("client_ids", [])) == ("", [])
    decision = await house.associate.post(
        "/v1/messages:check",
        {"conversation_id": unknown["conversation_id"], "purpose": "PURPOSE_CONVERSATIONAL", "body": "Hello"},
    )
    assert [one["reason"] for one in decision["reasons"]] == ["PERMISSION_REVOKED"]
