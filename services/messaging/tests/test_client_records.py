"""Everything that is kept of a client, and nothing of anybody else."""

from typing import Any

import pytest
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.privacy.v1 import privacy_pb2

from chassis.errors import Kind, ServiceError


async def told(house: Any, *client_ids: str, page_size: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """Return all (section, fields), read in pages."""
    records: list[tuple[str, dict[str, Any]]] = []
    token = ""
    while True:
        page = await house.records.ListClientRecords(
            privacy_pb2.ListClientRecordsRequest(client_ids=client_ids, page_size=page_size, page_token=token)
        )
        records += [(record.section, dict(record.fields)) for record in page.records]
        if not (token := page.next_page_token):
            return records


async def test_texts_ledger_and_numbers_of_a_client_are_told_in_pages_of_any_size(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    sent = await house.send(client_id, "Maison Aurore: your ring is ready.")
    await house.becomes(sent, pb.MESSAGE_STATE_DELIVERED)
    await house.receive(client_id, "Thank you, on Friday")
    whole = await told(house, client_id)
    assert [section for section, _ in whole] == [
        "numbers",
        "conversations",
        "messages",
        "messages",
        "permission_entries",
        "permission_entries",
        "permission_entries",
        "number_verifications",
    ]
    numbers, conversation, sent, received, entry, *_ = [fields for _, fields in whole]
    assert (numbers["phone"], numbers["is_shared"]) == (house.phone_of(client_id), False)
    assert numbers["learned_at"] == "2026-03-10T16:00:00Z"
    assert (conversation["store_id"], conversation["unread_count"]) == (house.store_id, 1)
    assert (sent["direction"], sent["purpose"]) == ("OUTBOUND", "SERVICE")
    assert (received["direction"], received["body"]) == ("INBOUND", "Thank you, on Friday")
    assert (entry["change"], entry["source"]) == ("GRANTED", "consent")
    assert "may text me" in entry["evidence"]
    for size in (1, 2, 7, 8):
        assert await told(house, client_id, page_size=size) == whole


async def test_of_a_shared_number_only_the_texts_to_the_client_are_told(house: Any) -> None:
    one = house.client()
    other = house.client(house.phone_of(one))
    for client_id in (one, other):
        await house.consent(client_id)
    mine = await house.send(one, "Maison Aurore: for you.")
    await house.send(other, "Maison Aurore: a surprise for the other.")
    await house.receive(one, "STOP")
    records = await told(house, one)
    assert [f["message_id"] for section, f in records if section == "messages"] == [mine.message_id]
    assert "conversations" not in {section for section, _ in records}
    revoked = [f for section, f in records if section == "permission_entries" and f["change"] == "REVOKED"]
    assert len(revoked) == 6
    assert not any("evidence" in fields for fields in revoked)


async def test_a_merged_client_is_told_under_each_id_and_with_all_of_them(house: Any) -> None:
    one, other = house.client(), house.client()
    for client_id in (one, other):
        await house.consent(client_id)
        await house.becomes(await house.send(client_id), pb.MESSAGE_STATE_DELIVERED)
    apart = await told(house, one, other)
    await house.merge(one, other)
    assert await told(house, one) == await told(house, other) == apart
    await house.unmerge(one, other)
    assert len(await told(house, one)) == len(await told(house, other)) == len(apart) / 2


async def test_nothing_is_told_of_who_is_not_known_nor_to_another_chain(house: Any, sign_in: Any) -> None:
    assert await told(house, "cli_unknown") == []
    client_id = house.client()
    await house.consent(client_id)
    sign_in("records:export", chain_id="chn_stranger")
    assert await told(house, client_id) == []


async def test_only_who_may_export_is_told(house: Any, sign_in: Any) -> None:
    sign_in("messages:read", chain_id=house.chain_id)
    with pytest.raises(ServiceError) as refused:
        await told(house, "cli_1")
    assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, "SCOPE_MISSING")


@pytest.mark.parametrize("request_", [{}, {"client_ids": ["cli_1"], "page_size": 1001}, {"client_ids": [""]}])
async def test_bad_requests_name_the_field(house: Any, request_: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.records.ListClientRecords(privacy_pb2.ListClientRecordsRequest(**request_))
    assert refused.value.kind is Kind.INVALID
    assert refused.value.violations[0].field.startswith(("client_ids", "page_size"))


async def test_a_made_up_page_token_is_refused(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.records.ListClientRecords(
            privacy_pb2.ListClientRecordsRequest(client_ids=["cli_1"], page_token="made up")
        )
    assert refused.value.violations[0].field == "page_token"


def test_no_section_shows_what_is_secret() -> None:
    from messaging.store.records import SECTIONS

    assert len({section.name for section in SECTIONS}) == len(SECTIONS)
    assert not any("hash" in section.query for section in SECTIONS)
