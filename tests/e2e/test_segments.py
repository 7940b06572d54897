"""Segments: a manager saves whom she means, counts them and pages through them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from carnet_local.api import Refused
from carnet_local.demo.house import House

AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_manager_saves_counts_and_pages_a_segment(house: House, add_client: AddClient) -> None:
    buyers = [await add_client(house, name) for name in ("Ana", "Bo", "Cy")]
    await add_client(house, "Dee")
    for client in buyers:
        await house.associate.post(
            "/v1/purchases",
            {
                "client_id": client["client_id"],
                "store_id": house.store_id,
                "purchase_date": {"year": 2026, "month": 3, "day": 2},
                "lines": [
                    {
                        "piece": {"category": "pendant", "stone": "Sapphire"},
                        "quantity": 1,
                        "amount": {"currency_code": "USD", "units": 900},
                    }
                ],
            },
        )
    wanted = {"stones": ["sapphire"], "minimum_spent_minor": "50000"}
    preview = await house.admin.post("/v1/segments:preview", {"filter": wanted, "page_size": 2})
    assert (preview["count"]["client_count"], len(preview["clients"])) == ("3", 2)
    segment = await house.admin.post("/v1/segments", {"display_name": "Sapphires", "filter": wanted})
    path = f"/v1/segments/{segment['segment_id']}"
    assert (await house.associate.get(f"{path}:count"))["client_count"] == "3"
    names: list[str] = []
    token = ""
    while True:
        page = await house.associate.get(f"{path}/clients", page_size=2, page_token=token)
        names += [client["given_name"] for client in page["clients"]]
        if not (token := page["next_page_token"]):
            break
    assert names == ["Cy", "Bo", "Ana"]
    with pytest.raises(Refused) as empty:
        await house.admin.post("/v1/segments", {"display_name": "All", "filter": {}})
    assert empty.value.reason == "SEGMENT_EMPTY"
    with pytest.raises(Refused) as associate:
        await house.associate.post("/v1/segments", {"display_name": "Mine", "filter": wanted})
    assert associate.value.status == 403
