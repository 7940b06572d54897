"""What contacts led to: credited whatever comes first, late or twice, and following clients wherever they go."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.outreach.v1 import events_pb2, outreach_pb2, reports_pb2_grpc
from carnet.outreach.v1 import reports_pb2 as pb
from carnet.privacy.v1 import privacy_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from google.type.money_pb2 import Money
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outreach_story import (
    TODAY,
    client_created,
    client_fact,
    days_ago,
    message_received,
    purchase,
    purchase_fact,
    returned,
    visit,
)
from sqlalchemy import text

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import timestamp_of
from outreach.domain.settings import AttributionRule, CreditShare, OutreachSettings
from outreach.store import settings as settings_store
from outreach.store import touches
from outreach.store.effects import find_effect_counts
from outreach.store.touches import TouchRow
from outreach.use_cases import learning, outcomes

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def reports(outreach):
    """Return the stub of reports, beside the one of the queue."""
    return reports_pb2_grpc.ReportsServiceStub(outreach.channel)


def text_sent(client_id: str, at: datetime, message_id: str, *, author: str = "asc_1") -> object:
    return messaging_events.MessageSent(
        message_id=message_id,
        client_id=client_id,
        store_id="sto_1",
        author=author,
        send_time=timestamp_of(at),
    )


async def touch(outreach, story, client_id="cli_a", *, at=NOON - DAY, touch_id="tch_1", **fields) -> None:
    """Write a logged contact down, as a call about a suggestion does."""
    row = TouchRow(
        **{
            "touch_id": touch_id,
            "client_id": client_id,
            "associate_id": "asc_1",
            "store_id": "sto_1",
            "channel": "call",
            "touched_at": at,
            **fields,
        }
    )
    async with outreach.database.transaction(story.chain_id) as tx:
        await outcomes.take_touch(tx, row, now=outreach.clock.now())


async def credited(outreach, story) -> dict[str, dict[str, float]]:
    """Return the shares of every outcome that is credited to anybody."""
    async with outreach.database.transaction(story.chain_id) as tx:
        rows = await tx.execute(
            text("select outcome_id, touch_id, parts from credits where chain_id = :c order by 1, 2"),
            {"c": story.chain_id},
        )
        found: dict[str, dict[str, float]] = {}
        for outcome_id, touch_id, parts in rows:
            found.setdefault(outcome_id, {})[touch_id] = parts / 1_000_000
        sums = await tx.execute(
            text(
                "select count(*) from touches t where chain_id = :c and (reply_parts + visit_parts + appointment_parts"
                " + purchase_parts) is distinct from coalesce((select sum(parts) from credits k"
                " where k.chain_id = :c and k.touch_id = t.touch_id), 0)"
            ),
            {"c": story.chain_id},
        )
        assert sums.scalar_one() == 0
    assert all(sum(shares.values()) == pytest.approx(1, abs=1e-12) for shares in found.values())
    return found


async def said(outreach, story) -> list[events_pb2.OutcomeCredited]:
    return await published(outreach.database, events_pb2.OutcomeCredited, chain_id=story.chain_id)


@pytest.fixture
async def told(story, as_associate):
    await story.open()
    await story.tell(client_created("cli_a"), client_created("cli_b"))
    as_associate("reports:read", "queue:read", "queue:write", "messages:send", stores=frozenset())
    return story


async def test_a_text_is_credited_with_reply_visit_and_purchase(outreach, told, reports):
    await told.tell(
        text_sent("cli_a", NOON - 2 * DAY, "msg_1"),
        message_received("cli_a", NOON - DAY),
        visit("cli_a", TODAY),
        purchase("cli_a", TODAY, purchase_id="pur_1", minor=123_456),
    )
    page = await reports.ListTouches(pb.ListTouchesRequest())
    (one,) = page.touches
    assert (one.touch_id, one.client_id, one.associate_id, one.channel) == (
        "tch_msg_1",
        "cli_a",
        "asc_1",
        "text",
    )
    assert [(led.kind, led.share, led.rule_version) for led in one.outcomes] == [
        (pb.OUTCOME_KIND_REPLY, 1.0, 1),
        (pb.OUTCOME_KIND_VISIT, 1.0, 1),
        (pb.OUTCOME_KIND_PURCHASE, 1.0, 1),
    ]
    assert one.outcomes[2].amount == Money(currency_code="USD", units=1234, nanos=560_000_000)
    event = (await said(outreach, told))[-1]
    assert (event.outcome_id, event.kind, event.version) == ("out_pur_1", pb.OUTCOME_KIND_PURCHASE, 1)
    assert [(credit.touch_id, credit.share) for credit in event.credits] == [("tch_msg_1", 1.0)]


@pytest.mark.parametrize("author", ["service:appointments", "system", "key_1", ""])
async def test_a_text_that_no_person_wrote_is_no_contact(outreach, told, reports, author):
    await told.tell(text_sent("cli_a", NOON - DAY, "msg_1", author=author), visit("cli_a", TODAY))
    assert not (await reports.ListTouches(pb.ListTouchesRequest())).touches
    assert await credited(outreach, told) == {}


@pytest.mark.parametrize("is_first", [True, False])
async def test_what_a_text_was_for_may_be_said_before_or_after_it_went(outreach, told, reports, is_first):
    async def explain() -> None:
        async with outreach.database.transaction(told.chain_id) as tx:
            await outcomes.expect_text(
                tx,
                "msg_1",
                client_id="cli_a",
                associate_id="asc_1",
                store_id="sto_1",
                campaign_id="cmp_1",
                signals=["high_intent"],
                phrasing="edited",
                now=NOON,
            )

    if is_first:
        await explain()
        assert not (await reports.ListTouches(pb.ListTouchesRequest())).touches
    await told.tell(text_sent("cli_a", NOON - DAY, "msg_1", author="service:outreach"), visit("cli_a", TODAY))
    if not is_first:
        await explain()
    (one,) = (await reports.ListTouches(pb.ListTouchesRequest(campaign_id="cmp_1"))).touches
    assert list(one.signals) == [outreach_pb2.SIGNAL_HIGH_INTENT]
    assert len(one.outcomes) == 1


async def test_a_text_of_a_suggestion_keeps_how_it_began_whatever_comes_first(outreach, told):
    await told.tell(*(visit("cli_a", days_ago(n)) for n in (9, 5)))
    async with outreach.database.transaction(told.chain_id) as tx:
        for phrasing in ("drafted", "drafted"):
            await outcomes.expect_text(
                tx,
                "msg_1",
                client_id="cli_a",
                associate_id="asc_1",
                store_id="sto_1",
                suggestion_id="sug_1",
                phrasing=phrasing,
                now=NOON,
            )
    await told.tell(text_sent("cli_a", NOON, "msg_1"))
    async with outreach.database.transaction(told.chain_id) as tx:
        kept = await tx.execute("select phrasing from touches where chain_id = :c", {"c": told.chain_id})
        assert kept.scalar_one() == "drafted"


STORY = (
    ("touch", NOON - 10 * DAY, "tch_1"),
    ("touch", NOON - 3 * DAY, "tch_2"),
    ("reply", NOON - 9 * DAY, "1"),
    ("reply", NOON - 2 * DAY, "2"),
    ("reply", NOON - 2 * DAY + HOUR, "3"),
    ("visit", NOON - DAY, "4"),
    ("purchase", days_ago(1), "pur_5"),
    ("return", days_ago(0), "pur_5"),
)


async def tell_story(outreach, story, order) -> None:
    for kind, when, name in order:
        if kind == "touch":
            await touch(outreach, story, at=when, touch_id=name)
        elif kind == "reply":
            event = message_received("cli_a", when)
            event.message_id = f"msg_{name}"
            await story.tell(event)
        elif kind == "visit":
            event = visit("cli_a", TODAY, visit_id=f"vis_{name}")
            event.visit_time.CopyFrom(timestamp_of(when))
            await story.tell(event)
        elif kind == "purchase":
            await story.tell(purchase("cli_a", when, purchase_id=name, minor=10_001))
        else:
            await story.tell(returned("cli_a", name, when, minor=1_000, return_id="ret_1"))


async def sums(outreach, story) -> list[tuple[object, ...]]:
    async with outreach.database.transaction(story.chain_id) as tx:
        rows = await tx.execute(
            text(
                "select touch_id, reply_parts, visit_parts, appointment_parts, purchase_parts, revenue_minor"
                " from touches where chain_id = :c order by 1"
            ),
            {"c": story.chain_id},
        )
        return [tuple(row) for row in rows]


_houses = itertools.count(1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(STORY), again=st.lists(st.sampled_from(STORY), max_size=3))
async def test_neither_order_nor_repetition_matters(outreach, told, order, again):
    expected = [
        ("tch_1", 1_000_000, 333_333, 0, 333_333, 3_000),
        ("tch_2", 1_000_000, 666_667, 0, 666_667, 6_001),
    ]
    other = type(told)(outreach.service, f"{told.chain_id}_{next(_houses)}", outreach.clock)
    await other.open()
    await other.tell(client_created("cli_a"))
    await tell_story(outreach, other, [*order, *again])
    assert await sums(outreach, other) == expected
    assert set(await credited(outreach, other)) == {"out_msg_1", "out_msg_2", "out_vis_4", "out_pur_5"}


async def test_a_repeated_event_says_nothing_again_and_a_late_contact_credits_anew_once(outreach, told):
    await touch(outreach, told, at=NOON - 3 * DAY, touch_id="tch_2")
    bought = purchase("cli_a", days_ago(1), purchase_id="pur_1")
    await told.tell(bought, bought)
    assert [event.version for event in await said(outreach, told)] == [1]
    for _ in range(2):
        await touch(outreach, told, at=NOON - 10 * DAY, touch_id="tch_1")
    events = await said(outreach, told)
    assert [(event.outcome_id, event.version, len(event.credits)) for event in events] == [
        ("out_pur_1", 1, 1),
        ("out_pur_1", 2, 2),
    ]
    assert sum(credit.share for credit in events[1].credits) == pytest.approx(1)


async def test_outcomes_outside_of_their_window_are_nobodys(outreach, told):
    await touch(outreach, told, at=NOON - 31 * DAY)
    await told.tell(message_received("cli_a", NOON), visit("cli_a", TODAY))
    assert await credited(outreach, told) == {}
    await told.tell(purchase("cli_a", TODAY, purchase_id="pur_1"))
    assert await credited(outreach, told) == {"out_pur_1": {"tch_1": 1}}


async def test_a_purchase_of_the_same_day_counts_unless_it_was_told_of_before_the_text(outreach, told):
    await told.tell(purchase("cli_a", TODAY, purchase_id="pur_1"))  # told at NOON
    await touch(outreach, told, at=NOON + HOUR)
    assert await credited(outreach, told) == {}
    await told.tell(purchase("cli_b", TODAY, purchase_id="pur_2"))
    await touch(outreach, told, "cli_b", at=NOON - HOUR, touch_id="tch_2")
    assert await credited(outreach, told) == {"out_pur_2": {"tch_2": 1}}


async def test_days_are_the_chains(outreach, told):
    # 01:00 in Boston on 10 February is the 28th day before 10 March there; in UTC both are a day of their own.
    midnight = datetime(2026, 2, 8, 4, 30, tzinfo=UTC)  # 7 February, 23:30 in Boston
    await touch(outreach, told, at=midnight)
    event = visit("cli_a", TODAY, visit_id="vis_1")
    event.visit_time.CopyFrom(timestamp_of(datetime(2026, 3, 9, 23, 0, tzinfo=UTC)))  # the 30th day after it
    late = visit("cli_a", TODAY, visit_id="vis_2")
    late.visit_time.CopyFrom(timestamp_of(datetime(2026, 3, 10, 4, 30, tzinfo=UTC)))  # 00:30 on the 31st
    await told.tell(event, late)
    assert set(await credited(outreach, told)) == {"out_vis_1"}


async def test_an_import_is_credited_as_a_set_and_history_is_left_alone(outreach, told):
    await touch(outreach, told, at=NOON - 40 * DAY)
    facts = [
        purchase_fact("cli_a", days_ago(20), purchase_id="pur_1"),
        purchase_fact("cli_a", days_ago(5), purchase_id="pur_2"),
        purchase_fact("cli_b", days_ago(20), purchase_id="pur_3"),
        purchase_fact("cli_b", days_ago(700), purchase_id="pur_4"),
        purchase_fact("cli_b", days_ago(2), purchase_id="pur_5", minor=-500),
    ]
    await told.tell(profiles_events.ImportBatchLanded(import_id="imp_1", purchases=facts))
    assert await credited(outreach, told) == {"out_pur_1": {"tch_1": 1}, "out_pur_2": {"tch_1": 1}}
    async with outreach.database.transaction(told.chain_id) as tx:
        kept = await tx.execute("select count(*) from outcomes where chain_id = :c", {"c": told.chain_id})
        assert kept.scalar_one() == 2
    # A contact that is heard of only now stood before one of them.
    await touch(outreach, told, "cli_b", at=NOON - 21 * DAY, touch_id="tch_2")
    assert (await credited(outreach, told))["out_pur_3"] == {"tch_2": 1}


async def test_a_return_lowers_the_amount_and_what_came_back_whole_is_no_purchase(outreach, told):
    await touch(outreach, told, at=NOON - 3 * DAY)
    await told.tell(
        returned("cli_a", "pur_1", TODAY, minor=4_000, return_id="ret_1"),
        purchase("cli_a", days_ago(1), purchase_id="pur_1", minor=10_000),
    )
    assert [row[-2:] for row in await sums(outreach, told)] == [(1_000_000, 6_000)]
    await told.tell(returned("cli_a", "pur_1", TODAY, minor=1, return_id="ret_2", currency="EUR"))
    assert [row[-1] for row in await sums(outreach, told)] == [6_000]
    await told.tell(returned("cli_a", "pur_1", TODAY, minor=6_000, return_id="ret_3"))
    assert [row[-2:] for row in await sums(outreach, told)] == [(0, 0)]
    assert not (await said(outreach, told))[-1].credits


async def test_outcomes_keep_the_rule_that_they_were_credited_by(outreach, told):
    await touch(outreach, told, at=NOON - 8 * DAY, touch_id="tch_1")
    await touch(outreach, told, at=NOON - DAY, touch_id="tch_2")
    await told.tell(visit("cli_a", TODAY, visit_id="vis_1"))
    async with outreach.database.transaction(told.chain_id) as tx:
        now = outreach.clock.now()
        old = await settings_store.find_written(tx, lock=True)
        wanted = OutreachSettings(attribution=AttributionRule(visit_days=7, share=CreditShare.LAST))
        await settings_store.put_settings(tx, old.updated(wanted, etag=""), now=now)
    await told.tell(visit("cli_a", TODAY, visit_id="vis_2"))
    await touch(outreach, told, at=NOON - 2 * DAY, touch_id="tch_3")
    found = await credited(outreach, told)
    assert set(found["out_vis_1"]) == {"tch_1", "tch_2", "tch_3"}
    assert found["out_vis_2"] == {"tch_2": 1}
    assert {event.outcome_id: event.rule_version for event in await said(outreach, told)} == {
        "out_vis_1": 1,
        "out_vis_2": 2,
    }


def merged(merge_id="mrg_1"):
    return profiles_events.ClientMerged(
        merge_id=merge_id, client=client_fact("cli_a", version=5), merged_client_id="cli_b"
    )


def unmerged(merge_id="mrg_1"):
    return profiles_events.ClientUnmerged(
        merge_id=merge_id, client=client_fact("cli_a", version=6), restored=client_fact("cli_b", version=6)
    )


async def test_credits_follow_a_merge_and_one_that_was_taken_back(outreach, told):
    await touch(outreach, told, "cli_b", at=NOON - 2 * DAY, touch_id="tch_1")
    await told.tell(purchase("cli_a", TODAY, purchase_id="pur_1"))
    assert await credited(outreach, told) == {}
    await told.tell(merged())
    assert await credited(outreach, told) == {"out_pur_1": {"tch_1": 1}}
    await told.tell(unmerged())
    assert await credited(outreach, told) == {}
    assert [row[4] for row in await sums(outreach, told)] == [0]


async def test_late_events_of_a_merged_client_are_credited_to_the_survivors_contacts(outreach, told):
    await touch(outreach, told, "cli_a", at=NOON - 2 * DAY, touch_id="tch_1")
    await told.tell(merged(), visit("cli_b", TODAY, visit_id="vis_1"))
    assert await credited(outreach, told) == {"out_vis_1": {"tch_1": 1}}
    await told.tell(unmerged())
    assert await credited(outreach, told) == {}


async def test_an_erasure_removes_contacts_outcomes_and_what_was_learned(outreach, told):
    for number, client_id in enumerate(("cli_a", "cli_b")):
        await touch(
            outreach, told, client_id, at=NOON - 20 * DAY, touch_id=f"tch_{number}", signals=["high_intent"]
        )
        await told.tell(visit(client_id, TODAY))
    await learning.count_contacts(database=outreach.database, clock=outreach.clock, chain_id=told.chain_id)
    assert await counts(outreach, told) == {"high_intent": (2, 2)}
    await told.tell(profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_a"))
    assert set(await credited(outreach, told)) == set(await credited(outreach, told))
    assert [row[0] for row in await sums(outreach, told)] == ["tch_1"]
    assert await counts(outreach, told) == {"high_intent": (1, 1)}
    await told.tell(visit("cli_a", TODAY), message_received("cli_a", NOON), text_sent("cli_a", NOON, "msg_9"))
    await touch(outreach, told, "cli_a", touch_id="tch_9")
    assert [row[0] for row in await sums(outreach, told)] == ["tch_1"]


async def test_a_contact_logged_by_mistake_is_taken_back(outreach, told):
    await touch(outreach, told, at=NOON - DAY, signals=["high_intent"])
    await told.tell(visit("cli_a", TODAY))
    await learning.count_contacts(database=outreach.database, clock=outreach.clock, chain_id=told.chain_id)
    async with outreach.database.transaction(told.chain_id) as tx:
        await outcomes.take_back(tx, "tch_1", now=NOON)
    assert await credited(outreach, told) == {}
    assert await counts(outreach, told) == {"high_intent": (0, 0)}


async def counts(outreach, story) -> dict[str, tuple[int, int]]:
    async with outreach.database.transaction(story.chain_id) as tx:
        found = await find_effect_counts(tx)
    return {str(signal): (one.contacts, one.answers) for signal, one in found.items()}


async def test_signals_learn_once_a_contact_was_answered_or_its_time_is_over(outreach, told):
    async def learn() -> dict[str, tuple[int, int]]:
        await learning.learn_from_outcomes(database=outreach.database, clock=outreach.clock)
        return await counts(outreach, told)

    await touch(outreach, told, "cli_a", at=NOON, signals=["high_intent", "thank_you"])
    await touch(outreach, told, "cli_b", at=NOON, touch_id="tch_2", signals=["high_intent"])
    assert await learn() == {}
    outreach.clock.advance(HOUR)
    await told.tell(message_received("cli_a", NOON + HOUR))
    assert await learn() == {"high_intent": (1, 1), "thank_you": (1, 1)}
    assert await learn() == {"high_intent": (1, 1), "thank_you": (1, 1)}
    outreach.clock.advance(8 * DAY)
    assert await learn() == {"high_intent": (2, 1), "thank_you": (1, 1)}
    # Later than a reply, and yet an answer.
    await told.tell(purchase("cli_b", outreach.clock.now().date(), purchase_id="pur_1"))
    assert await learn() == {"high_intent": (2, 2), "thank_you": (1, 1)}
    await told.tell(returned("cli_b", "pur_1", outreach.clock.now().date(), minor=50_000))
    assert await learn() == {"high_intent": (2, 1), "thank_you": (1, 1)}


async def test_a_rebuild_comes_to_the_same(outreach, told):
    await tell_story(outreach, told, STORY)
    await touch(outreach, told, "cli_b", at=NOON - 20 * DAY, touch_id="tch_3", signals=["thank_you"])
    await touch(outreach, told, "cli_b", at=NOON, touch_id="tch_4", signals=["thank_you"])
    await learning.count_contacts(database=outreach.database, clock=outreach.clock, chain_id=told.chain_id)
    before = await sums(outreach, told), await counts(outreach, told), len(await said(outreach, told))
    async with outreach.database.transaction(told.chain_id) as tx:
        for table in (
            "touches set reply_parts = 5",
            "touches set learned = 0",
            "signal_effects set contacts = 7",
        ):
            await tx.execute(f"update {table} where chain_id = :c", {"c": told.chain_id})
    for _ in range(2):
        await learning.rebuild(database=outreach.database, clock=outreach.clock, chain_id=told.chain_id)
        assert before == (
            await sums(outreach, told),
            await counts(outreach, told),
            len(await said(outreach, told)),
        )


async def test_twenty_at_once_credit_each_outcome_once(outreach, told, gather):
    await touch(outreach, told, at=NOON - DAY, signals=["high_intent"])
    visits = [visit("cli_a", TODAY, visit_id=f"vis_{n % 5}") for n in range(20)]
    done = await gather(*(told.tell(one) for one in visits))
    for failed, one in zip(done, visits, strict=True):  # a collision comes again, as from the broker
        if isinstance(failed, ServiceError):
            assert failed.kind is Kind.CONFLICT
            await told.tell(one)
    assert len(await credited(outreach, told)) == 5
    assert [event.version for event in await said(outreach, told)] == [1] * 5
    assert (await sums(outreach, told))[0][2] == 5_000_000


async def test_contacts_and_outcomes_of_one_client_at_once_miss_nothing(outreach, told, gather):
    work = [touch(outreach, told, at=NOON - 2 * DAY, touch_id=f"tch_{n}") for n in range(5)]
    events = [visit("cli_a", TODAY, visit_id=f"vis_{n}") for n in range(5)]
    done = await gather(*work, *(told.tell(event) for event in events))
    assert not [one for one in done if isinstance(one, Exception)]
    found = await credited(outreach, told)
    assert set(found) == {f"out_vis_{n}" for n in range(5)}
    assert all(len(shares) == 5 for shares in found.values())


async def test_what_is_kept_of_a_contact_is_told_with_whom_it_is_a_surprise_for(outreach, told, as_associate):
    await touch(outreach, told, signals=["high_intent"])
    secret = purchase("cli_a", TODAY, purchase_id="pur_1", minor=123_450)
    secret.purchase.surprise_for_client_id = "cli_a"
    await told.tell(secret)
    as_associate("records:export")
    page = await outreach.records.ListClientRecords(
        privacy_pb2.ListClientRecordsRequest(client_ids=["cli_a"])
    )
    records = {record.section: dict(record.fields) for record in page.records}
    assert (records["touches"]["channel"], list(records["touches"]["signals"])) == ("call", ["high_intent"])
    outcome = records["outcomes"]
    assert (outcome["kind"], outcome["amount"], outcome["surprise_for_client_id"]) == (
        "purchase",
        "1234.50 USD",
        "cli_a",
    )
    assert dict(outcome["credited_to"]) == {"tch_1": 1}


async def test_another_chain_has_nothing_of_it(outreach, told, reports, as_associate):
    await touch(outreach, told)
    as_associate("reports:read", chain_id="chn_stranger")
    assert not (await reports.ListTouches(pb.ListTouchesRequest())).touches
    assert not (await reports.ListTouches(pb.ListTouchesRequest(client_id="cli_a"))).touches


def test_ids_are_made_of_what_they_came_from() -> None:
    assert touches.touch_of_text("msg_1") == "tch_msg_1"
    assert touches.touch_of_suggestion("sug_1") == "tch_sug_1"
    assert date(2026, 3, 10) == TODAY
