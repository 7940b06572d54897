"""Everything that is kept of a client is told, in pages; of a decision only the client's own part."""

import pytest
from carnet.privacy.v1 import privacy_pb2
from carnet.profiles.v1 import events_pb2 as profiles
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError


async def told(house, *client_ids, page_size=0):
    records, token = [], ""
    while True:
        page = await house.records.ListClientRecords(
            privacy_pb2.ListClientRecordsRequest(client_ids=client_ids, page_size=page_size, page_token=token)
        )
        records += [(record.section, dict(record.fields)) for record in page.records]
        if not (token := page.next_page_token):
            return records


@pytest.fixture
async def client_id(house):
    """Return a client who waits, was offered a piece, and bought one before."""
    one, rival = house.client(), house.client()
    reference = await house.reference(code=f"126610LN-{one}")
    await house.interest(reference, one, purpose="gift")
    await house.interest(reference, rival)
    await house.hear(
        profiles.PurchaseRecorded(
            purchase=profiles.PurchaseFact(
                purchase_id=f"pur_{one}",
                client_id=one,
                purchase_date=Date(year=2026, month=3, day=1),
                total_minor=123_450,
                currency_code="USD",
            )
        )
    )
    allocation = await house.allocation(reference, pieces=2)
    await house.offer(allocation)
    await house.offer(allocation)
    return one


async def test_every_section_is_told_readable(house, client_id) -> None:
    records = await told(house, client_id)
    assert [section for section, _ in records] == [
        "interests", "offers", "decisions", "decisions", "standings"
    ]  # fmt: skip
    interest, offer, decision, _, standing = [fields for _, fields in records]
    assert (interest["purpose"], interest["state"]) == ("gift", "OFFERED")
    assert interest["reference_code"].startswith("126610LN")
    assert interest["registered_at"] == "2026-03-10T16:00:00Z"
    assert (offer["state"], offer["client_id"]) == ("OPEN", client_id)
    assert decision["facts"]["client_id"] == client_id
    assert (standing["total"], standing["last_purchase_day"]) == ("1234.50 USD", "2026-03-01")


async def test_nothing_of_the_other_candidates_is_told(house, client_id) -> None:
    named = {
        fields["facts"]["client_id"]
        for section, fields in await told(house, client_id)
        if section == "decisions"
    }
    assert named == {client_id}


async def test_pages_of_any_size_tell_the_same(house, client_id) -> None:
    whole = await told(house, client_id)
    assert [await told(house, client_id, page_size=size) for size in (1, 2, 4)] == [whole] * 3


async def test_a_merged_client_is_told_under_each_id(house, client_id) -> None:
    other = house.client()
    await house.interest(await house.reference(), other)
    apart = await told(house, other)
    merge_id = await house.merge(client_id, other)
    one = await told(house, client_id)
    assert one == await told(house, other) == await told(house, client_id, other)
    assert len([section for section, _ in one if section == "interests"]) == 2
    await house.unmerge(client_id, other, merge_id)
    assert await told(house, other) == apart


async def test_another_chain_and_an_unknown_client_have_nothing(house, client_id, sign_in) -> None:
    assert await told(house, "cli_unknown") == []
    sign_in("records:export", chain_id="chn_stranger", clock=house.clock)
    assert await told(house, client_id) == []


async def test_only_who_may_export_is_told(house, sign_in) -> None:
    sign_in("waitlist:read", clock=house.clock)
    with pytest.raises(ServiceError) as refused:
        await told(house, "cli_1")
    assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, "SCOPE_MISSING")


async def test_a_bad_request_names_the_field(house) -> None:
    for request, field in (
        (privacy_pb2.ListClientRecordsRequest(), "client_ids"),
        (privacy_pb2.ListClientRecordsRequest(client_ids=["cli_a"], page_token="made up"), "page_token"),
    ):
        with pytest.raises(ServiceError) as refused:
            await house.records.ListClientRecords(request)
        assert refused.value.violations[0].field == field
