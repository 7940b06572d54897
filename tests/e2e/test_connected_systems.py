"""Other systems: Business Central is read by itself, and a point of sale follows what changes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from business_central_stand_in import CLIENT, COMPANY, ENVIRONMENT, SECRET, TENANT, Central

from carnet_local.api import Json, Refused
from carnet_local.demo.house import House
from chassis.testing import eventually

MODIFIED = "2026-03-01T08:00:00Z"


def fill(central: Central) -> None:
    """Put a customer with one posted invoice into the stand-in."""
    central.put(
        "items", "itm-1", MODIFIED, number="R-100", displayName="Sapphire ring", itemCategoryCode="RING"
    )
    central.put(
        "customers",
        "cus-1",
        MODIFIED,
        displayName="Inès Okonkwo",
        phoneNumber="(202) 555-0143",
        email="ines@client.example",
    )
    line = {"lineType": "Item", "itemId": "itm-1", "quantity": 1, "amountIncludingTax": 1177.5}
    central.put(
        "salesInvoices",
        "inv-1",
        MODIFIED,
        customerId="cus-1",
        invoiceDate="2026-02-14",
        currencyCode="USD",
        status="Paid",
        salesInvoiceLines=[line],
    )


async def connect(house: House, **fields: str) -> Json:
    return await house.admin.post(
        "/v1/connectors",
        {
            "display_name": "Head office",
            "source": "business_central",
            "tenant_id": TENANT,
            "environment": ENVIRONMENT,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "store_id": house.store_id,
        }
        | fields,
    )


async def has_run(house: House, connector_id: str) -> Any:
    """Return the latest run once it is over."""
    runs = (await house.admin.get(f"/v1/connectors/{connector_id}/runs")).get("connector_runs", [])
    return runs and runs[0]["state"] != "CONNECTOR_RUN_STATE_RUNNING" and runs[0]


async def test_business_central_is_chosen_run_and_its_sales_reach_the_queue(
    house: House, central: Central
) -> None:
    fill(central)
    connector_id = (await connect(house))["connector_id"]
    path = f"/v1/connectors/{connector_id}"
    with pytest.raises(Refused) as no_company:
        await house.admin.post(f"{path}:run", {})
    assert no_company.value.reason == "CONNECTOR_COMPANY_MISSING"
    (company,) = (await house.admin.get(f"{path}/companies"))["companies"]
    assert company == {"company_id": COMPANY, "display_name": "Maison Ltd"}
    await house.admin.call(
        "PUT",
        path,
        body={
            "display_name": "Head office",
            "company_id": COMPANY,
            "store_id": house.store_id,
            "interval_minutes": 15,
            "state": "CONNECTOR_STATE_ACTIVE",
        },
    )
    await house.admin.post(f"{path}:run", {})
    run = await eventually(partial(has_run, house, connector_id))
    assert (run["state"], run["failure"]) == ("CONNECTOR_RUN_STATE_COMPLETED", "")
    assert (run["clients_created"], run["purchases_created"]) == ("1", "1")
    (ines,) = (await house.admin.get("/v1/clients", query="okonkwo"))["clients"]
    assert ines["given_name"] == "Inès"

    async def is_known_to_outreach() -> bool:
        try:
            return bool((await house.admin.get(f"/v1/clients/{ines['client_id']}/facts"))["purchases"] == 1)
        except Refused as refusal:
            assert refusal.status == 404
            return False

    await eventually(is_known_to_outreach)


async def test_credentials_that_are_not_taken_are_said(house: House, central: Central) -> None:
    connector = await connect(house, display_name="Wrong", client_secret="guessed")
    with pytest.raises(Refused) as no:
        await house.admin.get(f"/v1/connectors/{connector['connector_id']}/companies")
    assert no.value.reason == "CONNECTOR_SIGN_IN_FAILED"
    with pytest.raises(Refused) as no:
        await house.associate.get("/v1/changes")
    assert no.value.status == 403


async def test_a_point_of_sale_follows_what_changes(house: House, add_client: Any) -> None:
    cursor = ""
    while True:
        page = await house.admin.get("/v1/changes", after=cursor, page_size=100)
        cursor = page["next_cursor"] or cursor
        if not page["has_more"]:
            break
    client = await add_client(house, "Followed")
    await house.associate.post("/v1/visits", {"client_id": client["client_id"], "store_id": house.store_id})

    async def changes() -> list[Json]:
        found: list[Json] = (await house.admin.get("/v1/changes", after=cursor))["changes"]
        return found

    async def both_came() -> bool:
        return len(await changes()) == 2

    await eventually(both_came)
    assert [change["kind"] for change in await changes()] == ["CHANGE_KIND_CLIENT", "CHANGE_KIND_VISIT"]
    with pytest.raises(Refused) as made_up:
        await house.admin.get("/v1/changes", after="nonsense")
    assert made_up.value.status == 400
