"""An associate works the day's queue on the phone, and the manager sees how far everybody is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import pytest

from carnet_local.api import Api, Json, Refused, day
from carnet_local.demo.house import House
from chassis.testing import eventually

AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def test_an_associate_works_the_queue(house: House, add_client: AddClient) -> None:
    me, colleague = house.seller_id, house.book_owners[0]
    birthday = date.today() + timedelta(days=10)
    names = ("Ana", "Rosa", "Inés", "Maya")
    clients = [
        (
            await add_client(
                house, name, associate_id=me,
                occasions=[{"kind": "OCCASION_KIND_BIRTHDAY", "date": day(birthday, without_year=True)}],
            )
        )["client_id"]
        for name in names
    ]  # fmt: skip

    async def view(name: str, *, api: Api = house.associate, of: str = me, **query: str) -> list[Json]:
        found = await api.get(f"/v1/associates/{of}/queue", view=f"QUEUE_VIEW_{name}", **query)
        return list(found["suggestions"])

    async def whose(name: str, **query: Any) -> set[str]:
        return {one["client_id"] for one in await view(name, **query)}

    async def everybody_is_due() -> bool:
        return await whose("TODAY", signal="SIGNAL_OCCASION_AHEAD") == set(clients)

    await eventually(everybody_is_due)
    due = {one["client_id"]: f"/v1/suggestions/{one['suggestion_id']}" for one in await view("TODAY")}
    called, later, no, handed = (due[client_id] for client_id in clients)

    note = {"kind": "CONTACT_KIND_CALL", "note": "Comes in on Saturday."}
    for _ in range(2):
        logged = await house.associate.post(f"{called}:log_contact", note)
        assert (logged["state"], logged["contact_note"]) == (
            "SUGGESTION_STATE_LOGGED",
            "Comes in on Saturday.",
        )
    await house.associate.post(f"{later}:snooze", {"until_date": day(date.today() + timedelta(days=3))})
    await house.associate.post(f"{no}:dismiss", {"reason": "Moved abroad."})
    with pytest.raises(Refused) as refused:
        await house.associate.post(f"{handed}:reassign", {"associate_id": colleague})
    assert refused.value.status == 403
    await house.admin.post(f"{handed}:reassign", {"associate_id": colleague})

    assert await view("TODAY") == []
    assert await whose("UPCOMING") == {clients[1]}
    assert await whose("DONE") == {clients[0], clients[2]}
    assert await whose("TODAY", api=house.admin, of=colleague) == {clients[3]}
    summaries = (await house.admin.get("/v1/queue_summaries", store_id=house.store_id))["queue_summaries"]
    mine, theirs = ({one["associate_id"]: one for one in summaries}[who] for who in (me, colleague))
    assert [mine.get(name, 0) for name in ("open", "upcoming", "done_today", "dismissed_today")] == [
        0,
        1,
        1,
        1,
    ]
    assert (theirs["open"], mine["daily_goal"] > 0) == (1, True)
    facts = await house.associate.get(f"/v1/clients/{clients[0]}/facts")
    assert facts["last_contact_date"]

    for one in (called, later, no):  # all of it can be taken back
        assert (await house.associate.post(f"{one}:reopen"))["state"] == "SUGGESTION_STATE_OPEN"
    assert await whose("TODAY") == set(clients[:3])
    with pytest.raises(Refused) as refused:
        await house.associate.get(
            f"/v1/associates/{me}/queue", view="QUEUE_VIEW_DONE", state="SUGGESTION_STATE_SENT"
        )
    assert refused.value.status == 400
