"""A client asks for silence in words that no carrier knows: nothing goes out until a manager has looked."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from carnet_local.api import Api, Json, Refused
from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import House, until

AddClient = Callable[..., Awaitable[Json]]

PHONE = "+12155550171"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def manager(house: House, anybody: Api) -> Api:
    """Return the store's manager, signed in."""
    email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(16)
    await house.admin.post(
        "/v1/users",
        {
            "email": email,
            "password": password,
            "display_name": "Eva Lindqvist",
            "role": "ROLE_MANAGER",
            "store_ids": [house.store_id],
        },
    )
    return await anybody.sign_in(email, password)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(house: House, add_client: AddClient) -> Json:
    """Return a client who agreed to texts about the pieces, and of whom messaging has heard so."""
    made = await add_client(
        house,
        "Delphine",
        time_zone=awake_zone(datetime.now(UTC)),
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": PHONE}],
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

    await until(heard, "messaging has not heard of the consent")
    return made


async def send(house: House, client: Json) -> Json:
    sent: Json = await house.associate.post(
        "/v1/messages",
        {
            "client_id": client["client_id"],
            "store_id": house.store_id,
            "body": "Fifth Avenue: your ring is ready.",
            "purpose": "PURPOSE_SERVICE",
        },
        key=secrets.token_hex(8),
    )
    return sent


async def receive(house: House, body: str) -> None:
    await house.associate.post(
        "/v1/sandbox/inbound", {"from_phone": PHONE, "to_phone": house.sender_phone, "body": body}
    )


async def open_reviews(caller: Api, client: Json) -> list[Any]:
    found: list[Any] = (await caller.get("/v1/permission_reviews", client_id=client["client_id"]))[
        "permission_reviews"
    ]
    return found


async def delivered(house: House, message: Json) -> bool:
    state = (await house.associate.get(f"/v1/messages/{message['message_id']}"))["state"]
    return bool(state == "MESSAGE_STATE_DELIVERED")


async def test_a_plain_wish_is_honoured_at_once_and_a_manager_lifts_what_was_misread(
    house: House, client: Json, manager: Api
) -> None:
    before = await send(house, client)
    await until(lambda: delivered(house, before), "a text before the wish arrives")

    await receive(house, "please don't text me any more")
    denied = await send(house, client)
    assert denied["state"] == "MESSAGE_STATE_DENIED"
    (reason,) = [r for r in denied["decision"]["reasons"] if r["reason"] == "PERMISSION_SUSPENDED"]
    assert "somebody has to look" in reason["message"]

    (review,) = await open_reviews(manager, client)
    assert review["body"] == "please don't text me any more"
    assert review["client_ids"] == [client["client_id"]]
    path = f"/v1/permission_reviews/{review['permission_review_id']}:decide"
    lift = {"decision": "PERMISSION_REVIEW_DECISION_LIFT", "note": "She meant her office number"}
    decided = await manager.post(path, lift)
    assert decided["state"] == "PERMISSION_REVIEW_STATE_LIFTED"
    assert (await manager.post(path, lift))["decide_time"] == decided["decide_time"]
    with pytest.raises(Refused) as refused:
        await manager.post(path, {"decision": "PERMISSION_REVIEW_DECISION_CONFIRM"})
    assert refused.value.reason == "PERMISSION_REVIEW_DECIDED"

    after = await send(house, client)
    await until(lambda: delivered(house, after), "a text after the suspension was lifted arrives")
    entries = (await manager.get(f"/v1/clients/{client['client_id']}/permissions"))["entries"]
    lifted = [entry for entry in entries if entry["change"] == "PERMISSION_CHANGE_LIFTED"]
    assert {entry["actor"] for entry in lifted} == {decided["decided_by"]} != {""}


async def test_a_visit_announced_silences_nobody(house: House, client: Json, manager: Api) -> None:
    await receive(house, "We have got to STOP by your store")
    assert await open_reviews(manager, client) == []


async def test_what_a_manager_confirms_is_a_revocation(house: House, client: Json, manager: Api) -> None:
    await receive(house, "I'm serious: take me off your list!")
    (review,) = await open_reviews(manager, client)
    await manager.post(
        f"/v1/permission_reviews/{review['permission_review_id']}:decide",
        {"decision": "PERMISSION_REVIEW_DECISION_CONFIRM"},
    )
    denied = await send(house, client)
    assert "PERMISSION_REVOKED" in {reason["reason"] for reason in denied["decision"]["reasons"]}


async def test_a_number_of_nobody_is_revoked_in_one_tap(house: House, manager: Api) -> None:
    revoked = await manager.post("/v1/permissions:revoke", {"phone": "+12155550172"})
    assert {entry["evidence"] for entry in revoked["entries"]} == {"Told in person"}
