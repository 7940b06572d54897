"""Repairs with photos, wishes, notes and attachments, as a shop's own app uses them: all through the gateway."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from carnet_local.api import Api, Json, Refused, day
from carnet_local.demo.house import House

AddClient = Callable[..., Awaitable[Json]]

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 4000  # a megabyte


async def photo_of(api: Api, client_id: str, content: bytes, subject_id: str = "") -> Json:
    announced = await api.post(
        f"/v1/clients/{client_id}/attachments",
        {"subject_id": subject_id, "file_name": "ring.jpg", "content_type": "image/jpeg"},
    )

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    path = f"/v1/attachments/{announced['attachment_id']}/content"
    return await api.upload(path, chunks(), "image/jpeg")


async def timeline(api: Api, client_id: str, **query: object) -> list[str]:
    page = await api.get(f"/v1/clients/{client_id}/timeline", **query)
    return [entry["summary"] for entry in page["entries"]]


async def a_colleague(house: House, anybody: Api) -> Api:
    """Return another associate of the house, signed in."""
    email, password = f"luis.{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16)
    await house.admin.post(
        "/v1/users",
        {
            "email": email,
            "password": password,
            "display_name": "Luis Ortega",
            "role": "ROLE_ASSOCIATE",
            "associate_id": list(house.associates)[1],
            "store_ids": [house.store_id],
        },
    )
    return await anybody.sign_in(email, password)


async def test_a_ring_is_taken_in_with_a_photo_repaired_and_fetched(
    house: House, add_client: AddClient
) -> None:
    api, client = house.associate, await add_client(house)
    client_id = client["client_id"]
    yesterday = (datetime.now(UTC) - timedelta(days=2)).date()
    body = {
        "client_id": client_id,
        "store_id": house.store_id,
        "kind": "REPAIR_KIND_SIZING",
        "piece": {"category": "ring", "metal": "platinum", "carat": "1.25"},
        "intake": {"weight_grams": "4.2", "visible_flaws": "Scratch on the shank."},
        "promise_date": day(yesterday),
    }
    repair = await api.post("/v1/repairs", body, key="counter-1")
    assert (await api.post("/v1/repairs", body, key="counter-1")) == repair
    photo = await photo_of(api, client_id, JPEG, repair["repair_id"])
    assert photo["byte_count"] == str(len(JPEG))
    listed = await api.get(f"/v1/clients/{client_id}/attachments", subject_id=repair["repair_id"])
    assert listed["attachments"] == [photo]

    overdue = await api.get("/v1/repairs", is_overdue=True, store_id=house.store_id)
    assert repair["repair_id"] in [one["repair_id"] for one in overdue["repairs"]]
    for stage in ("IN_WORKSHOP", "READY"):
        moved = await api.post(f"/v1/repairs/{repair['repair_id']}:move", {"stage": f"REPAIR_STAGE_{stage}"})
    assert moved["stage"] == "REPAIR_STAGE_READY"
    with pytest.raises(Refused) as refused:
        await api.post(f"/v1/repairs/{repair['repair_id']}:move", {"stage": "REPAIR_STAGE_QUOTED"})
    assert (refused.value.status, refused.value.reason) == (409, "REPAIR_STAGE_NOT_NEXT")
    assert (await timeline(api, client_id))[:3] == [
        "Sizing: ready",
        "Sizing: in the workshop",
        "Brought a piece in for sizing",
    ]

    path = f"/v1/attachments/{photo['attachment_id']}/content"
    headers = {"Authorization": f"Bearer {api.token}"}
    downloaded = await api.http.get(path, headers=headers)
    assert downloaded.content == JPEG
    assert downloaded.headers["content-type"] == "image/jpeg"
    assert downloaded.headers["content-disposition"] == f'attachment; filename="{photo["attachment_id"]}.jpg"'
    await api.delete(f"/v1/attachments/{photo['attachment_id']}")
    assert (await api.http.get(path, headers=headers)).status_code == 404


async def test_a_wish_that_somebody_grants_stays_a_surprise(house: House, add_client: AddClient) -> None:
    api = house.associate
    wife, husband = await add_client(house), await add_client(house, "Ben")
    wife_id = wife["client_id"]
    wish = await api.post(
        f"/v1/clients/{wife_id}/wishes", {"piece": {"category": "pendant", "stone": "sapphire"}}
    )
    granted = await api.post(
        f"/v1/wishes/{wish['wish_id']}:set_state",
        {
            "state": "WISH_STATE_BOUGHT_BY_SOMEBODY",
            "bought_by_client_id": husband["client_id"],
            "is_surprise": True,
        },
    )
    (shown,) = (await api.get(f"/v1/clients/{wife_id}/wishes"))["wishes"]
    assert (shown["state"], shown["bought_by_client_id"]) == ("WISH_STATE_WANTED", "")
    (known,) = (await api.get(f"/v1/clients/{wife_id}/wishes", include_surprises=True))["wishes"]
    assert known == granted
    told = await timeline(api, wife_id, kinds=["TIMELINE_KIND_WISH"])
    assert told == ["Wished for a pendant"]
    all_told = await timeline(api, wife_id, kinds=["TIMELINE_KIND_WISH"], include_surprises=True)
    assert sorted(all_told) == ["Somebody bought what was wished for", "Wished for a pendant"]


async def test_a_private_note_is_for_nobody_else_and_a_shared_one_for_all(
    house: House, anybody: Api, add_client: AddClient
) -> None:
    author, colleague = house.associate, await a_colleague(house, anybody)
    client_id = (await add_client(house))["client_id"]
    path = f"/v1/clients/{client_id}/notes"
    private = await author.post(path, {"text": "For me.", "visibility": "NOTE_VISIBILITY_PRIVATE"})
    shared = await author.post(path, {"text": "For all."})
    assert [note["text"] for note in (await author.get(path))["notes"]] == ["For all.", "For me."]
    for other in (colleague, house.admin):
        assert [note["text"] for note in (await other.get(path))["notes"]] == ["For all."]
        with pytest.raises(Refused) as unseen:
            await other.delete(f"/v1/notes/{private['note_id']}")
        assert (unseen.value.status, unseen.value.reason) == (404, "NOTE_NOT_FOUND")
        with pytest.raises(Refused) as not_theirs:
            await other.delete(f"/v1/notes/{shared['note_id']}")
        assert (not_theirs.value.status, not_theirs.value.reason) == (403, "NOTE_OF_SOMEBODY_ELSE")
    told = await timeline(colleague, client_id, kinds=["TIMELINE_KIND_NOTE"])
    assert told == ["Wrote a note"]


async def test_a_file_that_is_not_taken_says_why_however_much_of_it_was_sent(
    house: House, add_client: AddClient
) -> None:
    api, client_id = house.associate, (await add_client(house))["client_id"]
    with pytest.raises(Refused) as program:
        await photo_of(api, client_id, b"MZ\x90\x00" + bytes(8_000_000))
    assert (program.value.status, program.value.reason) == (400, "ATTACHMENT_TYPE_MISMATCH")
    with pytest.raises(Refused) as film:
        await photo_of(api, client_id, JPEG + bytes(60 * 1024 * 1024))
    assert (film.value.status, film.value.reason) == (400, "ATTACHMENT_TOO_LARGE")
    assert film.value.problem["metadata"] == {"most_bytes": str(15 * 1024 * 1024)}
    with pytest.raises(Refused) as drawing:
        await api.post(
            f"/v1/clients/{client_id}/attachments",
            {"file_name": "ring.svg", "content_type": "image/svg+xml"},
        )
    assert (drawing.value.status, drawing.value.reason) == (400, "ATTACHMENT_TYPE_REFUSED")
    assert (await api.get(f"/v1/clients/{client_id}/attachments"))["attachments"] == []
