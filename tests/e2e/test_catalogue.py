"""From a wish to the piece that has come in: the ERP tells its stock, the queue says whom to call, and what to show."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from carnet_local.api import Json, Refused, day, money
from carnet_local.demo.house import House, until

AddClient = Callable[..., Awaitable[dict[str, Any]]]
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()  # the store's day may be behind ours


def piece(code: str, **more: Any) -> Json:
    return {"code": code, "display_name": f"Étoile {more['category'].lower()}", "price": money(2400), **more}


async def put(house: House, *pieces: Json) -> Json:
    return await house.admin.post("/v1/pieces:upsert", {"pieces": list(pieces)})


async def test_a_wished_piece_comes_in_and_is_shown_with_what_completes_the_set(
    house: House, add_client: AddClient
) -> None:
    ana = await add_client(house, associate_id=house.seller_id)
    brand = await house.admin.post("/v1/brands", {"display_name": "Maison Lune"})
    lune = {"brand_id": brand["brand_id"], "metal": "Yellow gold", "set_code": "ETOILE"}
    here = [{"store_id": house.store_id, "quantity": 1}]
    necklace = piece("N-1", reference="ET-100", category="Necklace", **lune)
    earrings = piece("E-1", reference="ET-200", category="Earrings", stock=here, **lune)
    ring = piece("R-1", reference="ET-300", category="Ring", **lune)
    told = await until(lambda: put_or_none(house, necklace, earrings, ring), "outreach knows the store")
    assert (told["created"], told["unchanged"]) == (3, 0)
    assert (await put(house, necklace, earrings, ring))["unchanged"] == 3

    await house.associate.post(
        "/v1/purchases",
        {
            "client_id": ana["client_id"],
            "store_id": house.store_id,
            "purchase_date": day(YESTERDAY),
            "lines": [
                {
                    "piece": {"brand_id": brand["brand_id"], "reference": "ET-100", "category": "necklace"},
                    "quantity": 1,
                    "amount": money(2300),
                }
            ],
        },
    )
    await house.associate.post(
        f"/v1/clients/{ana['client_id']}/wishes",
        {"piece": {"brand_id": brand["brand_id"], "reference": "et-300", "category": "ring"}},
    )

    async def recommended() -> dict[str, dict[str, str]]:
        answer = await house.associate.get(f"/v1/clients/{ana['client_id']}/recommendations")
        return {
            one["piece"]["code"]: {reason["kind"]: reason["sentence"] for reason in one["reasons"]}
            for one in answer["recommendations"]
        }

    async def completing() -> str | None:
        return (await recommended()).get("E-1", {}).get("set")

    said = await until(completing, "the purchase has arrived")
    assert said.startswith("Completes the set with “Étoile necklace”")
    assert set(await recommended()) == {"E-1"}

    begun = time.monotonic()
    await put(house, {**ring, "stock": here})

    async def called_for() -> Json | None:
        queue = await house.admin.get(f"/v1/associates/{house.seller_id}/queue")
        of_ana = [one for one in queue["suggestions"] if one["client_id"] == ana["client_id"]]
        signals = [reason["signal"] for one in of_ana for reason in one["reasons"]]
        return of_ana[0] if "SIGNAL_WISH_ARRIVED" in signals else None

    await until(called_for, "the queue says that the wished piece is here")
    print(f"on the queue after {time.monotonic() - begun:.1f} s")
    shown = await recommended()
    assert list(shown) == ["R-1", "E-1"]
    assert shown["R-1"]["wish"] == "On the wishlist: this very reference."

    found = await house.associate.get("/v1/pieces", query="etoile ring", store_id=house.store_id)
    assert [one["code"] for one in found["pieces"]] == ["R-1"]
    await house.admin.delete(f"/v1/pieces/{found['pieces'][0]['piece_id']}")

    async def silent() -> bool:
        return await called_for() is None

    await until(silent, "a piece that is gone calls nobody")


async def put_or_none(house: House, *pieces: Json) -> Json | None:
    """Return None while the event of the store is on its way."""
    try:
        return await put(house, *pieces)
    except Refused as refused:
        assert refused.reason == "STORE_NOT_FOUND"
        return None
