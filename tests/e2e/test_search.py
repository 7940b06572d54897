"""Somebody at the counter types, and the client is there; the timeline keeps a surprise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from carnet_local.demo.house import House


async def typed(house: House, query: str, **more: object) -> list[str]:
    """Return the names of whom somebody at the counter finds."""
    page = await house.associate.get("/v1/clients:search", query=query, **more)
    return [hit["client"]["given_name"] for hit in page.get("hits", [])]


async def buys(house: House, client_id: str, day: date, **more: object) -> Any:
    """Record a sapphire pendant of a client."""
    return await house.associate.post(
        "/v1/purchases",
        {
            "client_id": client_id,
            "store_id": house.store_id,
            "purchase_date": {"year": day.year, "month": day.month, "day": day.day},
            "lines": [
                {
                    "piece": {"category": "pendant", "stone": "sapphire"},
                    "quantity": 1,
                    "amount": {"currency_code": "USD", "units": "4200"},
                }
            ],
            **more,
        },
    )


async def test_a_client_is_found_letter_by_letter_and_by_everything_that_is_remembered(
    house: House, add_client: Callable[..., Any]
) -> None:
    maria = await add_client(
        house,
        "María",
        family_name="Quispe",
        nickname="Mimi",
        tags=["collector"],
        contact_points=[
            {"kind": "CONTACT_KIND_PHONE", "value": "(202) 555-0143"},
            {"kind": "CONTACT_KIND_EMAIL", "value": "m.quispe@example.com"},
        ],
    )
    await add_client(house, "Robert", family_name="Lindqvist")
    await buys(house, maria["client_id"], date(2024, 5, 4))
    for length in range(1, len("maria quispe") + 1):
        assert "María" in await typed(house, "maria quispe"[:length])
    for query in (
        "Marja Quispe", "mimi", "555-0143", "202 555 01", "m.quispe@ex", "collector", "sapphire pendant 2024",
        "quispe sapph",
    ):  # fmt: skip
        assert await typed(house, query) == ["María"], query
    assert await typed(house, "bob lindqvist") == ["Robert"]
    assert await typed(house, "jonh smth") == []
    page = await house.associate.get("/v1/clients:search", query="maria sapphire")
    assert page["hits"][0]["matches"] == ["CLIENT_MATCH_NAME", "CLIENT_MATCH_PIECE"]
    assert page["hits"][0]["is_of_own_store"] is True


async def test_a_timeline_shows_a_surprise_to_the_house_and_not_to_the_person(
    house: House, add_client: Callable[..., Any]
) -> None:
    giver, wife = await add_client(house, "Giver"), await add_client(house, "Wife")
    await buys(
        house,
        giver["client_id"],
        date(2025, 12, 1),
        recipient_client_id=wife["client_id"],
        surprise_for_client_id=wife["client_id"],
    )

    async def lines(client: Any, **more: object) -> list[Any]:
        path = f"/v1/clients/{client['client_id']}/timeline"
        page = await house.associate.get(path, kinds=["TIMELINE_KIND_PURCHASE"], **more)
        return list(page.get("entries", []))

    assert await lines(wife) == []
    (hers,) = await lines(wife, include_surprises=True)
    (his,) = await lines(giver)
    assert hers["surprise_for_client_id"] == his["surprise_for_client_id"] == wife["client_id"]
    assert await typed(house, "giver sapphire") == ["Giver"]
