"""What a person may ask of the house: everything that is kept, to be forgotten everywhere, and to stay forgotten."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from carnet_local.api import Json, Refused, money
from carnet_local.demo.house import House, until

PHONE, EXTERNAL_ID = "+12025550166", "T-2001"
SERVICES = {"profiles", "outreach", "messaging", "waitlist", "appointments"}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 30


async def import_clients(house: House, *lines: str) -> Json:
    """Import clients as the till knows them, and return what became of it."""
    announced = await house.admin.post(
        "/v1/imports",
        {
            "source": "till",
            "file_name": "clients.csv",
            "format": "IMPORT_FORMAT_DELIMITED",
            "delimiter": ",",
            "columns": {"id": "client_external_id", "name": "given_name", "phone": "phone"},
            "store_id": house.store_id,
        },
    )

    async def content() -> AsyncIterator[bytes]:
        yield "".join(f"{line}\n" for line in ("id,name,phone", *lines)).encode()

    done = await house.admin.upload(f"/v1/imports/{announced['import_id']}/content", content(), "text/csv")
    assert done["state"] == "IMPORT_STATE_COMPLETED"
    return done


async def client_of_the_till(house: House, given_name: str) -> Json | None:
    found = await house.admin.get("/v1/clients", query=given_name)
    return next((client for client in found["clients"] if client["given_name"] == given_name), None)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def person(house: House) -> dict[str, Any]:
    """A client whom a file brought, of whom every service comes to know something."""
    await import_clients(house, f"{EXTERNAL_ID},Zenobia,{PHONE}", "T-2002,Bo,+12025550167")
    client = await client_of_the_till(house, "Zenobia")
    assert client is not None
    client_id = client["client_id"]
    post = house.admin.post
    await post(
        "/v1/purchases",
        {
            "client_id": client_id,
            "store_id": house.store_id,
            "purchase_date": {"year": 2026, "month": 1, "day": 5},
            "lines": [{"piece": {"category": "ring", "serial": "S-77"}, "quantity": 1, "amount": money(900)}],
        },
    )
    await post(
        f"/v1/clients/{client_id}/notes", {"text": "whispers", "visibility": "NOTE_VISIBILITY_PRIVATE"}
    )
    photo = await post(
        f"/v1/clients/{client_id}/attachments", {"file_name": "ring.png", "content_type": "image/png"}
    )

    async def picture() -> AsyncIterator[bytes]:
        yield PICTURE

    await house.admin.upload(f"/v1/attachments/{photo['attachment_id']}/content", picture(), "image/png")
    await post(
        f"/v1/clients/{client_id}/consents",
        {
            "contact_point_id": client["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": ["PURPOSE_CONVERSATIONAL"],
            "wording": "Yes, you may text me.",
        },
    )
    brand = await post("/v1/brands", {"display_name": "Isolde & Brack"})
    reference = await post(
        "/v1/references", {"brand_id": brand["brand_id"], "code": "R-9", "display_name": "Nine"}
    )
    await post(
        "/v1/interests",
        {
            "reference_id": reference["reference_id"],
            "client_id": client_id,
            "store_id": house.store_id,
            "wording": "No guarantee of anything.",
        },
    )
    return client


async def test_an_export_is_a_zip_with_what_every_service_keeps(house: House, person: dict[str, Any]) -> None:
    client_id = person["client_id"]

    async def is_known_everywhere() -> bool:
        facts = await house.admin.get(f"/v1/clients/{client_id}/facts")
        return bool(facts.get("purchases"))

    await until(is_known_everywhere, "outreach knows of the purchase")
    ordered = await house.admin.post(f"/v1/clients/{client_id}/exports", {})

    async def ready() -> Json | None:
        export = await house.admin.get(f"/v1/exports/{ordered['export_id']}")
        return export if export["state"] == "EXPORT_STATE_READY" else None

    export = await until(ready, "the export is ready")
    assert export is not None
    assert {part["service"] for part in export["parts"] if part["is_done"]} == SERVICES
    answer = await house.admin.http.get(
        f"/v1/exports/{ordered['export_id']}/content",
        headers={"Authorization": f"Bearer {house.admin.token}"},
    )
    assert answer.headers["content-type"] == "application/zip"
    assert len(answer.content) == int(export["byte_count"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert json.loads(files["profiles/client.json"])[0]["given_name"] == "Zenobia"
    assert json.loads(files["profiles/notes.json"])[0]["body"] == "whispers"
    assert PICTURE in files.values()
    assert b"Everything that is kept of one client" in files["README.txt"]
    for service in ("outreach", "messaging", "waitlist"):
        assert [name for name in files if name.startswith(f"{service}/")], f"{service} gave nothing"


async def test_an_associate_may_neither_export_nor_erase(house: House, person: dict[str, Any]) -> None:
    for path, body in (("/exports", {}), (":erase", {"reason": "curious"}), (":preview_erasure", {})):
        with pytest.raises(Refused) as refused:
            await house.associate.post(f"/v1/clients/{person['client_id']}{path}", body)
        assert (refused.value.status, refused.value.reason) == (403, "SCOPE_MISSING")


async def test_an_erased_client_is_gone_everywhere_and_no_import_brings_her_back(
    house: House, person: dict[str, Any]
) -> None:
    client_id = person["client_id"]
    preview = await house.admin.post(f"/v1/clients/{client_id}:preview_erasure")
    assert int(preview["erased"]["notes"]) == 1
    erasure = await house.admin.post(f"/v1/clients/{client_id}:erase", {"reason": "letter of 3 March"})
    assert {kept["category"] for kept in erasure["receipts"][0]["retained"]} >= {"purchases", "consents"}
    with pytest.raises(Refused) as refused:
        await house.admin.get(f"/v1/clients/{client_id}")
    assert (refused.value.status, refused.value.reason) == (404, "CLIENT_NOT_FOUND")
    assert await client_of_the_till(house, "Zenobia") is None

    async def completed() -> Json | None:
        now = await house.admin.get(f"/v1/erasures/{erasure['erasure_id']}")
        return now if now["state"] == "ERASURE_STATE_COMPLETED" else None

    done = await until(completed, "every service gave its receipt")
    assert done is not None
    assert {receipt["service"] for receipt in done["receipts"] if receipt["is_received"]} == SERVICES
    for path in (f"/v1/clients/{client_id}/facts", f"/v1/clients/{client_id}/timeline"):
        with pytest.raises(Refused) as refused:
            await house.admin.get(path)
        assert refused.value.status == 404

    # The same file again, and another one that knows her by her number only.
    await import_clients(house, f"{EXTERNAL_ID},Zenobia,{PHONE}", "T-2003,Cleo,+12025550168")
    await import_clients(house, f"T-9999,Zenobia,{PHONE}")
    assert await client_of_the_till(house, "Zenobia") is None
    assert await client_of_the_till(house, "Cleo") is not None

    looked = await house.admin.get("/v1/audit_entries", client_id=client_id)
    assert {entry["action"] for entry in looked["audit_entries"]} >= {"EraseClient", "DownloadExport"}
