"""A template is saved, previewed and sent as an e-mail, and its reader takes the way out; the pages are there."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from carnet_local.api import Api, Json, Refused
from carnet_local.demo.house import House, until

AddClient = Callable[..., Awaitable[Json]]
LETTER = {
    "display_name": "Letter of the season",
    "channel": "CHANNEL_EMAIL",
    "purpose": "PURPOSE_MARKETING",
    "texts": [
        {
            "language_code": "en",
            "subject": "{{client.given_name}}, {{season}} is here",
            "body": "Dear {{client.full_name}}, come and see. {{sender.name}}",
        },
        {
            "language_code": "fr",
            "subject": "{{client.given_name}}, {{season}}",
            "body": "Bonjour {{client.full_name}}, venez voir. {{sender.name}}",
        },
    ],
}


async def test_a_letter_is_previewed_sent_and_left(house: House, anybody: Api, add_client: AddClient) -> None:
    address = f"ana.{house.run}@example.com"
    client = await add_client(
        house,
        "Ana",
        family_name="Reyes",
        language="fr-CA",
        contact_points=[{"kind": "CONTACT_KIND_EMAIL", "value": address}],
    )
    await house.admin.post(
        "/v1/senders",
        {
            "store_id": house.store_id,
            "channel": "CHANNEL_EMAIL",
            "email": f"fifth.{house.run}@example.com",
            "display_name": "Fifth Avenue",
        },
    )
    letter = await house.admin.post("/v1/templates", LETTER)
    previewing = {
        "template_id": letter["template_id"],
        "client_id": client["client_id"],
        "store_id": house.store_id,
        "values": {"season": "printemps"},
    }
    shown = await house.associate.post("/v1/templates:preview", previewing)
    assert shown["body"] == "Bonjour Ana Reyes, venez voir. Fifth Avenue"
    assert shown["decision"]["reasons"][0]["reason"] == "NO_PERMISSION"

    await house.associate.post(
        f"/v1/clients/{client['client_id']}/consents",
        {
            "contact_point_id": client["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_EMAIL",
            "purposes": ["PURPOSE_MARKETING"],
            "wording": "Yes, write to me.",
            "source": "in_store_tablet",
        },
    )

    async def verdict() -> str:
        return str((await house.associate.post("/v1/templates:preview", previewing))["decision"]["verdict"])

    async def allowed() -> bool:
        return await verdict() == "VERDICT_ALLOW"

    await until(allowed, "the consent reaches the ledger")
    await house.associate.post(
        "/v1/messages",
        {
            "request_id": secrets.token_hex(8),
            "client_id": client["client_id"],
            "store_id": house.store_id,
            "channel": "CHANNEL_EMAIL",
            "purpose": "PURPOSE_MARKETING",
            "template_id": letter["template_id"],
            "values": {"season": "printemps"},
        },
    )

    async def received() -> list[Any]:
        return list((await house.associate.get("/v1/sandbox/messages", email=address))["messages"])

    (mail,) = await until(received, "the e-mail is in the mailbox")
    assert mail["subject"] == "Ana, printemps"
    way_out = urlsplit(mail["unsubscribe_url"]).path
    assert "Fifth Avenue" in (await anybody.http.get(way_out)).text
    assert await verdict() == "VERDICT_ALLOW"
    assert (await anybody.http.post(way_out, data={"List-Unsubscribe": "One-Click"})).status_code == 200
    assert await verdict() == "VERDICT_DENY"
    assert (await anybody.http.post(way_out[:-1] + "_")).status_code == 403


async def test_a_reminder_that_asks_for_cancel_is_refused(house: House) -> None:
    reminder = {
        "display_name": "Tomorrow",
        "purpose": "PURPOSE_SERVICE",
        "is_reminder": True,
        "texts": [{"language_code": "en", "body": "See you tomorrow. Reply CANCEL to cancel."}],
    }
    with pytest.raises(Refused) as refused:
        await house.admin.post("/v1/templates", reminder)
    assert refused.value.reason == "TEMPLATE_ASKS_FOR_KEYWORD"
    with pytest.raises(Refused) as refused:
        await house.associate.post("/v1/templates", {**reminder, "is_reminder": False})
    assert refused.value.reason == "SCOPE_MISSING"


async def test_phrases_are_kept_by_a_shortcut(house: House) -> None:
    phrase = {
        "associate_id": house.seller_id,
        "place": "SNIPPET_PLACE_PHRASE",
        "language": "en",
        "body": "We are open from ten to six.",
        "shortcut": "hours",
    }
    kept = await house.associate.post("/v1/snippets", phrase)
    assert kept in (await house.associate.get("/v1/snippets"))["snippets"]
    with pytest.raises(Refused) as refused:
        await house.associate.post("/v1/snippets", phrase)
    assert refused.value.reason == "SNIPPET_SHORTCUT_TAKEN"


async def test_both_sides_can_be_played_in_a_browser(anybody: Api) -> None:
    page = await anybody.http.get("/sandbox")
    assert (page.status_code, "/sandbox/app.js" in page.text) == (200, True)
    assert (await anybody.http.get("/sandbox/app.js")).status_code == 200
