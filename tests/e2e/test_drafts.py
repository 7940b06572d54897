"""What to say: a draft with a piece, an own opening, and the third edit that teaches; through the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from carnet_local.api import Json, Refused, day
from carnet_local.demo.clients import CONSENT_WORDING, awake_zone
from carnet_local.demo.house import House, fictional_number, until

AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def due(house: House, add_client: AddClient, name: str) -> tuple[Json, str]:
    """Add somebody with a birthday ahead who agreed to texts; return the suggestion and the number."""
    phone = fictional_number()
    client = await add_client(
        house,
        name,
        associate_id=house.seller_id,
        language="en",
        time_zone=awake_zone(datetime.now(UTC)),
        contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": phone}],
        occasions=[
            {
                "kind": "OCCASION_KIND_BIRTHDAY",
                "date": day(date.today() + timedelta(days=10), without_year=True),
            }
        ],
    )
    await house.associate.post(
        f"/v1/clients/{client['client_id']}/consents",
        {
            "contact_point_id": client["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": ["PURPOSE_MARKETING"],
            "wording": CONSENT_WORDING,
            "source": "in_store_tablet",
        },
    )

    async def suggested() -> Json:
        queue = await house.associate.get(f"/v1/associates/{house.seller_id}/queue")
        found = [one for one in queue["suggestions"] if one["client_id"] == client["client_id"]]
        return found[0] if found else {}

    async def allowed() -> bool:
        decision = await house.associate.post(
            "/v1/messages:check",
            {"client_id": client["client_id"], "store_id": house.store_id, "purpose": "PURPOSE_MARKETING"},
        )
        return bool(decision["verdict"] == "VERDICT_ALLOW")

    suggestion = await until(suggested, f"a suggestion for {name}")
    await until(allowed, f"{name} may be texted")
    return suggestion, phone


async def test_a_draft_with_a_piece_is_edited_and_the_third_edit_teaches(
    house: House, add_client: AddClient
) -> None:
    async def drafted(suggestion: Json, **more: Any) -> Json:
        return await house.associate.post(f"/v1/suggestions/{suggestion['suggestion_id']}:draft", more)

    told = await house.admin.post(
        "/v1/pieces:upsert", {"pieces": [{"code": "D-1", "display_name": "Étoile band"}]}
    )
    names = ["Ana", "Rosa", "Maya", "Lena"]
    (*three, last), phones = zip(*[await due(house, add_client, name) for name in names], strict=True)
    for name, suggestion in zip(names, three, strict=False):
        draft = await drafted(suggestion, piece_ids=told["piece_ids"], variants=3)
        assert draft["source"] == "DRAFT_SOURCE_TEMPLATE"
        assert len(draft["variants"]) == 2
        assert "Étoile band" in draft["body"]
        assert "irthday" not in draft["body"]
        greeting = f"Hello {name}, this is Noor Haddad from Fifth Avenue."
        assert draft["body"].startswith(greeting)
        body = draft["body"].replace(greeting, f"Dear {name}, Noor Haddad of Fifth Avenue here!")
        await house.associate.post(
            f"/v1/suggestions/{suggestion['suggestion_id']}:send",
            {"body": body, "draft_id": draft["draft_id"]},
        )
    found = (await house.associate.get("/v1/snippets"))["snippets"]
    assert [(one["body"], one["is_learned"]) for one in found] == [
        ("Dear {given_name}, {associate_name} of {store_name} here!", True)
    ]
    draft = await drafted(last)
    assert draft["body"].startswith("Dear Lena, Noor Haddad of Fifth Avenue here! ")

    async def on_the_phone() -> Json:
        inbox = await house.associate.get("/v1/sandbox/messages", phone=phones[0])
        return next((one for one in inbox["messages"] if one["body"].startswith("Dear Ana,")), {})

    assert "Étoile band" in (await until(on_the_phone, "the first text is on the phone"))["body"]


async def test_snippets_are_the_own_ones_and_the_chain_s(house: House) -> None:
    mine = {
        "associate_id": house.seller_id,
        "place": "SNIPPET_PLACE_CLOSING",
        "language": "fr",
        "body": "À bientôt, {associate_name}",
    }
    kept = await house.associate.post("/v1/snippets", mine)
    with pytest.raises(Refused) as refused:
        await house.associate.post("/v1/snippets", {**mine, "body": "À bientôt, {first_name}"})
    assert refused.value.problem["violations"][0]["field"] == "body"
    with pytest.raises(Refused) as refused:
        await house.associate.post("/v1/snippets", {**mine, "associate_id": ""})
    assert (refused.value.status, refused.value.reason) == (403, "SCOPE_MISSING")
    chains_own = await house.admin.post("/v1/snippets", {**mine, "associate_id": ""})
    found = {one["snippet_id"] for one in (await house.associate.get("/v1/snippets"))["snippets"]}
    assert {kept["snippet_id"], chains_own["snippet_id"]} <= found
    for _ in range(2):
        await house.associate.delete(f"/v1/snippets/{kept['snippet_id']}")
    found = {one["snippet_id"] for one in (await house.associate.get("/v1/snippets"))["snippets"]}
    assert kept["snippet_id"] not in found
