"""What visitors tried on, for which occasion and money, with whom and for whom; lists of visits."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from sqlalchemy import event as sql_event

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import proto_date_of, timestamp_of


def usd(units: int, currency: str = "USD") -> Money:
    return Money(currency_code=currency, units=units)


def day(text: str) -> Date:
    return proto_date_of(date.fromisoformat(text))


def item(**marks: bool) -> pb.VisitItem:
    return pb.VisitItem(piece=pb.Piece(category="ring", carat="0.5", certificate="GIA 1"), **marks)


async def visit(house: Any, client_id: str, **fields: Any) -> pb.Visit:
    fields = {"store_id": house.store_id, **fields}
    return await house.stub.RecordVisit(pb.RecordVisitRequest(client_id=client_id, **fields))


async def listed(house: Any, **fields: Any) -> list[str]:
    found = await house.stub.ListVisits(pb.ListVisitsRequest(**fields))
    return [one.visit_id for one in found.visits]


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


def details(recipient: pb.Client) -> dict[str, Any]:
    """Return all that a visit can say beside what was always there."""
    return {
        "items": [item(is_liked=True, is_tried_on=True), item(is_tried_on=True), item()],
        "occasion_kind": pb.OCCASION_KIND_ENGAGEMENT,
        "minimum_budget": usd(5000),
        "maximum_budget": usd(9000),
        "companion": "his sister",
        "recipient_client_id": recipient.client_id,
        "surprise_for_client_id": recipient.client_id,
        "surprise_end_date": day("2026-06-01"),
        "need_by_date": day("2026-05-01"),
    }


def has_details(found: pb.Visit, recipient: pb.Client) -> bool:
    wanted = details(recipient)
    return list(found.items) == wanted.pop("items") and all(
        getattr(found, name) == value for name, value in wanted.items()
    )


async def test_a_visit_keeps_everything_said_of_it(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    recorded = await visit(house, leo.client_id, **details(ana))
    assert has_details(recorded, ana)
    assert await house.stub.GetVisit(pb.GetVisitRequest(visit_id=recorded.visit_id)) == recorded
    found = await house.stub.ListVisits(pb.ListVisitsRequest(client_id=leo.client_id))
    assert list(found.visits) == [recorded]
    (said,) = await published(house.database, ev.VisitRecorded, chain_id=house.chain_id)
    assert (said.looked_at_count, said.liked_count, said.tried_on_count) == (3, 1, 2)
    assert (said.occasion_kind, said.recipient_client_id) == (pb.OCCASION_KIND_ENGAGEMENT, ana.client_id)
    assert (said.surprise_for_client_id, said.surprise_end_date) == (ana.client_id, day("2026-06-01"))
    assert "Came in and looked at 3 pieces, tried on 2, liked 1" in await house.timeline(leo.client_id)


async def test_a_capture_keeps_everything_said_of_the_visit(house: Any) -> None:
    ana = await house.client()
    captured = await house.stub.CaptureVisit(
        pb.CaptureVisitRequest(store_id=house.store_id, given_name="Leo", **details(ana))
    )
    assert has_details(captured.visit, ana)


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        (
            {"minimum_budget": usd(1), "maximum_budget": usd(2, "EUR")},
            "CURRENCY_MISMATCH", "maximum_budget.currency_code",
        ),
        ({"minimum_budget": usd(2), "maximum_budget": usd(1)}, "FIELD_INVALID", "maximum_budget"),
        ({"minimum_budget": usd(-2)}, "FIELD_INVALID", "minimum_budget"),
        ({"maximum_budget": usd(-2)}, "FIELD_INVALID", "maximum_budget"),
        ({"maximum_budget": usd(1, "QQQ")}, "FIELD_INVALID", "maximum_budget.currency_code"),
        ({"need_by_date": day("2026-03-09")}, "FIELD_INVALID", "need_by_date"),
        ({"need_by_date": Date(year=2026, month=13, day=1)}, "FIELD_INVALID", "need_by_date"),
        ({"surprise_end_date": day("2026-05-01")}, "FIELD_INVALID", "surprise_end_date"),
    ],
)  # fmt: skip
async def test_a_visit_that_cannot_be_is_refused_by_field(
    house: Any, fields: dict[str, Any], reason: str, field: str
) -> None:
    client = await house.client()
    for call in (
        visit(house, client.client_id, **fields),
        house.stub.CaptureVisit(
            pb.CaptureVisitRequest(store_id=house.store_id, client_id=client.client_id, **fields)
        ),
    ):
        error = await refusal(call)
        assert (error.kind, error.reason) == (Kind.INVALID, reason)
        assert [violation.field for violation in error.violations] == [field]
    assert await listed(house, client_id=client.client_id) == []


@pytest.mark.parametrize(
    "budget",
    [
        {"minimum_budget": usd(5)},
        {"maximum_budget": usd(5)},
        {"minimum_budget": usd(5), "maximum_budget": usd(5)},
        {"minimum_budget": usd(0)},
        {},
    ],
)
async def test_a_budget_may_be_open_at_either_end(house: Any, budget: dict[str, Money]) -> None:
    client = await house.client()
    recorded = await visit(house, client.client_id, **budget)
    for end in ("minimum_budget", "maximum_budget"):
        assert recorded.HasField(end) is (end in budget)
        assert getattr(recorded, end) == budget.get(end, Money())


async def test_today_is_soon_enough_to_be_needed(house: Any) -> None:
    client = await house.client()
    recorded = await visit(house, client.client_id, need_by_date=day("2026-03-10"))
    assert recorded.need_by_date == day("2026-03-10")


@pytest.mark.parametrize("field", ["recipient_client_id", "surprise_for_client_id"])
async def test_who_it_is_for_is_a_client_of_the_chain(house: Any, field: str) -> None:
    client = await house.client()
    error = await refusal(visit(house, client.client_id, **{field: "cli_none"}))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")


async def test_a_visit_that_is_a_surprise_is_not_shown_to_whom_it_is_for(house: Any) -> None:
    ana = await house.client()
    # He came in and had it put on her page; she must not see it there.
    secret = await visit(
        house, ana.client_id, surprise_for_client_id=ana.client_id, surprise_end_date=day("2026-03-12")
    )
    assert await listed(house, client_id=ana.client_id) == []
    assert await listed(house, client_id=ana.client_id, include_surprises=True) == [secret.visit_id]
    assert await listed(house) == [secret.visit_id]
    kinds = [pb.TIMELINE_KIND_VISIT]
    assert await house.timeline(ana.client_id, kinds=kinds) == []
    for days, is_shown in ((2, False), (3, True)):
        house.clock.set(NOON + timedelta(days=days))
        house.act_as()
        assert bool(await listed(house, client_id=ana.client_id)) is is_shown
        assert bool(await house.timeline(ana.client_id, kinds=kinds)) is is_shown


async def test_a_merged_clients_id_leads_to_the_survivor(house: Any) -> None:
    leo, ana = await house.client(), await house.client()
    async with house.database.transaction(house.chain_id) as tx:
        for alias_id, survivor in (("cli_old_leo", leo), ("cli_old_ana", ana)):
            await tx.execute(
                "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
                " values (:chain_id, :alias_id, :client_id, 'mrg_1', now())",
                {"chain_id": tx.chain_id, "alias_id": alias_id, "client_id": survivor.client_id},
            )
    recorded = await visit(
        house, "cli_old_leo", recipient_client_id="cli_old_ana", surprise_for_client_id="cli_old_ana"
    )
    assert (recorded.client_id, recorded.recipient_client_id) == (leo.client_id, ana.client_id)
    assert recorded.surprise_for_client_id == ana.client_id
    assert await listed(house, client_id="cli_old_leo") == [recorded.visit_id]


async def test_visits_are_listed_newest_first_by_pages_and_days_of_their_store(house: Any) -> None:
    client, other = await house.client(), await house.client()
    tokyo = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Ginza", time_zone="Asia/Tokyo", country="JP")
    )
    made = []
    for index, (moment, store_id) in enumerate(
        (
            ("2026-03-05T01:00", house.store_id),  # the 4th in New York
            ("2026-03-05T01:00", tokyo.store_id),  # the 5th in Tokyo
            ("2026-03-04T20:00", tokyo.store_id),  # the 5th in Tokyo
            ("2026-03-06T12:00", house.store_id),
        )
    ):
        at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        who = other if index == 3 else client
        recorded = await visit(
            house, who.client_id, store_id=store_id, visit_time=timestamp_of(at), items=[item()]
        )
        made.append(recorded.visit_id)
    newest = [made[3], made[1], made[0], made[2]]
    assert await listed(house) == newest
    assert await listed(house, client_id=client.client_id) == newest[1:]
    assert await listed(house, store_id=house.store_id) == [made[3], made[0]]
    fourth, fifth = day("2026-03-04"), day("2026-03-05")
    assert await listed(house, start_date=fifth, end_date=fifth) == [made[1], made[2]]
    assert await listed(house, end_date=fourth) == [made[0]]
    assert await listed(house, start_date=fifth, client_id=client.client_id) == [made[1], made[2]]
    for fields in ({}, {"client_id": client.client_id}):
        pages: list[str] = []
        token = ""
        while True:
            page = await house.stub.ListVisits(pb.ListVisitsRequest(page_size=1, page_token=token, **fields))
            pages += [one.visit_id for one in page.visits]
            assert all(len(one.items) == 1 for one in page.visits)
            if not (token := page.next_page_token):
                break
        assert pages == await listed(house, **fields)


async def test_a_list_refuses_what_no_page_gave_and_an_end_before_the_start(house: Any) -> None:
    for fields, field in (
        ({"page_token": "WyJ4IiwieSJd"}, "page_token"),
        ({"start_date": day("2026-03-02"), "end_date": day("2026-03-01")}, "end_date"),
    ):
        error = await refusal(house.stub.ListVisits(pb.ListVisitsRequest(**fields)))
        assert (error.kind, error.violations[0].field) == (Kind.INVALID, field)


async def test_a_page_costs_the_same_number_of_statements_whatever_is_on_it(house: Any) -> None:
    client = await house.client()
    said = 0

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal said
        said += "visit" in statement  # others look at tables of their own meanwhile

    engine = house.database.engine.sync_engine
    costs = []
    for more in (1, 12):
        await asyncio.gather(*(visit(house, client.client_id, items=[item()]) for _ in range(more)))
        said = 0
        sql_event.listen(engine, "before_cursor_execute", count)
        await listed(house, client_id=client.client_id)
        sql_event.remove(engine, "before_cursor_execute", count)
        costs.append(said)
    assert costs[0] == costs[1] == 2


async def test_another_chains_visit_is_not_found_and_not_listed(house: Any, other_house: Any) -> None:
    house.act_as()
    theirs = await visit(house, (await house.client()).client_id)
    other_house.act_as()
    error = await refusal(other_house.stub.GetVisit(pb.GetVisitRequest(visit_id=theirs.visit_id)))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "VISIT_NOT_FOUND")
    assert await listed(other_house) == []


async def test_who_read_visits_is_written_down(house: Any) -> None:
    client = await house.client()
    seen = await visit(house, client.client_id)
    await house.stub.GetVisit(pb.GetVisitRequest(visit_id=seen.visit_id))
    await listed(house)
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute(
            "select action, client_ids, subject_id from audit_entries where action like '%Visit%'"
            " order by audit_entry_id"
        )
    assert [tuple(row) for row in found] == [
        ("GetVisit", [client.client_id], seen.visit_id),
        ("ListVisits", [client.client_id], ""),
    ]
