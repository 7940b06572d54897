"""Everything that is kept of a client is told, readable, in pages, and nothing of anybody else."""

import pytest
from carnet.privacy.v1 import privacy_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import client_created, client_fact, days_ago, message_sent, purchase, returned, visit

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON


async def told(outreach, *client_ids, page_size=0):
    """Return all (section, fields), read in pages."""
    records, token = [], ""
    while True:
        page = await outreach.records.ListClientRecords(
            privacy_pb2.ListClientRecordsRequest(client_ids=client_ids, page_size=page_size, page_token=token)
        )
        records += [(record.section, dict(record.fields)) for record in page.records]
        if not (token := page.next_page_token):
            return records


@pytest.fixture
async def two(story, as_associate):
    await story.open()
    secret = purchase("cli_a", days_ago(50), purchase_id="pur_1", minor=123_450)
    secret.purchase.surprise_for_client_id = "cli_a"
    await story.tell(
        client_created("cli_a", occasions=[(1, 0, 3, 20)]),
        client_created("cli_b"),
        secret,
        purchase("cli_b", days_ago(50), minor=8_000),
        returned("cli_a", "pur_1", days_ago(40), minor=1_000, return_id="ret_1"),
        *(visit(client_id, days_ago(day)) for client_id in ("cli_a", "cli_b") for day in (3, 1)),
        message_sent("cli_a", NOON),
    )
    as_associate("records:export")
    return story


async def test_every_section_is_told_with_readable_amounts_and_times(outreach, two):
    records = await told(outreach, "cli_a")
    records = [(section, fields) for section, fields in records if section not in ("touches", "outcomes")]
    assert [section for section, _ in records] == [
        "client_facts",
        "occasions",
        "purchases",
        "returns",
        "visits",
        "visits",
        "contacts",
        "suggestions",
    ]
    facts, occasion, bought, back, *_, suggestion = [fields for _, fields in records]
    assert (facts["associate_id"], facts["last_sent_at"]) == ("asc_1", "2026-03-10T16:00:00Z")
    assert (occasion["month"], occasion["day"]) == (3, 20)
    assert (bought["total"], bought["purchase_day"]) == ("1234.50 USD", days_ago(50).isoformat())
    assert (back["total"], back["purchase_id"]) == ("10.00 USD", "pur_1")
    assert suggestion["reasons"]


async def test_what_is_a_surprise_says_so_that_it_can_be_left_out(outreach, two):
    records = dict(await told(outreach, "cli_a"))
    assert records["purchases"]["surprise_for_client_id"] == "cli_a"
    assert records["returns"]["surprise_for_client_id"] == "cli_a"


async def test_pages_of_any_size_tell_the_same(outreach, two):
    whole = await told(outreach, "cli_a", "cli_b")
    assert [await told(outreach, "cli_a", "cli_b", page_size=size) for size in (1, 3, 5, 100)] == [whole] * 4


async def test_a_merged_client_is_told_under_each_id(outreach, two):
    apart = await told(outreach, "cli_a"), await told(outreach, "cli_b")
    await two.tell(
        profiles_events.ClientMerged(
            merge_id="mrg_1", client=client_fact("cli_a", version=5), merged_client_id="cli_b"
        )
    )
    one = await told(outreach, "cli_a")
    assert one == await told(outreach, "cli_b") == await told(outreach, "cli_a", "cli_b")
    kinds = [section for section, _ in one if section in ("purchases", "visits", "returns")]
    assert kinds == ["purchases"] * 2 + ["returns"] + ["visits"] * 4
    await two.tell(
        profiles_events.ClientUnmerged(
            merge_id="mrg_1",
            client=client_fact("cli_a", version=6),
            restored=client_fact("cli_b", version=6),
        )
    )
    for before, client_id in zip(apart, ("cli_a", "cli_b"), strict=True):
        now = [record for record in await told(outreach, client_id) if record[0] in ("purchases", "visits")]
        assert now == [record for record in before if record[0] in ("purchases", "visits")]


async def test_another_chain_and_an_unknown_client_have_nothing(outreach, two, as_associate):
    assert await told(outreach, "cli_unknown") == []
    as_associate("records:export", chain_id="chn_stranger")
    assert await told(outreach, "cli_a") == []


async def test_only_who_may_export_is_told(outreach, two, as_associate):
    as_associate("queue:read")
    with pytest.raises(ServiceError) as refused:
        await told(outreach, "cli_a")
    assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, "SCOPE_MISSING")


async def test_a_bad_request_names_the_field(outreach, two):
    for request, field in (
        (privacy_pb2.ListClientRecordsRequest(), "client_ids"),
        (privacy_pb2.ListClientRecordsRequest(client_ids=["cli_a"], page_token="made up"), "page_token"),
    ):
        with pytest.raises(ServiceError) as refused:
            await outreach.records.ListClientRecords(request)
        assert refused.value.violations[0].field == field
