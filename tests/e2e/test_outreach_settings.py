"""A manager decides which signals speak, and the queue says why in parts that multiply and add up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import pytest

from carnet_local.api import Json, Refused, day
from carnet_local.demo.house import House
from chassis.testing import eventually

AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_manager_sets_a_signal_s_lead_and_the_queue_follows(
    house: House, add_client: AddClient
) -> None:
    birthday = date.today() + timedelta(days=30)
    occasion = {"kind": "OCCASION_KIND_BIRTHDAY", "date": day(birthday, without_year=True)}
    before = await house.admin.get("/v1/outreach_settings")
    assert (before["daily_goal"], before["tier_bands"]["top_action"]) == (10, "TIER_ACTION_PERSONAL")
    rule: Json = {"signal": "SIGNAL_OCCASION_AHEAD", "parameters": {"ahead_days": 500}}
    with pytest.raises(Refused) as refused:
        await house.admin.put("/v1/outreach_settings", {"settings": {"signals": [rule]}})
    assert refused.value.status == 400
    assert "settings.signals[0].parameters[ahead_days]" in str(refused.value.problem)

    rule["parameters"]["ahead_days"] = 40
    decided = await house.admin.put(
        "/v1/outreach_settings", {"settings": {**before, "signals": [rule]}, "etag": before["etag"]}
    )
    assert decided["signals"][0]["parameters"] == {"ahead_days": 40}
    with pytest.raises(Refused) as refused:
        await house.admin.put("/v1/outreach_settings", {"settings": before, "etag": before["etag"]})
    assert refused.value.status == 412
    listed = (await house.associate.get("/v1/signals"))["signals"]
    (ahead,) = [one for one in listed if one["signal"] == "SIGNAL_OCCASION_AHEAD"]
    assert (ahead["parameters"][0]["value"], ahead["parameters"][0]["built_in"]) == (40, 21)
    assert ahead["effect"] == ahead["stated_effect"]

    client = await add_client(house, "Ana", associate_id=house.seller_id, occasions=[occasion])

    async def reasons() -> list[Json]:
        queue = await house.associate.get(f"/v1/associates/{house.seller_id}/queue")
        return [
            {**reason, "score": one["score"]}
            for one in queue["suggestions"]
            for reason in one["reasons"]
            if one["client_id"] == client["client_id"]
        ]

    async def is_due() -> bool:
        return bool(await reasons())

    await eventually(is_due)
    (reason,) = await reasons()
    assert reason["sentence"].endswith("in 30 days.")
    product = reason["value"] * reason["effect"] * reason["urgency"] * reason["freshness"]
    assert reason["score"] == reason["contribution"] == round(product, 4)
    assert reason["source"] == "profiles"
