"""A surprise from the first look to the exchange, and cash that adds up: through the gateway, as people do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from carnet_local.api import Api, Json, Refused, day, money
from carnet_local.demo.house import House

AddClient = Callable[..., Awaitable[dict[str, Any]]]

# The store's day may be behind ours.
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()


async def buy(house: House, client: Json, amount: float, **more: Any) -> Json:
    return await house.associate.post(
        "/v1/purchases",
        {
            "client_id": client["client_id"],
            "store_id": house.store_id,
            "purchase_date": day(YESTERDAY),
            "lines": [{"piece": {"category": "ring"}, "quantity": 1, "amount": money(amount)}],
            **more,
        },
    )


async def pay_cash(house: House, client: Json, amount: float) -> Json:
    return await buy(house, client, amount, payments=[{"kind": "PAYMENT_KIND_CASH", "amount": money(amount)}])


async def lines_of(caller: Api, client: Json, **query: Any) -> list[str]:
    timeline = await caller.get(f"/v1/clients/{client['client_id']}/timeline", **query)
    return [entry["summary"] for entry in timeline["entries"]]


async def test_he_looks_buys_and_exchanges_and_she_learns_of_nothing(
    house: House, add_client: AddClient
) -> None:
    leo, ana = await add_client(house, "Leo"), await add_client(house, "Ana")
    secret = {
        "recipient_client_id": ana["client_id"],
        "surprise_for_client_id": ana["client_id"],
        "surprise_end_date": day(date.today() + timedelta(days=30)),
    }
    ring = {"category": "ring", "metal": "platinum", "carat": "1.25", "certificate": "GIA 2141438171"}
    captured = await house.associate.post(
        "/v1/visits:capture",
        {
            "store_id": house.store_id,
            "client_id": leo["client_id"],
            "items": [{"piece": ring, "is_liked": True, "is_tried_on": True}],
            "occasion_kind": "OCCASION_KIND_ANNIVERSARY",
            "minimum_budget": money(8000),
            "maximum_budget": money(12000),
            "companion": "his sister",
            **secret,
        },
    )
    seen = captured["visit"]
    assert await house.associate.get(f"/v1/visits/{seen['visit_id']}") == seen
    assert (seen["companion"], seen["maximum_budget"]["units"]) == ("his sister", "12000")
    assert seen["items"][0]["piece"]["carat"] == "1.25"

    bought = await buy(
        house,
        leo,
        9000,
        lines=[{"piece": ring, "quantity": 1, "amount": money(9000)}],
        payments=[
            {
                "kind": "PAYMENT_KIND_CARD",
                "amount": money(1000),
                "payment_date": day(YESTERDAY - timedelta(days=60)),
            },
            {"kind": "PAYMENT_KIND_BANK_TRANSFER", "amount": money(8000)},
        ],
        occasion_kind="OCCASION_KIND_ANNIVERSARY",
        **secret,
    )
    instead = await buy(house, leo, 9500, **secret)
    returned = await house.associate.post(
        f"/v1/purchases/{bought['purchase_id']}/returns",
        {
            "store_id": house.store_id,
            "return_date": day(YESTERDAY),
            "lines": [{"purchase_line": 0, "quantity": 1, "amount": money(9000)}],
            "exchange_purchase_id": instead["purchase_id"],
        },
    )
    listed = await house.associate.get(f"/v1/purchases/{bought['purchase_id']}/returns")
    assert listed["returns"] == [returned]
    with pytest.raises(Refused) as again:
        await house.associate.post(
            f"/v1/purchases/{bought['purchase_id']}/returns",
            {
                "store_id": house.store_id,
                "return_date": day(YESTERDAY),
                "lines": [{"purchase_line": 0, "quantity": 1, "amount": money(1)}],
            },
        )
    assert again.value.reason == "RETURN_EXCEEDS_PURCHASE"

    purchases = await house.associate.get("/v1/purchases", client_id=leo["client_id"])
    assert [one["purchase_id"] for one in purchases["purchases"]] == [
        instead["purchase_id"],
        bought["purchase_id"],
    ]
    assert purchases["purchases"][1]["returned"]["units"] == "9000"
    visits = await house.associate.get("/v1/visits", client_id=leo["client_id"], page_size=1)
    assert visits["visits"] == [seen]

    assert {"Exchanged 1 piece for USD 9000.00", "Bought 1 piece for USD 9000.00"} <= {
        *await lines_of(house.associate, leo)
    }
    present = "Was given a present"
    assert present not in await lines_of(house.associate, ana)
    assert (await lines_of(house.associate, ana, include_surprises=True)).count(present) == 2


async def test_a_purchase_that_cannot_be_is_refused_with_the_field_and_the_reason(
    house: House, add_client: AddClient
) -> None:
    client = await add_client(house)
    card = {"kind": "PAYMENT_KIND_CARD"}
    for more, reason, field in (
        (
            {"purchase_date": day(YESTERDAY + timedelta(days=4))},
            "PURCHASE_IN_FUTURE",
            "purchase_date",
        ),
        ({"purchase_date": {"year": 2026, "month": 2, "day": 29}}, "FIELD_INVALID", "purchase_date"),
        ({"payments": [{**card, "amount": money(101)}]}, "PAYMENTS_EXCEED_TOTAL", "payments"),
        (
            {"payments": [{**card, "amount": money(1, "EUR")}]},
            "CURRENCY_MISMATCH",
            "payments[0].amount.currency_code",
        ),
    ):
        with pytest.raises(Refused) as refused:
            await buy(house, client, 100, **more)
        assert refused.value.reason == reason
        assert field in str(refused.value.problem)


async def test_cash_of_a_couple_adds_up_to_one_task_that_the_manager_sees_to(
    house: House, add_client: AddClient
) -> None:
    leo, ana = await add_client(house, "Leo"), await add_client(house, "Ana")
    await house.associate.post(
        f"/v1/clients/{leo['client_id']}/relationships",
        {"relationship": {"kind": "RELATIONSHIP_KIND_SPOUSE", "related_client_id": ana["client_id"]}},
    )
    await pay_cash(house, leo, 6000)
    await pay_cash(house, ana, 4000)
    query = {"client_id": ana["client_id"]}
    assert not (await house.admin.get("/v1/cash_alerts", **query))["cash_alerts"]
    await pay_cash(house, ana, 0.01)
    (alert,) = (await house.admin.get("/v1/cash_alerts", **query))["cash_alerts"]
    assert alert["linked_client_ids"] == [leo["client_id"]]
    assert (alert["state"], alert["country"]) == ("CASH_ALERT_STATE_OPEN", "US")
    assert (alert["limit"]["units"], alert["total"]) == ("10000", money(10000.01))
    assert len(alert["payments"]) == 3

    with pytest.raises(Refused) as refused:
        await house.associate.get("/v1/cash_alerts")
    assert refused.value.status == 403
    path = f"/v1/cash_alerts/{alert['cash_alert_id']}:close"
    closed = await house.admin.post(path, {"note": "Form 8300 filed on paper."})
    assert closed["state"] == "CASH_ALERT_STATE_CLOSED"
    with pytest.raises(Refused) as twice:
        await house.admin.post(path, {"note": "Again."})
    assert twice.value.reason == "CASH_ALERT_CLOSED"


async def test_another_chain_finds_none_of_it(
    house: House, new_house: Callable[[], Awaitable[House]], add_client: AddClient
) -> None:
    bought = await pay_cash(house, await add_client(house), 11_000)
    stranger = await new_house()
    for path in (
        f"/v1/purchases/{bought['purchase_id']}",
        f"/v1/purchases/{bought['purchase_id']}/returns",
    ):
        with pytest.raises(Refused) as hidden:
            await stranger.admin.get(path)
        assert hidden.value.status == 404
    assert not (await stranger.admin.get("/v1/cash_alerts"))["cash_alerts"]
    assert not (await stranger.admin.get("/v1/purchases"))["purchases"]
