"""What the services say of a client comes together in one picture of her, and on the queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta

from carnet_local.api import Json, day, money
from carnet_local.demo.house import House
from chassis.testing import eventually

AddClient = Callable[..., Awaitable[Json]]


async def test_purchases_repairs_and_visits_become_facts_of_a_client(
    house: House, add_client: AddClient
) -> None:
    api = house.associate
    client = await add_client(house, "Ana", associate_id=house.seller_id)
    client_id, today = client["client_id"], date.today()
    for ago, amount, metal in ((90, 3000, "Gold"), (40, 1000, "platinum")):
        await api.post(
            "/v1/purchases",
            {
                "client_id": client_id,
                "store_id": house.store_id,
                "purchase_date": day(today - timedelta(days=ago)),
                "lines": [
                    {"piece": {"category": "ring", "metal": metal}, "quantity": 1, "amount": money(amount)}
                ],
            },
        )
    repair = await api.post(
        "/v1/repairs",
        {
            "client_id": client_id,
            "store_id": house.store_id,
            "kind": "REPAIR_KIND_CARE",
            "piece": {"category": "ring", "metal": "gold"},
            "promise_date": day(today),
        },
    )
    path = f"/v1/repairs/{repair['repair_id']}:move"
    for stage in ("IN_WORKSHOP", "READY"):
        await api.post(path, {"stage": f"REPAIR_STAGE_{stage}"})

    async def facts() -> Json:
        return await api.get(f"/v1/clients/{client_id}/facts")

    async def is_ready() -> bool:
        queue = await api.get(f"/v1/associates/{house.seller_id}/queue")
        signals = {
            reason["signal"]
            for one in queue["suggestions"]
            if one["client_id"] == client_id
            for reason in one["reasons"]
        }
        return "SIGNAL_REPAIR_READY" in signals

    await eventually(is_ready)

    async def is_counted() -> bool:
        return (await facts()).get("purchases") == 2

    await eventually(is_counted)
    found = await facts()
    assert "repair_ready" in found["marks"]
    shares = {(one["kind"], one["value"]): one["share"] for one in found["affinities"]}
    assert shares == {("category", "ring"): 1, ("metal", "gold"): 0.75, ("metal", "platinum"): 0.25}
    assert (found["price_band_low"]["units"], found["price_band_high"]["units"]) == ("1500", "2500")

    await api.post(path, {"stage": "REPAIR_STAGE_COLLECTED"})

    async def is_collected() -> bool:
        marks = (await facts())["marks"]
        return "repair_ready" not in marks and "serviced" in marks

    await eventually(is_collected)
