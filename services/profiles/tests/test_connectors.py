"""Connectors: Business Central read over real HTTP, from a stand-in that answers as Microsoft documents."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from business_central_stand_in import CLIENT, COMPANY, ENVIRONMENT, SECRET, TENANT, Central, running_central
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import sync_pb2

from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.testing import NOON, eventually

FIRST, LATER, LAST = "2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z", "2026-03-05T08:00:00.123Z"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Central]:
    async with running_central() as central:
        yield central


@pytest.fixture(scope="module")
def more_settings(server: Central) -> dict[str, Any]:
    return {
        "business_central_url": server.url,
        "business_central_sign_in_url": server.url,
        "connector_poll_seconds": 0.05,
    }


@pytest.fixture
def central(server: Central) -> Central:
    """Return the stand-in with nothing in it but two customers, a piece and an invoice."""
    fresh = Central(url=server.url)
    server.__dict__.update(fresh.__dict__)
    server.put("items", "itm-1", FIRST, number="R-100", displayName="Sapphire ring", itemCategoryCode="RING")
    server.put("customers", "cus-1", FIRST, displayName="Inès Okonkwo", phoneNumber="(202) 555-0143",
               email="ines@client.example", city="New York", state="NY", postalCode="10001", country="US")  # fmt: skip
    server.put("customers", "cus-2", LATER, displayName="Tomás Field", phoneNumber="", email="")
    server.put("salesInvoices", "inv-1", LATER, **invoice("cus-1"))
    return server


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nothing_left(house: Any) -> AsyncIterator[None]:
    """Take away a test's connectors: one worker reads those of all chains, and the next test counts what is asked."""
    yield
    house.act_as()
    for one in (await house.sync.ListConnectors(sync_pb2.ListConnectorsRequest())).connectors:
        await eventually(partial(is_over, house, one.connector_id))
        await house.sync.DeleteConnector(sync_pb2.DeleteConnectorRequest(connector_id=one.connector_id))


def invoice(customer: str, **fields: Any) -> dict[str, Any]:
    line = {
        "lineType": "Item",
        "itemId": "itm-1",
        "description": "",
        "quantity": 1,
        "amountIncludingTax": 1177.5,
    }
    return {
        "customerId": customer,
        "invoiceDate": "2026-02-14",
        "currencyCode": "USD",
        "status": "Paid",
        "salesInvoiceLines": [line, {"lineType": "Comment", "description": "thank you"}],
    } | fields


async def connector(house: Any, **fields: Any) -> sync_pb2.Connector:
    values = {
        "display_name": "Head office",
        "source": "business_central",
        "tenant_id": TENANT,
        "environment": ENVIRONMENT,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "company_id": COMPANY,
        "store_id": house.store_id,
    } | fields
    return await house.sync.CreateConnector(
        sync_pb2.CreateConnectorRequest(request_id=new_id("req"), **values)
    )


async def change(house: Any, made: sync_pb2.Connector, **fields: Any) -> None:
    """Change a connector to the company that there is, running every 15 minutes, unless `fields` say otherwise."""
    values = {
        "display_name": made.display_name,
        "company_id": COMPANY,
        "store_id": house.store_id,
        "interval_minutes": 15,
        "state": sync_pb2.CONNECTOR_STATE_ACTIVE,
    } | fields
    await house.sync.UpdateConnector(
        sync_pb2.UpdateConnectorRequest(connector_id=made.connector_id, **values)
    )


async def runs(house: Any, connector_id: str) -> list[sync_pb2.ConnectorRun]:
    found = await house.sync.ListConnectorRuns(sync_pb2.ListConnectorRunsRequest(connector_id=connector_id))
    return list(found.connector_runs)


async def is_over(house: Any, connector_id: str, count: int = 0) -> bool:
    found = await runs(house, connector_id)
    return len(found) >= count and all(run.state != sync_pb2.CONNECTOR_RUN_STATE_RUNNING for run in found)


async def finished(house: Any, connector_id: str, count: int = 1) -> sync_pb2.ConnectorRun:
    """Return the newest run once there are `count` and none of them runs any more."""
    await eventually(partial(is_over, house, connector_id, count))
    return (await runs(house, connector_id))[0]


async def clients(house: Any) -> dict[str, pb.Client]:
    found = (await house.stub.ListClients(pb.ListClientsRequest())).clients
    return {client.external_id: client for client in found}


async def run_again(house: Any, connector_id: str) -> sync_pb2.ConnectorRun:
    before = len(await runs(house, connector_id))
    await house.sync.RunConnector(
        sync_pb2.RunConnectorRequest(request_id=new_id("req"), connector_id=connector_id)
    )
    return await finished(house, connector_id, before + 1)


async def refused(call: Any) -> str:
    with pytest.raises(ServiceError) as refusal:
        await call
    return refusal.value.reason


async def test_a_new_connector_brings_customers_and_invoices(house: Any, central: Central) -> None:
    made = await connector(house)
    run = await finished(house, made.connector_id)
    assert (run.state, run.failure) == (sync_pb2.CONNECTOR_RUN_STATE_COMPLETED, "")
    assert (run.records_read, run.clients_created, run.purchases_created) == (4, 2, 1)
    found = await clients(house)
    ines = found["cus-1"]
    assert (ines.given_name, ines.family_name) == ("Inès", "Okonkwo")
    assert {contact.value for contact in ines.contact_points} == {"+12025550143", "ines@client.example"}
    assert (ines.address.locality, ines.address.postal_code) == ("New York", "10001")
    (purchase,) = (
        await house.stub.ListPurchases(pb.ListPurchasesRequest(client_id=ines.client_id))
    ).purchases
    assert (purchase.external_id, purchase.total.units, purchase.total.nanos) == ("inv-1", 1177, 500_000_000)
    assert (purchase.lines[0].piece.category, purchase.lines[0].piece.reference) == ("ring", "R-100")


async def test_a_second_run_asks_only_for_what_changed(house: Any, central: Central) -> None:
    made = await connector(house)
    await finished(house, made.connector_id)
    central.asked.clear()
    central.put("customers", "cus-3", LAST, displayName="Ola Nwosu")
    run = await run_again(house, made.connector_id)
    assert run.clients_created == 1
    # A little before the newest that was read: what was stamped earlier may have been committed later.
    assert "customers?lastModifiedDateTime ge 2026-03-02T07:55:00.000Z" in central.asked
    read = await house.sync.GetConnector(sync_pb2.GetConnectorRequest(connector_id=made.connector_id))
    assert read.delta_times["customers"].ToJsonString() == "2026-03-05T08:00:00.123Z"


async def test_the_schedule_runs_it_again_and_a_pause_does_not(house: Any, central: Central) -> None:
    made = await connector(house, interval_minutes=30)
    await finished(house, made.connector_id)
    house.clock.set(NOON + timedelta(minutes=31))
    house.act_as()
    await finished(house, made.connector_id, 2)
    await change(house, made, interval_minutes=30, state=sync_pb2.CONNECTOR_STATE_PAUSED)
    other = await connector(house, display_name="Other")
    await finished(house, other.connector_id)
    house.clock.set(NOON + timedelta(hours=9))
    house.act_as()
    # The other one's run proves that the worker looked after the pause.
    await finished(house, other.connector_id, 2)
    assert len(await runs(house, made.connector_id)) == 2


async def test_when_asked_to_wait_it_waits_and_goes_on(house: Any, central: Central) -> None:
    central.troubles.extend(
        [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"}), (429, {"Retry-After": "0"})]
    )
    made = await connector(house)
    run = await finished(house, made.connector_id)
    assert (run.state, run.waits, run.clients_created) == (sync_pb2.CONNECTOR_RUN_STATE_COMPLETED, 3, 2)


async def test_a_token_that_runs_out_in_the_middle_is_renewed(house: Any, central: Central) -> None:
    for number in range(20):
        central.put("customers", f"cus-{number:02}", LATER, displayName=f"Client {number}")
    central.token_calls = 2
    made = await connector(house)
    run = await finished(house, made.connector_id)
    assert (run.state, run.clients_created) == (sync_pb2.CONNECTOR_RUN_STATE_COMPLETED, 22)
    assert central.tokens_given > 3


async def test_a_secret_that_is_not_taken_is_said_and_can_be_mended(house: Any, central: Central) -> None:
    made = await connector(house, client_secret="guessed")
    run = await finished(house, made.connector_id)
    assert run.state == sync_pb2.CONNECTOR_RUN_STATE_FAILED
    assert "credentials" in run.failure
    assert "guessed" not in run.failure
    companies = sync_pb2.ListConnectorCompaniesRequest(connector_id=made.connector_id)
    assert await refused(house.sync.ListConnectorCompanies(companies)) == "CONNECTOR_SIGN_IN_FAILED"
    await change(house, made, client_secret=SECRET)
    found = await house.sync.ListConnectorCompanies(companies)
    assert [(one.company_id, one.display_name) for one in found.companies] == [(COMPANY, "Maison Ltd")]
    assert (await run_again(house, made.connector_id)).clients_created == 2


async def test_a_link_to_another_host_is_not_followed(house: Any, central: Central) -> None:
    central.page_size = 1
    central.next_link_host = "elsewhere.example:443"
    made = await connector(house)
    run = await finished(house, made.connector_id)
    assert run.state == sync_pb2.CONNECTOR_RUN_STATE_FAILED
    assert "another host" in run.failure


async def test_a_broken_answer_ends_the_run_and_the_next_one_loses_nothing(
    house: Any, central: Central
) -> None:
    made = await connector(house, company_id="cmp-unknown")
    run = await finished(house, made.connector_id)
    assert run.state == sync_pb2.CONNECTOR_RUN_STATE_FAILED
    assert "BadRequest_ResourceNotFound" in run.failure
    await change(house, made)
    assert (await run_again(house, made.connector_id)).purchases_created == 1


async def test_drafts_are_no_sales_and_unknown_customers_are_kept_for(house: Any, central: Central) -> None:
    central.put("salesInvoices", "inv-2", LAST, **invoice("cus-1", status="Draft"))
    central.put("salesInvoices", "inv-3", LAST, **invoice("cus-9"))
    made = await connector(house)
    run = await finished(house, made.connector_id)
    assert run.purchases_created == 2
    assert (await clients(house))["cus-9"].given_name == ""


async def test_an_invoice_that_was_cancelled_later_came_back(house: Any, central: Central) -> None:
    made = await connector(house)
    await finished(house, made.connector_id)
    central.put("salesInvoices", "inv-1", LAST, **invoice("cus-1", status="Canceled"))
    for _ in range(2):
        await run_again(house, made.connector_id)
    ines = (await clients(house))["cus-1"]
    (purchase,) = (
        await house.stub.ListPurchases(pb.ListPurchasesRequest(client_id=ines.client_id))
    ).purchases
    assert purchase.returned == purchase.total


async def test_asked_twenty_times_at_once_it_runs_once(house: Any, central: Central) -> None:
    made = await connector(house, company_id="")
    ask = sync_pb2.RunConnectorRequest(connector_id=made.connector_id)
    assert await refused(house.sync.RunConnector(ask)) == "CONNECTOR_COMPANY_MISSING"
    central.troubles.append((429, {"Retry-After": "1"}))
    await change(house, made, state=sync_pb2.CONNECTOR_STATE_PAUSED)
    answers = await asyncio.gather(
        *(
            house.sync.RunConnector(
                sync_pb2.RunConnectorRequest(request_id=new_id("req"), connector_id=made.connector_id)
            )
            for _ in range(20)
        )
    )
    assert len({answer.connector_run_id for answer in answers}) == 1
    assert (await finished(house, made.connector_id)).clients_created == 2


async def test_a_name_is_taken_once_and_a_secret_is_never_answered(house: Any, central: Central) -> None:
    made = await connector(house)
    assert await refused(connector(house, display_name="HEAD OFFICE")) == "CONNECTOR_NAME_TAKEN"
    listed = (await house.sync.ListConnectors(sync_pb2.ListConnectorsRequest())).connectors
    assert [one.connector_id for one in listed] == [made.connector_id]
    assert SECRET not in str(listed)
    async with house.database.transaction(house.chain_id) as tx:
        kept = (await tx.execute("select encrypted_secret from connectors")).scalar_one()
    assert SECRET.encode() not in bytes(kept)
    await house.sync.DeleteConnector(sync_pb2.DeleteConnectorRequest(connector_id=made.connector_id))
    get = sync_pb2.GetConnectorRequest(connector_id=made.connector_id)
    assert await refused(house.sync.GetConnector(get)) == "CONNECTOR_NOT_FOUND"


async def test_another_chain_does_not_see_it(house: Any, central: Central) -> None:
    made = await connector(house)
    house.act_as("imports:read", "connectors:write", chain_id="chn_other")
    get = sync_pb2.GetConnectorRequest(connector_id=made.connector_id)
    assert await refused(house.sync.GetConnector(get)) == "CONNECTOR_NOT_FOUND"
    ask = sync_pb2.RunConnectorRequest(connector_id=made.connector_id)
    assert await refused(house.sync.RunConnector(ask)) == "CONNECTOR_NOT_FOUND"
    assert not (await house.sync.ListConnectors(sync_pb2.ListConnectorsRequest())).connectors
