"""One chain never sees another: what every operation answers to a stranger, taken from the API's own description."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from carnet_local.api import Api, Refused
from carnet_local.demo.house import House

AddClient = Callable[..., Awaitable[dict[str, Any]]]

# What a list needs to be asked at all; the values are the other chain's.
NEEDED = {
    "/v1/clients:batch_get": ("client_ids",),
    "/v1/clients:search": ("query",),
    "/v1/messages:search": ("query",),
    "/v1/permission_evidence": ("phone",),
    "/v1/resources": ("store_id",),
    "/v1/sandbox/messages": ("phone",),
}
NO_CHAINS_DATA = {"/v1/me", "/v1/stream"}
# Outreach hears of associates by events: a queue that it knows nothing of is empty, whoever's it would be.
EMPTY_FOR_UNKNOWN = {"/v1/associates/{associate_id}/queue": "suggestions"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stranger(new_house: Callable[[], Awaitable[House]]) -> House:
    """Return another chain's house, which has nothing but what every house has."""
    return await new_house()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ours(house: House, add_client: AddClient) -> dict[str, str]:
    """Fill our house with one of everything, and return its ids by the name of the field."""
    phone = "+12025550143"
    contact = {"kind": "CONTACT_KIND_PHONE", "value": phone}
    client = await add_client(house, "Zoë", contact_points=[contact])
    ids: dict[str, str] = {
        "store_id": house.store_id,
        "associate_id": house.seller_id,
        "client_id": client["client_id"],
        "contact_point_id": client["contact_points"][0]["contact_point_id"],
        "phone": phone,
        "query": "Zoë",
        "chain_id": (await house.admin.get("/v1/me"))["chain_id"],
    }

    async def make(path: str, field: str, **body: object) -> dict[str, Any]:
        made = await house.admin.post(path, body)
        ids[field] = made[field]
        return made

    await make("/v1/brands", "brand_id", display_name="Isolde & Brack")
    occasion = {"kind": "OCCASION_KIND_BIRTHDAY", "date": {"year": 1990, "month": 5, "day": 4}}
    changed = await house.admin.post(f"/v1/clients/{ids['client_id']}/occasions", {"occasion": occasion})
    ids["occasion_id"] = changed["occasions"][0]["occasion_id"]
    line = {"piece": {"category": "ring"}, "quantity": 1, "amount": {"currency_code": "USD", "units": "900"}}
    await make(
        "/v1/purchases",
        "purchase_id",
        client_id=ids["client_id"],
        store_id=ids["store_id"],
        purchase_date={"year": 2026, "month": 1, "day": 5},
        lines=[line],
    )
    await make("/v1/visits", "visit_id", client_id=ids["client_id"], store_id=ids["store_id"])
    await make(
        f"/v1/clients/{ids['client_id']}/consents",
        "consent_id",
        contact_point_id=ids["contact_point_id"],
        channel="CHANNEL_SMS",
        purposes=["PURPOSE_SERVICE"],
        wording="Yes, you may text me.",
    )
    await make(
        "/v1/imports",
        "import_id",
        source="till",
        format="IMPORT_FORMAT_NDJSON",
        columns={"who": "client_external_id"},
        store_id=ids["store_id"],
    )
    ring = {"category": "ring"}
    await make(
        "/v1/repairs",
        "repair_id",
        client_id=ids["client_id"],
        store_id=ids["store_id"],
        kind="REPAIR_KIND_CARE",
        piece=ring,
    )
    of_client = f"/v1/clients/{ids['client_id']}"
    await make(f"{of_client}/wishes", "wish_id", piece=ring)
    await make(f"{of_client}/notes", "note_id", text="Likes the quiet corner.")
    await make(f"{of_client}/attachments", "attachment_id", file_name="ring.png", content_type="image/png")
    await make(f"{of_client}/exports", "export_id")
    await make("/v1/segments", "segment_id", display_name="All with a phone", filter={"has_phone": True})
    await make(
        "/v1/import_mappings",
        "import_mapping_id",
        display_name="Till",
        source="till",
        format="IMPORT_FORMAT_NDJSON",
        columns={"who": "client_external_id"},
    )
    await make(
        "/v1/connectors",
        "connector_id",
        display_name="Head office",
        source="business_central",
        tenant_id="maison.example",
        environment="production",
        client_id="app-1",
        client_secret="kept",
        store_id=ids["store_id"],
    )
    await make("/v1/references", "reference_id", brand_id=ids["brand_id"], code="R-1", display_name="One")
    await make(
        "/v1/interests",
        "interest_id",
        reference_id=ids["reference_id"],
        client_id=ids["client_id"],
        store_id=ids["store_id"],
        wording="No guarantee of anything.",
    )
    await make(
        "/v1/allocations",
        "allocation_id",
        reference_id=ids["reference_id"],
        store_id=ids["store_id"],
        serials=["S-1"],
    )
    offer = await make(f"/v1/allocations/{ids['allocation_id']}:offer", "offer_id")
    ids["piece_id"] = offer["piece_id"]
    await make(
        "/v1/resources",
        "resource_id",
        store_id=ids["store_id"],
        kind="RESOURCE_KIND_ROOM",
        display_name="Salon",
    )
    return ids


async def test_no_list_of_a_stranger_holds_anything_of_ours(
    stranger: House, ours: dict[str, str], anybody: Api
) -> None:
    asked = 0
    for path, operation in await reads(anybody):
        if "{" in path or path in NO_CHAINS_DATA:
            continue
        query = {name: ours[name.removesuffix("s")] for name in NEEDED.get(path, ())}
        try:
            answer = (await stranger.admin.download(path, **query)).decode()
        except Refused as refusal:
            assert refusal.status in (403, 404), f"{operation['operationId']}: {refusal}"
            continue
        asked += 1
        leaked = [name for name, value in ours.items() if value in answer]
        assert not leaked, f"{path} tells a stranger our {leaked}"
    assert asked >= 15


async def test_nothing_of_ours_is_found_by_a_stranger(
    stranger: House, ours: dict[str, str], anybody: Api
) -> None:
    answers: dict[str, int] = {}
    for path, _ in await reads(anybody):
        names = re.findall(r"{(\w+)}", path)
        if not names or not set(names) <= ours.keys():
            continue
        query = {"date": "2026-12-01"} if path.endswith("free_slots") else {}
        try:
            answer = await stranger.admin.get(path.format_map(ours), **query)
            is_empty = path in EMPTY_FOR_UNKNOWN and not answer[EMPTY_FOR_UNKNOWN[path]]
            answers[path] = 404 if is_empty else 200
        except Refused as refusal:
            answers[path] = refusal.status
    assert len(answers) >= 12
    assert {path: status for path, status in answers.items() if status != 404} == {}


WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/clients/{client_id}:assign", {"associate_id": "{associate_id}"}),
    ("DELETE", "/v1/clients/{client_id}", {}),
    ("POST", "/v1/visits", {"client_id": "{client_id}", "store_id": "{store_id}"}),
    ("POST", "/v1/clients", {"given_name": "Eva", "home_store_id": "{store_id}"}),
    (
        "POST",
        "/v1/messages",
        {
            "request_id": "r1",
            "client_id": "{client_id}",
            "store_id": "{store_id}",
            "body": "Hi",
            "purpose": "PURPOSE_SERVICE",
        },
    ),
    ("POST", "/v1/clients/{client_id}/notes", {"text": "Mine now"}),
    ("POST", "/v1/clients/{client_id}:erase", {"reason": "A stranger asks"}),
    ("POST", "/v1/clients/{client_id}/exports", {}),
    ("POST", "/v1/repairs/{repair_id}:move", {"stage": "REPAIR_STAGE_READY"}),
    ("DELETE", "/v1/wishes/{wish_id}", {}),
    ("DELETE", "/v1/attachments/{attachment_id}", {}),
    ("DELETE", "/v1/segments/{segment_id}", {}),
    ("DELETE", "/v1/connectors/{connector_id}", {}),
    ("POST", "/v1/offers/{offer_id}:accept", {}),
    ("POST", "/v1/pieces/{piece_id}:return", {}),
    ("POST", "/v1/interests/{interest_id}:withdraw", {}),
    ("POST", "/v1/allocations/{allocation_id}:offer", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=[path for _, path, _ in WRITES])
async def test_a_stranger_changes_nothing_of_ours(
    stranger: House, ours: dict[str, str], method: str, path: str, body: dict[str, Any]
) -> None:
    filled = {name: value.format_map(ours) if "{" in value else value for name, value in body.items()}
    with pytest.raises(Refused) as no:
        await stranger.admin.call(method, path.format_map(ours), body=filled or None)
    assert no.value.status == 404, str(no.value)


async def reads(anybody: Api) -> list[tuple[str, dict[str, Any]]]:
    """Return every GET of the API's own description."""
    described = await anybody.get("/openapi.json")
    return [
        (path, verbs["get"])
        for path, verbs in described["paths"].items()
        if "get" in verbs and "/v1/" in path
    ]
