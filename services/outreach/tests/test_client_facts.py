"""One row a client: the same in whatever order events come, and when rebuilt; the book is the same both ways."""

import asyncio
import dataclasses
import itertools
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from carnet.appointments.v1 import events_pb2 as appointments_events
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.waitlist.v1 import events_pb2 as waitlist_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outreach_story import (
    ZONE,
    Story,
    client_created,
    client_fact,
    days_ago,
    message_received,
    message_sent,
    purchase,
    purchase_fact,
    returned,
    visit,
)

from chassis.testing import NOON
from chassis.values import proto_date_of, timestamp_of
from outreach.signals.book import OCCASION_REACH_DAYS, Book, Mark
from outreach.signals.finding import day_number, day_of
from outreach.store import books, chains, histories
from outreach.store.facts import OF_CLIENTS
from outreach.use_cases.counting import count_left_behind, count_waiting, rebuild_facts
from outreach.use_cases.evaluation import rests_at

_chains = itertools.count(1)


def with_lines(event, *lines, occasion=0, **fields):
    """Return a purchase with lines of (brand, category, metal, stone, minor units)."""
    event.purchase.occasion_kind = occasion
    for brand, category, metal, stone, minor in lines:
        event.purchase.lines.add(
            brand_id=brand, category=category, metal=metal, stone=stone, quantity=1, amount_minor=minor
        )
    for name, value in fields.items():
        field = getattr(event.purchase, name)
        if isinstance(value, date):
            field.CopyFrom(proto_date_of(value))
        else:
            setattr(event.purchase, name, value)
    return event


def needing(event, day, **fields):
    """Return a visit that says by which day a piece is needed."""
    if day is not None:
        event.need_by_date.CopyFrom(proto_date_of(day))
    for name, value in fields.items():
        setattr(event, name, value)
    return event


def repair(client_id, stage, version, *, repair_id="rep_1", kind=1, **fields):
    return profiles_events.RepairMoved(
        repair_id=repair_id,
        client_id=client_id,
        store_id="sto_1",
        kind=kind,
        stage=stage,
        version=version,
        **fields,
    )


def appointment(kind, client_id, start, version, *, appointment_id="apt_1"):
    return kind(
        appointment=appointments_events.AppointmentFact(
            appointment_id=appointment_id,
            store_id="sto_1",
            client_id=client_id,
            start_time=timestamp_of(start),
            end_time=timestamp_of(start + timedelta(hours=1)),
            version=version,
        )
    )


def interest(client_id, *, interest_id="int_1", withdrawn=False):
    kind = waitlist_events.InterestWithdrawn if withdrawn else waitlist_events.InterestRegistered
    return kind(
        interest_id=interest_id, reference_id="ref_1", brand_id="bra_1", client_id=client_id, store_id="sto_1"
    )


def allocation(allocation_id="all_1"):
    return waitlist_events.AllocationReceived(
        allocation_id=allocation_id, reference_id="ref_1", brand_id="bra_1", store_id="sto_1", serials=["s1"]
    )


def offer(kind, client_id, version, *, offer_id="off_1"):
    return kind(
        offer=waitlist_events.OfferFact(
            offer_id=offer_id, reference_id="ref_1", brand_id="bra_1", store_id="sto_1", client_id=client_id,
            version=version,
        )
    )  # fmt: skip


def wish(kind, client_id, version, *, wish_id="wis_1"):
    return kind(
        wish=profiles_events.WishFact(
            wish_id=wish_id, client_id=client_id, state=1, brand_id="bra_1", version=version, category="Ring"
        )
    )


def merged(surviving_id, merged_id, merge_id="mrg_1", version=5):
    return profiles_events.ClientMerged(
        merge_id=merge_id, client=client_fact(surviving_id, version=version), merged_client_id=merged_id
    )


def unmerged(surviving_id, restored_id, merge_id="mrg_1", version=6):
    return profiles_events.ClientUnmerged(
        merge_id=merge_id,
        client=client_fact(surviving_id, version=version),
        restored=client_fact(restored_id, version=version),
    )


def hours_ago(count):
    return NOON - timedelta(hours=count)


def preferring(event, *preferences):
    for kind, value in preferences:
        event.client.preferences.add(kind=kind, value=value)
    return event


# What was said, and when.
EVENTS = [
    (client_created("cli_a", version=1, occasions=[(1, 1990, 2, 29), (2, 0, 4, 1)]), NOON),
    (preferring(client_created("cli_b", associate_id="asc_2"), (6, "bra_2"), (2, "Gold"), (8, "opal")), NOON),
    (client_created("cli_c", associate_id="asc_3", store_id="sto_2"), NOON),
    (
        with_lines(
            purchase("cli_a", days_ago(300), minor=90_000, purchase_id="pur_1"),
            ("bra_1", "Ring", "Gold", "Diamond", 70_000),
            ("bra_2", "Earrings", "gold", "", 20_000),
            occasion=3,
        ),
        NOON,
    ),
    (with_lines(purchase("cli_a", days_ago(20), minor=4_000, purchase_id="pur_2"), occasion=2), NOON),
    (purchase("cli_a", days_ago(-30), minor=8_000, purchase_id="pur_3"), NOON),
    (purchase("cli_a", days_ago(10), minor=-500, purchase_id="pur_4"), NOON),
    (purchase("cli_b", days_ago(60), minor=3_000, currency="EUR", purchase_id="pur_5"), NOON),
    (
        with_lines(
            purchase("cli_b", days_ago(50), minor=6_000, purchase_id="pur_6"),
            ("bra_1", "Pendant", "Silver", "Opal", 6_000),
            surprise_for_client_id="cli_b",
            surprise_end_date=days_ago(-5),
        ),
        NOON,
    ),
    (returned("cli_a", "pur_1", days_ago(290), minor=10_000, return_id="ret_1"), NOON),
    (returned("cli_a", "pur_2", days_ago(-9), minor=4_000, return_id="ret_2"), NOON),
    (needing(visit("cli_a", days_ago(25), visit_id="vis_1"), days_ago(-3)), NOON),
    (needing(visit("cli_a", days_ago(4), visit_id="vis_2"), days_ago(-12)), NOON),
    (
        needing(visit("cli_b", days_ago(9), visit_id="vis_3"), days_ago(-40), surprise_for_client_id="cli_b"),
        NOON,
    ),
    (visit("cli_b", days_ago(300), visit_id="vis_4"), NOON),
    (visit("cli_c", days_ago(-2), visit_id="vis_5"), NOON),
    (repair("cli_a", 4, 1), hours_ago(300)),
    (repair("cli_a", 5, 2), hours_ago(200)),
    (repair("cli_a", 5, 3), hours_ago(90)),
    (repair("cli_b", 6, 4, repair_id="rep_2", kind=4), hours_ago(80)),
    (
        appointment(appointments_events.AppointmentBooked, "cli_b", hours_ago(30), 1),
        hours_ago(100),
    ),
    (appointment(appointments_events.AppointmentMissed, "cli_b", hours_ago(26), 3), hours_ago(20)),
    (
        appointment(
            appointments_events.AppointmentAttended, "cli_c", hours_ago(70), 2, appointment_id="apt_2"
        ),
        hours_ago(69),
    ),
    (interest("cli_a"), hours_ago(500)),
    (interest("cli_b", interest_id="int_2"), hours_ago(10)),
    (interest("cli_c", interest_id="int_3", withdrawn=True), hours_ago(10)),
    (interest("cli_c", interest_id="int_3"), hours_ago(600)),
    (allocation(), hours_ago(400)),
    (allocation("all_2"), hours_ago(5)),
    (offer(waitlist_events.OfferMade, "cli_a", 1), hours_ago(4)),
    (offer(waitlist_events.OfferDeclined, "cli_a", 2), hours_ago(2)),
    (wish(profiles_events.WishAdded, "cli_a", 1), NOON),
    (wish(profiles_events.WishChanged, "cli_a", 2), NOON),
    (message_sent("cli_a", hours_ago(1000)), NOON),
    (message_received("cli_a", hours_ago(900)), NOON),
    (message_sent("cli_b", hours_ago(50), marketing=False), NOON),
    (message_received("cli_b", hours_ago(51)), NOON),
    (
        profiles_events.ImportBatchLanded(
            import_id="imp_1",
            clients=[client_fact("cli_b", version=1, associate_id="asc_2"), client_fact("cli_d")],
            purchases=[
                purchase_fact("cli_d", days_ago(100), minor=4_000, purchase_id="pur_7"),
                purchase_fact("cli_d", days_ago(90), minor=6_000, purchase_id="pur_8"),
                purchase_fact("cli_c", days_ago(80), minor=5_000, purchase_id="pur_9"),
            ],
        ),
        NOON,
    ),
]
MERGES = [
    (merged("cli_a", "cli_b"), NOON),
    (unmerged("cli_a", "cli_b"), NOON),
    (merged("cli_c", "cli_b", "mrg_2", 7), NOON),
]


async def tell_all(story: Story, events) -> None:
    for event, said_at in events:
        await story.tell_at(said_at, event)


async def counted(outreach, chain_id):
    """Return every row that was counted, with names in place of numbers."""
    async with outreach.database.transaction(chain_id) as tx:
        driver = await tx.driver()
        rows = {}
        for table, columns in (
            (
                "client_facts",
                "f.last_text, f.last_answer, f.purchase_days, f.first_purchase, f.last_purchase, f.last_visit,"
                " f.earlier_visit, f.home_days, f.touched, f.total_minor, f.home_repeat_minor, f.price_low_minor,"
                " f.price_high_minor, f.basis, f.changes_on,"
                " (select name from numbered_names n where n.number = f.associate),"
                " (select name from numbered_names n where n.number = f.store)",
            ),
            ("client_days", "f.what, f.day, f.value"),
            ("client_occasions", "f.kind, f.year, f.season, f.recurrence, f.lead_days, f.relationship"),
        ):
            found = await driver.fetch(
                f"select c.client_id, {columns} from {table} f join clients c on c.number = f.number"
                " and c.chain_id = f.chain_id order by 1, 2, 3, 4"
            )
            rows[table] = [tuple(row) for row in found]
        found = await driver.fetch(
            "select client_id, kind, value, share from client_affinities order by 1, 2, 3"
        )
        rows["client_affinities"] = [tuple(row) for row in found]
        return rows


async def count(outreach, chain_id):
    return await count_waiting(database=outreach.database, clock=outreach.clock, chain_id=chain_id)


async def both_books(outreach, chain_id, **slice_) -> tuple[Book, Book]:
    """Return today's book both ways."""
    now = outreach.clock.now()
    async with outreach.database.transaction(chain_id) as tx:
        chain = await chains.get_chain(tx)
        today, rests = chain.today(now), rests_at(now)
        fast = await books.read_book(tx, chain, as_of=today, rests=rests, **slice_)
        facts = await histories.read_histories(tx, chain, as_of=today, rests=rests, **slice_)
        return fast, Book.of(facts, day_number(today))


def assert_same(one: Book, other: Book) -> None:
    """Compare books column by column; rows of a client may stand in any order."""
    assert one.marks.keys() == other.marks.keys()
    for mark in one.marks:
        assert one.mark(mark).tolist() == other.mark(mark).tolist(), mark
    names = [field.name for field in dataclasses.fields(Book) if field.name not in ("marks", "vip_minor")]
    columns = [name for name in names if not name.startswith(("visit_", "occasion_", "rest_", "gift_"))]
    for name in columns:
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    for rows in ("visit_", "occasion_", "rest_", "gift_"):
        of = [name for name in names if name.startswith(rows)]
        assert sorted(zip(*(getattr(one, name).tolist() for name in of), strict=True)) == sorted(
            zip(*(getattr(other, name).tolist() for name in of), strict=True)
        ), rows


async def fresh(outreach, events, **fields) -> Story:
    """Return a chain of its own that heard these events, counted."""
    story = Story(outreach.service, f"chn_counted_{next(_chains)}", outreach.clock)
    await story.open(**fields)
    await tell_all(story, events)
    await count(outreach, story.chain_id)
    return story


@pytest.fixture(scope="module")
def in_order():
    return {}


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(len(EVENTS) + len(MERGES))),
    again=st.lists(st.integers(0, len(EVENTS) + len(MERGES) - 1), max_size=6),
    later=st.integers(0, 60),
)
async def test_any_order_repetition_and_rebuild_gives_the_same_rows_and_both_books_agree(
    outreach, story, in_order, order, again, later
):
    everything = EVENTS + MERGES
    if not in_order:
        in_order.update(await counted(outreach, (await fresh(outreach, everything)).chain_id))
    story = await fresh(outreach, [everything[at] for at in [*order, *again]])
    rows = await counted(outreach, story.chain_id)
    assert rows == in_order
    await rebuild_facts(database=outreach.database, clock=outreach.clock, chain_id=story.chain_id)
    assert await counted(outreach, story.chain_id) == rows
    assert_same(*await both_books(outreach, story.chain_id))
    outreach.clock.set(NOON + timedelta(days=later))
    try:
        await count(outreach, story.chain_id)
        assert_same(*await both_books(outreach, story.chain_id))
        by_the_way = await counted(outreach, story.chain_id)
        await rebuild_facts(database=outreach.database, clock=outreach.clock, chain_id=story.chain_id)
        again_counted = await counted(outreach, story.chain_id)
        # Days out of reach need not be forgotten at once: no book has them.
        assert {**again_counted, "client_days": []} == {**by_the_way, "client_days": []}
    finally:
        outreach.clock.set(NOON)


async def test_rows_say_what_the_events_said(outreach, story):
    await story.open()
    await tell_all(story, EVENTS)
    await count(outreach, story.chain_id)
    fast, reference = await both_books(outreach, story.chain_id)
    assert_same(fast, reference)
    names = await client_ids(outreach, story.chain_id, fast)
    a, b, c, d = (names.index(f"cli_{name}") for name in "abcd")
    day = {"today": day_number(NOON.date())}

    def ago(column, at):
        return day["today"] - int(column[at])

    assert fast.purchase_days.tolist()[a] == 2
    assert (ago(fast.first_purchase, a), ago(fast.last_purchase, a)) == (300, 20)
    # 90,000 less 10,000, 4,000 and 500 given back; the refund belongs to the second day.
    assert (fast.total_minor[a], fast.home_days[a], fast.home_repeat_minor[a]) == (83_500, 2, 3_500)
    assert (ago(fast.last_visit, a), ago(fast.earlier_visit, a)) == (4, 25)
    assert (fast.purchase_days[b], fast.home_days[b], fast.total_minor[b]) == (1, 0, 0)
    # What was said before the last purchase is done with.
    assert ago(fast.mark(Mark.NEED_BY), a) == -12
    assert ago(fast.mark(Mark.ENGAGEMENT), a) == 300
    # Ready on the day it was first said, not of the new promise.
    assert day_of(fast.mark(Mark.REPAIR_READY)[a]) == hours_ago(200).astimezone(ZONE).date()
    assert day_of(fast.mark(Mark.SERVICED)[b]) == hours_ago(80).astimezone(ZONE).date()
    assert day_of(fast.mark(Mark.APPOINTMENT_MISSED)[b]) == hours_ago(26).astimezone(ZONE).date()
    assert day_of(fast.mark(Mark.TOUCHED)[c]) == hours_ago(70).astimezone(ZONE).date()
    # She declined what came in last, and b has waited since.
    waits = fast.mark(Mark.WAITLIST_MOVED)
    assert (waits[a] < 0, waits[b], waits[c] < 0) == (True, day["today"], True)
    assert day_of(fast.mark(Mark.UNANSWERED)[a]) == hours_ago(900).astimezone(ZONE).date()
    assert fast.mark(Mark.UNANSWERED)[b] < 0
    assert fast.purchase_days[d] == 2
    assert {
        (int(client), int(kind)) for client, kind in zip(fast.gift_client, fast.gift_kind, strict=True)
    } == {
        (a, 3),
        (a, 2),
    }


async def client_ids(outreach, chain_id, book):
    async with outreach.database.transaction(chain_id) as tx:
        known = await histories.known_clients(tx, book.number.tolist())
    return [known[number].client_id for number in book.number.tolist()]


async def test_a_slice_and_single_clients_are_parts_of_the_whole_book(outreach, story):
    await story.open()
    await tell_all(story, EVENTS)
    await count(outreach, story.chain_id)
    whole, _ = await both_books(outreach, story.chain_id)
    middle = int(whole.number[1])
    assert_same(
        *await both_books(outreach, story.chain_id, from_number=middle, until_number=middle + 1_000_000)
    )
    now = outreach.clock.now()
    async with outreach.database.transaction(story.chain_id) as tx:
        chain = await chains.get_chain(tx)
        asked = {"as_of": NOON.date(), "rests": rests_at(now)}
        some = await books.read_book(tx, chain, numbers=[middle], **asked)
        _, single = await books.read_client_book(tx, chain, "cli_b", **asked)
        bought = await books.read_purchase_book(tx, chain, **asked)
        assert await books.count_clients(tx, most=3) == 3
    assert some.number.tolist() == [middle]
    assert_same(some, single)
    assert np.array_equal(bought.home_repeat_minor, whole.home_repeat_minor)


async def test_days_are_those_of_the_chain_and_change_with_its_zone(outreach, story):
    at = datetime(2026, 3, 10, 3, 30, tzinfo=NOON.tzinfo)  # the evening before in New York
    late = profiles_events.VisitRecorded(
        visit_id="vis_1", client_id="cli_1", store_id="sto_1", visit_time=timestamp_of(at)
    )
    await story.tell(client_created("cli_1"), late)  # before anything is known of the chain
    book, _ = await both_books(outreach, story.chain_id)
    assert day_of(book.last_visit[0]) == date(2026, 3, 10)
    await story.open()
    await count(outreach, story.chain_id)
    book, reference = await both_books(outreach, story.chain_id)
    assert_same(book, reference)
    assert day_of(book.last_visit[0]) == date(2026, 3, 9)


@pytest.mark.parametrize(
    ("today", "month", "day", "lead", "is_near"),
    [
        (date(2026, 2, 28), 2, 29, -1, True),
        (date(2026, 3, 1), 2, 29, -1, False),
        (date(2027, 2, 28) - timedelta(days=OCCASION_REACH_DAYS), 2, 29, -1, True),
        (date(2027, 2, 27) - timedelta(days=OCCASION_REACH_DAYS), 2, 29, -1, False),
        (date(2026, 12, 20), 1, 3, -1, True),
        (date(2026, 12, 20), 12, 19, -1, False),
        (date(2026, 12, 20), 12, 20, -1, True),
        (date(2026, 6, 1), 11, 1, -1, False),
        (date(2026, 6, 1), 11, 1, 180, True),
    ],
)
async def test_an_occasion_is_in_the_book_when_it_may_come_in_reach(
    outreach, story, today, month, day, lead, is_near
):
    outreach.clock.set(datetime.combine(today, NOON.timetz()))
    event = client_created("cli_1", occasions=[(1, 1990, month, day)])
    if lead >= 0:
        event.client.occasions[0].lead_days = lead
    await story.open()
    await story.tell(event)
    book, reference = await both_books(outreach, story.chain_id)
    assert_same(book, reference)
    assert len(book.occasion_client) == is_near


async def test_a_row_of_another_way_of_counting_is_counted_anew_before_a_ranking(outreach, story):
    await story.open()
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(3), minor=700))
    async with outreach.database.transaction(story.chain_id) as tx:
        await tx.execute("update client_facts set basis = 1, total_minor = 5")
    assert await count(outreach, story.chain_id) == 1
    book, _ = await both_books(outreach, story.chain_id)
    assert book.total_minor.tolist() == [700]


async def test_whoever_an_import_leaves_behind_is_counted_once_it_stands_still(outreach, story):
    await story.open()
    batch = profiles_events.ImportBatchLanded(import_id="imp_1", clients=[client_fact("cli_1")])
    await story.tell(batch)

    async def count_left(seconds):
        outreach.clock.set(NOON + timedelta(seconds=seconds))
        await count_left_behind(database=outreach.database, clock=outreach.clock)
        return len((await counted(outreach, story.chain_id))["client_facts"])

    assert [await count_left(4), await count_left(6)] == [0, 1]


async def test_every_table_of_clients_follows_merges_and_erasures(outreach, story):
    await story.open()
    await tell_all(story, EVENTS)
    await story.tell(profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_a"))
    await story.tell(profiles_events.ClientErased(erasure_id="ers_2", client_id="cli_b"))
    async with outreach.database.transaction(story.chain_id) as tx:
        driver = await tx.driver()
        found = await driver.fetch(
            "select table_name, column_name from information_schema.columns"
            " where table_schema = 'public' and column_name like '%client_id' order by 1, 2"
        )
        columns = [(row[0], row[1]) for row in found]
        for table, column in columns:
            left = await driver.fetchval(f"select count(*) from {table} where {column} in ('cli_a', 'cli_b')")
            assert left == 0, (table, column)
    names = {table for table, column in columns if column == "original_client_id"}
    assert set(OF_CLIENTS) <= names


async def test_the_query_of_a_client_is_short_enough_to_be_kept_prepared():
    assert len(histories._SOME_QUERY.encode()) < 15 * 1024  # asyncpg's max_cacheable_statement_size


async def test_refunds_only_are_no_purchase_and_lower_the_total(outreach, story):
    await story.open()
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(3), minor=-700))
    book, reference = await both_books(outreach, story.chain_id)
    assert_same(book, reference)
    assert (book.purchase_days[0], book.total_minor[0], book.home_repeat_minor[0]) == (0, -700, 0)
    assert book.last_purchase[0] < 0


async def test_who_is_merged_deleted_or_erased_has_no_row(outreach, story):
    await story.open()
    await tell_all(story, EVENTS)
    await story.tell(
        merged("cli_a", "cli_b"),
        profiles_events.ClientDeleted(client_id="cli_c"),
        profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_d"),
    )
    await count(outreach, story.chain_id)
    rows = await counted(outreach, story.chain_id)
    assert {row[0] for table in rows.values() for row in table} == {"cli_a"}
    async with outreach.database.transaction(story.chain_id) as tx:
        driver = await tx.driver()
        for table in ("client_days", "client_occasions"):
            others = await driver.fetchval(
                f"select count(*) from {table} where number not in (select number from client_facts)"
            )
            assert others == 0
        left = await driver.fetchval("select count(*) from contacts where client_id = 'cli_d'")
    assert left == 0
    assert_same(*await both_books(outreach, story.chain_id))


async def test_what_prefers_a_client_is_weighed_by_money_and_what_she_dislikes_is_left_out(
    outreach, story, as_associate
):
    await story.open()
    await tell_all(story, EVENTS)
    as_associate()
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_a"))
    shares = {(one.kind, one.value): round(one.share, 2) for one in facts.affinities}
    assert shares == {
        ("brand", "bra_1"): 0.78,
        ("brand", "bra_2"): 0.22,
        ("category", "ring"): 0.78,
        ("category", "earrings"): 0.22,
        ("metal", "gold"): 1.0,
        ("stone", "diamond"): 1.0,
    }
    assert (facts.price_band_low.units, facts.price_band_high.units) == (230, 610)
    assert facts.marks["repair_ready"] == hours_ago(200).astimezone(ZONE).date().isoformat()
    # The pendant is a surprise for her; what she says herself counts.
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_b"))
    assert {(one.kind, one.value) for one in facts.affinities} == {("brand", "bra_2"), ("metal", "gold")}
    assert not facts.HasField("price_band_low")


async def test_a_batch_queues_its_clients_and_twenty_who_count_at_once_count_each_right(outreach, story):
    await story.open()
    clients = [client_fact(f"cli_{number}") for number in range(60)]
    purchases = [purchase_fact(f"cli_{number}", days_ago(number), minor=1_000) for number in range(60)]
    await story.tell(
        profiles_events.ImportBatchLanded(import_id="imp_1", clients=clients, purchases=purchases)
    )
    assert not (await counted(outreach, story.chain_id))["client_facts"]
    await asyncio.gather(
        *(count(outreach, story.chain_id) for _ in range(10)),
        *(story.tell(purchase(f"cli_{number}", days_ago(1), minor=500)) for number in range(10)),
    )
    await count(outreach, story.chain_id)
    book, reference = await both_books(outreach, story.chain_id)
    assert_same(book, reference)
    assert sorted(book.total_minor.tolist()) == [1_000] * 50 + [1_500] * 10
