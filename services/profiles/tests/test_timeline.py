"""Timelines: the order of their lines, their pages and kinds, surprises, and ids of merged clients."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from profiles.domain.surprises import NO_SURPRISE, Surprise
from profiles.domain.timeline import Entry, TimelineKind
from profiles.store.timeline import PAGE, add_entries, list_entries

THEN = datetime(2025, 6, 1, 12, tzinfo=UTC)


def line(
    client_id: str,
    summary: str,
    *,
    kind: TimelineKind = TimelineKind.PURCHASE,
    moment: datetime = THEN,
    surprise: Surprise = NO_SURPRISE,
) -> Entry:
    """Return a line of a timeline."""
    return Entry(new_id("tle"), client_id, kind, moment, summary, "pur_1", surprise)


async def keep(house: Any, *entries: Entry) -> None:
    """Put lines on timelines."""
    async with house.database.transaction(house.chain_id) as tx:
        await add_entries(tx, entries)


async def alias(house: Any, former_id: str, client_id: str) -> None:
    """Let a former id lead to a client, as a merge does."""
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
            " values (:chain_id, :alias_id, :client_id, 'mrg_1', :now)",
            {"chain_id": house.chain_id, "alias_id": former_id, "client_id": client_id, "now": THEN},
        )


async def pages(house: Any, **fields: Any) -> list[list[str]]:
    """Return the summaries of all pages."""
    read: list[list[str]] = []
    token = ""
    while True:
        answer = await house.stub.ListTimeline(pb.ListTimelineRequest(page_token=token, **fields))
        read.append([entry.summary for entry in answer.entries])
        if not (token := answer.next_page_token):
            return read


async def test_lines_of_all_kinds_come_newest_first_in_stable_pages(house: Any) -> None:
    client = await house.client()
    kinds = list(TimelineKind)
    # Two at a time at one moment: the id decides.
    lines = [
        line(client.client_id, f"{number}", kind=kinds[number % len(kinds)], moment=THEN - timedelta(days=number // 2))
        for number in range(25)
    ]  # fmt: skip
    await keep(house, *lines)
    expected = [
        entry.summary
        for entry in sorted(lines, key=lambda one: (one.occurred_at, one.entry_id), reverse=True)
    ]
    for size in (1, 7, 25, 200):
        read = await pages(house, client_id=client.client_id, page_size=size)
        assert [summary for page in read for summary in page] == ["Became a client of the house", *expected]
        assert all(len(page) == size for page in read[:-1])


async def test_lines_are_filtered_by_kind(house: Any) -> None:
    client = await house.client()
    await keep(house, *(line(client.client_id, kind.value, kind=kind) for kind in TimelineKind))
    for kinds, expected in (
        ([pb.TIMELINE_KIND_REPAIR], {"repair"}),
        ([pb.TIMELINE_KIND_WISH, pb.TIMELINE_KIND_NOTE, pb.TIMELINE_KIND_WISH], {"wish", "note"}),
        ([pb.TIMELINE_KIND_RETURN, pb.TIMELINE_KIND_MESSAGE], {"return", "message"}),
    ):
        read = await pages(house, client_id=client.client_id, kinds=kinds, page_size=1)
        assert {summary for page in read for summary in page} == expected
        assert len(read) == len(expected)


@pytest.mark.parametrize(
    ("now", "ends_on", "is_hidden"),
    [
        # The store is in New York, five hours behind until 8 March 2026 and four from then on.
        (datetime(2026, 3, 10, 16, tzinfo=UTC), None, True),
        (datetime(2026, 3, 10, 16, tzinfo=UTC), date(2026, 3, 11), True),
        (datetime(2026, 3, 10, 4, 0, tzinfo=UTC), date(2026, 3, 10), True),
        (datetime(2026, 3, 11, 3, 59, tzinfo=UTC), date(2026, 3, 10), True),
        (datetime(2026, 3, 11, 4, 0, tzinfo=UTC), date(2026, 3, 10), False),
        (datetime(2026, 3, 10, 16, tzinfo=UTC), date(2026, 3, 9), False),
    ],
)
async def test_a_surprise_is_hidden_through_its_last_day_at_the_store(
    house: Any, now: datetime, ends_on: date | None, is_hidden: bool
) -> None:
    house.clock.set(now)
    house.act_as()
    wife, giver = await house.client(given_name="Wife"), await house.client(given_name="Giver")
    surprise = Surprise(wife.client_id, ends_on)
    await keep(
        house,
        line(wife.client_id, "for her", surprise=surprise),
        line(giver.client_id, "for her", surprise=surprise),
        line(wife.client_id, "not for her", surprise=Surprise(giver.client_id, ends_on)),
    )
    kinds = [pb.TIMELINE_KIND_PURCHASE]
    hers = await house.timeline(wife.client_id, kinds=kinds)
    assert ("for her" not in hers) == is_hidden
    assert "not for her" in hers
    assert await house.timeline(giver.client_id, kinds=kinds) == ["for her"]
    house_only = pb.ListTimelineRequest(client_id=wife.client_id, kinds=kinds, include_surprises=True)
    entries = (await house.stub.ListTimeline(house_only)).entries
    assert len(entries) == 2
    marked = {entry.summary: entry for entry in entries}["for her"]
    assert marked.surprise_for_client_id == wife.client_id
    day = Date(year=ends_on.year, month=ends_on.month, day=ends_on.day) if ends_on else Date()
    assert marked.surprise_end_date == day


async def test_a_page_is_full_whatever_is_hidden(house: Any) -> None:
    client = await house.client()
    hidden = Surprise(client.client_id)
    await keep(
        house,
        *(
            line(
                client.client_id, f"{number}", moment=THEN + timedelta(hours=number),
                surprise=hidden if number % 3 else NO_SURPRISE,
            )
            for number in range(12)
        ),
    )  # fmt: skip
    read = await pages(house, client_id=client.client_id, kinds=[pb.TIMELINE_KIND_PURCHASE], page_size=2)
    assert read == [["9", "6"], ["3", "0"]]


async def test_a_merged_clients_id_leads_to_the_whole_timeline(house: Any) -> None:
    client = await house.client()
    await keep(house, line(client.client_id, "a line"))
    await alias(house, "cli_former", client.client_id)
    answer = await house.stub.ListTimeline(pb.ListTimelineRequest(client_id="cli_former", page_size=1))
    assert {entry.client_id for entry in answer.entries} == {client.client_id}
    rest = await house.stub.ListTimeline(
        pb.ListTimelineRequest(client_id="cli_former", page_token=answer.next_page_token)
    )
    assert [entry.summary for entry in [*answer.entries, *rest.entries]] == [
        "Became a client of the house", "a line",
    ]  # fmt: skip


async def test_a_surprise_for_a_merged_client_stays_hidden(house: Any) -> None:
    client = await house.client()
    await alias(house, "cli_former", client.client_id)
    await keep(
        house,
        line(client.client_id, "for who she was", surprise=Surprise("cli_former")),
        line(client.client_id, "for who she is", surprise=Surprise(client.client_id)),
    )
    for client_id in (client.client_id, "cli_former"):
        assert await house.timeline(client_id) == ["Became a client of the house"]
        assert len(await house.timeline(client_id, include_surprises=True)) == 3


async def test_unknown_clients_and_those_of_another_chain_have_no_timeline(house: Any) -> None:
    client = await house.client()
    await alias(house, "cli_former", client.client_id)
    with pytest.raises(ServiceError) as refused:
        await house.timeline("cli_unknown")
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")
    house.act_as(chain_id="chn_other")
    for client_id in (client.client_id, "cli_former"):
        with pytest.raises(ServiceError) as refused:
            await house.timeline(client_id)
        assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")


async def test_a_timeline_without_lines_is_empty(house: Any) -> None:
    client = await house.client()
    assert await house.timeline(client.client_id, kinds=[pb.TIMELINE_KIND_REPAIR]) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "cli_1", "page_size": 201}, "page_size"),
        ({"client_id": "cli_1", "kinds": [99]}, "kinds[0]"),
        ({"client_id": "cli_1", "page_token": "made up"}, "page_token"),
        ({"client_id": "cli_1", "page_token": "WyJ4IiwieSJd"}, "page_token"),
    ],
)
async def test_bad_questions_name_the_field(house: Any, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.ListTimeline(pb.ListTimelineRequest(**fields))
    assert refused.value.kind is Kind.INVALID
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_who_read_a_timeline_is_noted(house: Any) -> None:
    client = await house.client()
    await alias(house, "cli_former", client.client_id)
    await house.timeline("cli_former")
    async with house.database.transaction(house.chain_id) as tx:
        rows = await tx.execute("select client_ids from audit_entries where action = 'ListTimeline'")
        assert [row.client_ids for row in rows] == [[client.client_id]]


async def test_a_page_reads_no_more_lines_than_it_shows_of_each_kind(house: Any) -> None:
    """A client of fifty thousand lines must cost what one of fifty does."""
    client = await house.client()
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into timeline_entries (chain_id, client_id, entry_id, kind, occurred_at, summary, subject_id)"
            " select :chain_id, :client_id, 'tle_' || n, case when n % 1000 = 0 then 'repair' else 'message' end,"
            " cast(:then as timestamptz) + n * interval '1 minute', 'line', 'msg_1' from generate_series(1, 20000) n",
            {"chain_id": house.chain_id, "client_id": client.client_id, "then": THEN},
        )
    owner = await asyncpg.connect(house.profiles.owner_url)
    await owner.execute("analyze timeline_entries")
    await owner.close()

    fetched = "select pg_stat_get_xact_tuples_fetched('timeline_entries_pkey'::regclass)"
    async with house.database.transaction(house.chain_id) as tx:
        for kinds, most in (((TimelineKind.REPAIR,), 20), ((), 20 * len(TimelineKind))):
            before = (await tx.execute(fetched)).scalar_one()
            _, entries = await list_entries(tx, client.client_id, kinds=kinds, limit=20, now=THEN)
            assert len(entries) == 20
            assert 0 < (await tx.execute(fetched)).scalar_one() - before <= most


async def test_the_client_is_found_by_the_key(house: Any) -> None:
    """Behind row-level security Postgres uses no index for what it does not take for leakproof."""
    client = await house.client()
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("set local enable_seqscan = off")  # a few clients are read at once
        plan = await tx.execute(
            f"explain {PAGE}",
            {
                "client_id": client.client_id, "kinds": ["visit"], "before_time": THEN, "before_id": "", "now": THEN,
                "include_surprises": False, "limit": 1,
            },
        )  # fmt: skip
        conditions = [line for line in plan.scalars() if "Index Cond" in line]
    assert any("client_id = ANY" in line for line in conditions)
    assert any("kind = wanted.kind" in line for line in conditions)
