"""A text from the queue, the client's answer, and what she bought: both are credited to the text."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

from carnet_local.api import day, money
from carnet_local.demo.clients import she_answers, text_her, welcome_walk_in
from carnet_local.demo.house import STORE_ZONE, House
from carnet_local.demo.telling import Teller
from chassis.testing import eventually


async def test_a_text_is_credited_with_the_answer_and_the_purchase(house: House) -> None:
    teller = Teller(io.StringIO())
    await welcome_walk_in(teller, house)
    await text_her(teller, house)
    await she_answers(teller, house)
    await house.associate.post(
        "/v1/purchases",
        {
            "client_id": house.client["client_id"],
            "store_id": house.store_id,
            "purchase_date": day(datetime.now(ZoneInfo(STORE_ZONE)).date()),
            "lines": [
                {
                    "piece": {"category": "ring", "description": "oval sapphire"},
                    "quantity": 1,
                    "amount": money(5200),
                }
            ],
        },
    )

    async def credited() -> bool:
        touches = (await house.admin.get("/v1/touches", client_id=house.client["client_id"]))["touches"]
        kinds = [outcome["kind"] for touch in touches for outcome in touch.get("outcomes", ())]
        return {"OUTCOME_KIND_REPLY", "OUTCOME_KIND_PURCHASE"} <= set(kinds)

    await eventually(credited)
    row = (await house.admin.get("/v1/reports/outcomes", group_by="REPORT_GROUP_ASSOCIATE"))["rows"][0]
    assert row["key"] == house.seller_id
    assert row["purchases"] == 1
    assert (row["revenue"]["currency_code"], row["revenue"]["units"]) == ("USD", "5200")
    assert row["note"].startswith("Not enough data yet: ")


async def test_the_report_is_a_file_and_lift_says_that_there_is_not_enough(house: House) -> None:
    response = await house.admin.http.get(
        "/v1/reports/outcomes.csv",
        params={"group_by": "REPORT_GROUP_STORE"},
        headers={"Authorization": f"Bearer {house.admin.token}"},
    )
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/csv")
    (line,) = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline=""))
    assert (line["key"], line["revenue"], line["currency"]) == (house.store_id, "5200.00", "USD")
    lift = await house.admin.get("/v1/reports/lift")
    assert lift["note"].startswith("Not enough data yet: ")
    assert "lift" not in lift
    follow_up = (await house.admin.get("/v1/reports/follow_up"))["rows"][0]
    assert follow_up["done"] == "1"
