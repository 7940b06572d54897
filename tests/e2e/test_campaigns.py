"""A new brand arrives: a campaign to those who like it, agreed to by a second person, measured, stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from carnet_local.api import Api, Json, Refused, day, money
from carnet_local.demo.clients import CONSENT_WORDING, awake_zone
from carnet_local.demo.house import House, fictional_number
from chassis.testing import eventually

AddClient = Callable[..., Awaitable[dict[str, Any]]]
NAMES = ("Ana", "Björn", "Chloé", "Dara", "Emil", "Fatou")


async def buyer(house: House, add_client: AddClient, name: str, phone: str, brand_id: str) -> str:
    """Add a client who bought the brand a hundred days ago and agreed to texts."""
    client = await add_client(
        house,
        name,
        associate_id=house.seller_id,
        language="fr" if name == "Chloé" else "en",
        time_zone=awake_zone(datetime.now(UTC)),
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": phone}],
    )
    client_id = str(client["client_id"])
    await house.associate.post(
        f"/v1/clients/{client_id}/consents",
        {
            "contact_point_id": client["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": ["PURPOSE_MARKETING"],
            "wording": CONSENT_WORDING,
            "source": "in_store_tablet",
        },
    )
    bought = datetime.now(UTC).date() - timedelta(days=100)
    line = {"piece": {"category": "watch", "brand_id": brand_id}, "quantity": 1, "amount": money(2400)}
    await house.associate.post(
        "/v1/purchases",
        {
            "client_id": client_id,
            "store_id": house.store_id,
            "purchase_date": day(bought),
            "lines": [line],
        },
    )
    return client_id


async def manager_of(house: House, anybody: Api) -> Api:
    email, password = f"manager.{house.run}@example.com", "a long way to the first store"
    await house.admin.post(
        "/v1/users",
        {"email": email, "password": password, "display_name": "Ines Prado", "role": "ROLE_MANAGER"},
    )
    return await anybody.sign_in(email, password)


async def test_a_new_brand_reaches_those_who_like_it(
    house: House, anybody: Api, add_client: AddClient
) -> None:
    brand = await house.admin.post("/v1/brands", {"display_name": "Tamarack Chronometer"})
    numbers: set[str] = set()
    while len(numbers) < len(NAMES):
        numbers.add(fictional_number())
    clients = {
        await buyer(house, add_client, name, phone, brand["brand_id"]): phone
        for name, phone in zip(NAMES, sorted(numbers), strict=True)
    }
    await add_client(house, "Gil", associate_id=house.seller_id)
    manager = await manager_of(house, anybody)
    await house.admin.put("/v1/outreach_settings", {"settings": {"approval_above": 1}})
    texts = [
        {"language": "en", "body": "Hello {given_name}, {associate_name} of {store_name}: Tamarack is here."},
        {"language": "fr", "body": "Bonjour {given_name}, Tamarack est là. {associate_name}, {store_name}"},
    ]
    wanted: Json = {
        "display_name": "Tamarack is here",
        "audience": {"brand_ids": [brand["brand_id"]], "store_ids": [house.store_id]},
        "texts": texts,
        "holdout_share": 0.3,
    }
    campaign = await manager.post("/v1/campaigns", wanted)
    path = f"/v1/campaigns/{campaign['campaign_id']}"

    async def everybody_fits() -> Json | None:
        # What profiles took arrives as events.
        preview = await manager.get(f"{path}/preview")
        return preview if preview["fitting"] == str(len(NAMES)) else None

    async def everybody_may_be_texted() -> bool:
        asked = {"store_id": house.store_id, "purpose": "PURPOSE_MARKETING"}
        answers = [
            await house.associate.post("/v1/messages:check", {"client_id": client_id, **asked})
            for client_id in clients
        ]
        return all(answer["verdict"] == "VERDICT_ALLOW" for answer in answers)

    preview = await eventually(everybody_fits, within=30)
    await eventually(everybody_may_be_texted, within=30)
    recipients, held_out = int(preview["recipients"]), int(preview["held_out"])
    assert recipients + held_out == len(NAMES)

    waiting = await manager.post(f"{path}:start")
    assert waiting["state"] == (
        "CAMPAIGN_STATE_AWAITING_APPROVAL" if recipients > 1 else "CAMPAIGN_STATE_RUNNING"
    )
    if recipients > 1:
        with pytest.raises(Refused) as refused:
            await manager.post(f"{path}:approve")
        assert refused.value.reason == "SECOND_PERSON_NEEDED"
        await house.admin.post(f"{path}:approve")

    async def finished() -> Json | None:
        found = await manager.get(path)
        return found if found["state"] == "CAMPAIGN_STATE_FINISHED" else None

    progress = (await eventually(finished, within=30))["progress"]
    assert (progress["sent"], progress.get("held_out", "0")) == (str(recipients), str(held_out))
    listed = (await manager.get(f"{path}/recipients"))["recipients"]
    states = {one["client_id"]: one["state"] for one in listed}
    assert set(states) == set(clients)
    for client_id, phone in clients.items():

        async def inbox(phone: str = phone) -> list[str]:
            found = await house.associate.get("/v1/sandbox/messages", phone=phone)
            return [one["body"] for one in found.get("messages", [])]

        if states[client_id] == "RECIPIENT_STATE_HELD_OUT":
            assert await inbox() == []
        else:
            (body,) = await eventually(inbox)
            assert "Tamarack" in body
            assert "Noor Haddad" in body

    again = await manager.post("/v1/campaigns", {**wanted, "display_name": "Once more", "holdout_share": 0})
    excluded = (await manager.get(f"/v1/campaigns/{again['campaign_id']}/preview"))["excluded_by_reason"]
    assert excluded["CONTACTED_LATELY"] == str(recipients)
    cancelled = await manager.post(f"/v1/campaigns/{again['campaign_id']}:cancel")
    assert cancelled["state"] == "CAMPAIGN_STATE_CANCELLED"
    with pytest.raises(Refused) as associate:
        await house.associate.post("/v1/campaigns", wanted)
    assert associate.value.status == 403
