"""A store texts many: paused, one of them says STOP in the middle, it goes on, another one is taken back."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from carnet_local.api import Api, Json, Refused
from carnet_local.demo.clients import CONSENT_WORDING, awake_zone
from carnet_local.demo.house import House, until

AddClient = Callable[..., Awaitable[Json]]
BODY = "Fifth Avenue: the new pieces are in the case. Reply STOP to opt out."
PHONES = ("+12155550172", "+12155550173", "+12155550174", "+12155550175")


async def agreed(house: House, add_client: AddClient, phone: str) -> str:
    """Add a client who agreed to offers, once messaging has heard of it."""
    made = await add_client(
        house,
        "Chloé",
        time_zone=awake_zone(datetime.now(UTC)),
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": phone}],
    )
    await house.associate.post(
        f"/v1/clients/{made['client_id']}/consents",
        {
            "contact_point_id": made["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": ["PURPOSE_MARKETING"],
            "wording": CONSENT_WORDING,
        },
    )

    async def may_be_texted() -> bool:
        asked = {"client_id": made["client_id"], "store_id": house.store_id, "purpose": "PURPOSE_MARKETING"}
        answer = await house.associate.post("/v1/messages:check", {**asked, "body": BODY})
        return bool(answer["verdict"] == "VERDICT_ALLOW")

    await until(may_be_texted, "messaging has not heard of the consent")
    return str(made["client_id"])


async def test_a_text_to_many_is_held_back_and_taken_back(
    house: House, anybody: Api, add_client: AddClient
) -> None:
    email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(16)
    await house.admin.post(
        "/v1/users",
        {
            "email": email,
            "password": password,
            "display_name": "Ines Prado",
            "role": "ROLE_MANAGER",
            "store_ids": [house.store_id],
        },
    )
    manager = await anybody.sign_in(email, password)
    clients = {await agreed(house, add_client, phone): phone for phone in PHONES}

    async def inbox(phone: str) -> list[str]:
        found = await house.associate.get("/v1/sandbox/messages", phone=phone)
        return [one["body"] for one in found["messages"] if one["body"] == BODY]

    def order(**more: Any) -> Json:
        recipients = [{"client_id": client_id} for client_id in clients]
        return {
            "request_id": secrets.token_hex(8),
            "display_name": "New pieces",
            "store_id": house.store_id,
            "purpose": "PURPOSE_MARKETING",
            "body": BODY,
            "recipients": recipients,
            **more,
        }

    with pytest.raises(Refused) as twice:
        wanted = order()
        await manager.post(
            "/v1/bulk_sends", {**wanted, "recipients": [*wanted["recipients"], wanted["recipients"][0]]}
        )
    assert twice.value.reason == "RECIPIENT_TWICE"
    with pytest.raises(Refused) as associate:
        await house.associate.post("/v1/bulk_sends", order())
    assert associate.value.status == 403

    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    made = await manager.post("/v1/bulk_sends", order(send_time=soon))
    assert made["counts"] == {"FROZEN": 4}
    path = f"/v1/bulk_sends/{made['bulk_send_id']}"
    paused = await manager.post(f"{path}:pause", {"note": "Is the photo right?"})
    assert (paused["state"], paused["pause_reason"]) == ("BULK_SEND_STATE_PAUSED", "Is the photo right?")
    silent, *others = PHONES
    await house.associate.post(
        "/v1/sandbox/inbound", {"from_phone": silent, "to_phone": house.sender_phone, "body": "STOP"}
    )
    await manager.post(f"{path}:resume")

    async def finished() -> Json | None:
        found = await manager.get(path)
        return found if found["state"] == "BULK_SEND_STATE_FINISHED" else None

    done = await until(finished, "the bulk send does not come to its end")
    assert done is not None
    assert done["counts"].get("SENT", 0) + done["counts"].get("DELIVERED", 0) == 3
    assert done["denied_by_reason"] == {"PERMISSION_REVOKED": 1}
    assert await inbox(silent) == []
    for phone in others:
        assert await inbox(phone) == [BODY]
    denied = await manager.get(f"{path}/recipients", state="BULK_RECIPIENT_STATE_DENIED")
    assert [clients[one["client_id"]] for one in denied["recipients"]] == [silent]

    # Whoever says STOP after it is counted against it.
    await house.associate.post(
        "/v1/sandbox/inbound", {"from_phone": others[0], "to_phone": house.sender_phone, "body": "Stop!"}
    )

    async def counted() -> bool:
        report = await manager.get("/v1/messaging_reports/opt_outs", campaign_id=made["campaign_id"])
        return [(one["sent_count"], one["opt_out_count"]) for one in report["campaigns"]] == [(3, 1)]

    await until(counted, "the opt-out is not counted")

    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    another = await manager.post("/v1/bulk_sends", order(send_time=later))
    cancelled = await manager.post(f"/v1/bulk_sends/{another['bulk_send_id']}:cancel")
    assert cancelled["counts"] == {"CANCELLED": 4}
    with pytest.raises(Refused) as over:
        await manager.post(f"/v1/bulk_sends/{another['bulk_send_id']}:resume")
    assert over.value.reason == "BULK_SEND_OVER"
    delivery = await manager.get("/v1/messaging_reports/delivery", campaign_id=made["campaign_id"])
    assert delivery["denied_by_reason"] == {"PERMISSION_REVOKED": 1}
