"""A chain writes its own rules: consents are confirmed, words are forbidden, and the evidence is handed out."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from carnet_local.api import Api, Json, Refused
from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import House, until

PHONE = "+12155550187"
WORDING = "Yes, you may text me about my pieces and your offers."


async def reasons(house: House, client: Json, body: str = "") -> list[str]:
    decision = await house.associate.post(
        "/v1/messages:check",
        {
            "client_id": client["client_id"],
            "store_id": house.store_id,
            "purpose": "PURPOSE_MARKETING",
            "body": body,
        },
    )
    return [reason["reason"] for reason in decision.get("reasons", [])] or [decision["verdict"]]


async def test_an_offer_waits_for_a_yes_and_all_of_it_is_evidence(
    house: House, add_client: Callable[..., Awaitable[Json]], anybody: Api
) -> None:
    stands = await house.admin.get("/v1/messaging_settings")
    rules = {"double_opt_in": True, "forbidden_phrases": ["Rival & Sons"], "etag": stands["etag"]}
    await house.admin.put("/v1/messaging_settings", {"settings": rules})
    with pytest.raises(Refused) as refused:
        await house.admin.put("/v1/messaging_settings", {"settings": rules})
    assert refused.value.reason == "MESSAGING_SETTINGS_CHANGED"

    client = await add_client(
        house,
        "Colette",
        time_zone=awake_zone(datetime.now(UTC)),
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": PHONE}],
    )
    await house.associate.post(
        f"/v1/clients/{client['client_id']}/consents",
        {
            "contact_point_id": client["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": ["PURPOSE_SERVICE", "PURPOSE_MARKETING"],
            "wording": WORDING,
        },
    )

    async def asked() -> bool:
        found = (await house.associate.get("/v1/sandbox/messages", phone=PHONE))["messages"]
        return any("Reply YES" in message["body"] for message in found)

    await until(asked, "nobody asked for a YES")
    assert await reasons(house, client) == ["CONFIRMATION_AWAITED"]
    await house.associate.post(
        "/v1/sandbox/inbound", {"from_phone": PHONE, "to_phone": house.sender_phone, "body": "Yes"}
    )

    async def allowed() -> bool:
        return await reasons(house, client) == ["VERDICT_ALLOW"]

    await until(allowed, "a YES did not count")
    assert await reasons(house, client, "Nicer than rival sons") == ["CONTENT_FORBIDDEN"]

    with pytest.raises(Refused) as refused:
        await house.associate.download("/v1/permission_evidence", phone=PHONE)
    assert refused.value.reason == "SCOPE_MISSING"
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
    manager = await anybody.sign_in(email, password)
    content = await manager.download("/v1/permission_evidence", phone=PHONE)
    lines = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert [(line["purpose"], line["change"]) for line in lines] == [
        ("SERVICE", "GRANTED"),
        ("MARKETING", "REQUESTED"),
        ("MARKETING", "GRANTED"),
    ]
    assert WORDING in lines[2]["wording_or_words"]
    assert "Answered: Yes" in lines[2]["wording_or_words"]


async def test_the_hours_that_hold_are_shown_to_whoever_writes(house: House) -> None:
    rules = (await house.associate.get("/v1/hours_rules", country="US"))["rules"]
    florida = next(rule for rule in rules if rule.get("state") == "FL")
    assert florida["hours"]["closes"] == "20:00"
    assert florida["source"]
