"""Everything that is kept of a client is told, in pages, to whom it may be told."""

from datetime import timedelta

import pytest
from carnet.privacy.v1 import privacy_pb2

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


async def test_appointments_are_told_readable_in_pages_of_any_size(house, two) -> None:
    store, client_id = await house.store(), house.client()
    for hours in (0, 2):
        await house.book(store, two + timedelta(hours=hours), client_id=client_id, note="the blue one")
    whole = await told(house, client_id)
    assert [section for section, _ in whole] == ["appointments"] * 2
    first = whole[0][1]
    assert (first["starts_at"], first["state"], first["note"]) == (
        "2026-03-10T18:00:00Z",
        "BOOKED",
        "the blue one",
    )
    assert [await told(house, client_id, page_size=size) for size in (1, 2)] == [whole] * 2


async def test_a_merged_client_is_told_under_each_id(house, two) -> None:
    store, one, other = await house.store(), house.client(), house.client()
    await house.book(store, two, client_id=one)
    await house.book(store, two + timedelta(hours=2), client_id=other)
    await house.hear(house.merged(one, other, "mrg_told"))
    assert await told(house, one) == await told(house, other) == await told(house, one, other)
    assert len(await told(house, one)) == 2


async def test_another_chain_and_an_unknown_client_have_nothing(house, two, sign_in) -> None:
    client_id = house.client()
    await house.book(await house.store(), two, client_id=client_id)
    assert await told(house, "cli_unknown") == []
    sign_in("records:export", chain_id="chn_stranger", clock=house.clock)
    assert await told(house, client_id) == []


async def test_only_who_may_export_is_told(house, sign_in) -> None:
    sign_in("appointments:read", clock=house.clock)
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
