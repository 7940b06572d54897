"""A house brings its clients in: looks at the file, imports it with its faults, mends it; nothing is doubled."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from carnet_local.api import Json, Refused
from carnet_local.demo.house import House

CLIENTS = (
    "Kundennr;Vorname;Nachname;Telefon;E-Mail;Geburtstag;Gruppen\r\n"
    "1001;José;Müller;(212) 555-0141;jose@mail.example;03/04/1985;VIP\r\n"
    "1002;Zoë;Strauß;;zoe@mail.example;29/02/1988;\r\n"
    "1003;Ann;O'Brien;12;ann@mail.example;30/02/1990;\r\n"  # no number, no day
    "1004;Bob;Cole;;bob@mail.example;31/12/1970;opals\r\n"
).encode("cp1252")
PURCHASES = (
    "receipt,customer,day,paid,piece,stone\n"
    "r1,1001,2024-05-04,4200.00,pendant,sapphire\n"
    'r2,1002,45355,"1,250.00",ring,diamond\n'
    "r3,1004,2024-13-01,10,ring,\n"
)


async def content(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 50):
        yield data[start : start + 50]


async def announce(house: House, **fields: object) -> str:
    announced = await house.admin.post(
        "/v1/imports",
        {"source": "till", "store_id": house.store_id, "format": "IMPORT_FORMAT_DELIMITED", **fields},
    )
    return str(announced["import_id"])


async def bring(house: House, data: bytes, **fields: object) -> Json:
    import_id = await announce(house, **fields)
    return await house.admin.upload(f"/v1/imports/{import_id}/content", content(data), "text/csv")


async def report(house: House, import_id: str) -> list[Sequence[str]]:
    response = await house.admin.http.get(
        f"/v1/imports/{import_id}/report", headers={"Authorization": f"Bearer {house.admin.token}"}
    )
    assert response.headers["content-type"].startswith("text/csv")
    assert response.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))[1:]


async def found(house: House, query: str) -> list[Json]:
    page = await house.associate.get("/v1/clients:search", query=query)
    return [hit["client"] for hit in page.get("hits", [])]


async def test_a_file_with_faults_is_looked_at_brought_in_and_mended(house: House) -> None:
    looked = await house.admin.post(
        "/v1/imports:inspect",
        {"sample": base64.b64encode(CLIENTS).decode(), "file_name": "kunden.csv", "store_id": house.store_id},
    )
    assert (looked["encoding"], looked["delimiter"], looked["date_order"]) == (
        "windows-1252", ";", "DATE_ORDER_DAY_FIRST",
    )  # fmt: skip
    columns = {one["column"]: one["field"] for one in looked["columns"]}
    assert columns["Geburtstag"] == "birthday"
    columns["Gruppen"] = "tags"
    mapping = await house.admin.post(
        "/v1/import_mappings",
        {
            "display_name": "Till", "source": "till", "format": looked["format"], "columns": columns,
            "delimiter": looked["delimiter"], "date_order": looked["date_order"], "encoding": looked["encoding"],
        },
    )  # fmt: skip
    done = await bring(house, CLIENTS, import_mapping_id=mapping["import_mapping_id"])
    assert (done["state"], done["clients_created"], done["lines_refused"]) == (
        "IMPORT_STATE_COMPLETED",
        "3",
        "1",
    )
    assert [(row[0], row[1], row[2], row[4]) for row in await report(house, done["import_id"])] == [
        ("2", "phone", "PHONE_COUNTRY_ASSUMED", "warning"),
        ("4", "birthday", "DATE_INVALID", "refused"),
        ("4", "phone", "PHONE_INVALID", "refused"),
    ]
    mended = CLIENTS.replace(b"12;ann", b"(212) 555-0143;ann").replace(b"30/02/1990", b"28/02/1990")
    again = await bring(house, mended, import_mapping_id=mapping["import_mapping_id"])
    assert (again["clients_created"], again.get("clients_updated", "0")) == ("1", "0")
    (jose,) = await found(house, "jose muller")
    assert (jose["given_name"], jose["family_name"], jose["tags"]) == ("José", "Müller", ["VIP"])
    assert jose["occasions"][0]["date"] == {"year": 1985, "month": 4, "day": 3}


async def test_purchases_follow_are_found_and_reach_outreach(house: House) -> None:
    columns = {
        "receipt": "purchase_external_id", "customer": "client_external_id", "day": "purchase_date",
        "paid": "amount", "piece": "category", "stone": "stone",
    }  # fmt: skip
    done = await bring(house, PURCHASES.encode(), columns=columns)
    assert (done["purchases_created"], done["lines_refused"], done.get("clients_created", "0")) == (
        "2",
        "1",
        "0",
    )
    (jose,) = await found(house, "sapphire pendant 2024")
    assert jose["external_id"] == "1001"
    page = await house.associate.get(f"/v1/clients/{jose['client_id']}/timeline")
    assert page["entries"][-1]["summary"] == "Bought 1 piece for USD 4200.00"

    async def facts() -> Json:
        try:
            return await house.admin.get(f"/v1/clients/{jose['client_id']}/facts")
        except Refused:
            return {}

    async with asyncio.timeout(60):
        while (await facts()).get("purchases") != 1:
            await asyncio.sleep(0.1)
    assert (await facts())["client_id"] == jose["client_id"]


async def test_what_an_associate_corrected_stays_and_the_till_is_heard_as_a_conflict(house: House) -> None:
    (jose,) = await found(house, "jose muller")
    await house.associate.call(
        "PATCH",
        f"/v1/clients/{jose['client_id']}",
        body={"client": {"given_name": "Joseph"}, "update_mask": "given_name"},
    )
    columns = {"id": "client_external_id", "first": "given_name"}
    done = await bring(house, "id,first\n1001,José\n".encode(), columns=columns)
    assert (done.get("clients_updated", "0"), done["conflicts"]) == ("0", "1")
    page = await house.associate.get("/v1/field_conflicts", client_id=jose["client_id"])
    (conflict,) = page["field_conflicts"]
    assert (conflict["field"], conflict["current_value"], conflict["offered_value"]) == (
        "given_name", "Joseph", "José",
    )  # fmt: skip
    settled = await house.associate.post(
        f"/v1/field_conflicts/{conflict['field_conflict_id']}:settle", {"is_taken": True}
    )
    assert settled["state"] == "FIELD_CONFLICT_STATE_TAKEN"
    assert (await house.associate.get(f"/v1/clients/{jose['client_id']}"))["given_name"] == "José"


async def test_a_cut_upload_goes_on_at_the_byte_that_the_import_names(house: House) -> None:
    # The gateway hands a file on in pieces of 256 KiB; a batch is a thousand lines.
    lines = "".join(f"N{number:05},Nora,{'x' * 400}\n" for number in range(3000))
    data = f"id,first,of no use\n{lines}".encode()
    import_id = await announce(house, columns={"id": "client_external_id", "first": "given_name"})
    cut = asyncio.Event()

    async def first_part() -> AsyncIterator[bytes]:
        yield data[: len(data) - 20_000]
        await cut.wait()
        raise httpx.ReadError("the line broke")

    async def has_begun() -> int:
        return int((await house.admin.get(f"/v1/imports/{import_id}")).get("resume_offset", 0))

    sending = asyncio.ensure_future(
        house.admin.upload(f"/v1/imports/{import_id}/content", first_part(), "text/csv")
    )
    async with asyncio.timeout(60):
        while not await has_begun():
            await asyncio.sleep(0.05)
    cut.set()
    with pytest.raises(httpx.HTTPError):
        await sending

    async def rest() -> Json:
        """Go on; the upload that was cut may need a moment to let go."""
        while True:
            offset = await has_begun()
            try:
                return await house.admin.upload(
                    f"/v1/imports/{import_id}/content?offset={offset}", content(data[offset:]), "text/csv"
                )
            except Refused as refused:
                if refused.reason not in ("IMPORT_BUSY", "IMPORT_OFFSET_WRONG"):
                    raise
            await asyncio.sleep(0.2)

    watched: list[Any] = []

    async def watch() -> None:
        async for state in house.admin.follow(f"/v1/imports/{import_id}:watch"):
            watched.append(state)

    watching = asyncio.ensure_future(watch())
    async with asyncio.timeout(60):
        done = await rest()
        await watching
    assert (done["state"], done["lines_read"], done["clients_created"]) == (
        "IMPORT_STATE_COMPLETED",
        "3000",
        "3000",
    )
    assert done["bytes_received"] == str(len(data))
    assert watched[-1]["state"] == "IMPORT_STATE_COMPLETED"
