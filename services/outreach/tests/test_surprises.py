"""Gift-safe: what is a surprise for a client is in none of that client's own signals."""

from datetime import date, timedelta

import pytest
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.profiles.v1 import profiles_pb2
from outreach_story import TODAY, client_created, client_fact, days_ago, purchase, visit

from chassis.testing import NOON
from chassis.values import proto_date_of


async def sentences(outreach, client_id="cli_1"):
    """Return what the queue says of a client, one evaluated by itself and in the ranking of the chain alike."""
    alone = await _said(outreach, client_id)
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert await _said(outreach, client_id) == alone
    return alone


async def _said(outreach, client_id):
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    found = [one for one in queue.suggestions if one.client_id == client_id]
    return [reason.sentence for one in found for reason in one.reasons]


def day_of(client_id, day, **fields):
    fact = client_fact(client_id)
    occasion = fact.occasions.add(occasion_id="occ_1", kind=profiles_pb2.OCCASION_KIND_ANNIVERSARY, **fields)
    occasion.date.CopyFrom(proto_date_of(day))
    return profiles_events.ClientCreated(client=fact)


AHEAD = TODAY + timedelta(days=10)


@pytest.fixture
async def told(story, as_associate):
    await story.open()
    as_associate()
    return story


async def test_a_day_that_is_a_surprise_for_herself_is_not_on_her_queue(outreach, told):
    await told.tell(
        day_of("cli_1", AHEAD, surprise_for_client_id="cli_1"),
        day_of("cli_2", AHEAD, surprise_for_client_id="cli_1"),
    )
    assert await sentences(outreach, "cli_1") == []
    assert await sentences(outreach, "cli_2") == ["Anniversary on 20 March, in 10 days."]


async def test_a_day_that_is_a_surprise_for_who_was_merged_into_her_is_not_either(outreach, told):
    await told.tell(day_of("cli_1", AHEAD, surprise_for_client_id="cli_2"), client_created("cli_2"))
    assert len(await sentences(outreach)) == 1
    fact = day_of("cli_1", AHEAD, surprise_for_client_id="cli_2").client
    fact.version = 5
    await told.tell(profiles_events.ClientMerged(merge_id="mrg_1", client=fact, merged_client_id="cli_2"))
    assert await sentences(outreach) == []


@pytest.mark.parametrize(("ends", "is_told"), [(None, False), (0, False), (1, True)])
async def test_a_purchase_that_is_a_surprise_for_herself_counts_when_it_is_over(
    outreach, told, ends, is_told
):
    event = purchase("cli_1", days_ago(200), minor=50_000)
    event.purchase.surprise_for_client_id = "cli_1"
    if ends is not None:
        event.purchase.surprise_end_date.CopyFrom(proto_date_of(days_ago(ends)))
    await told.tell(client_created("cli_1"), event)
    assert bool(await sentences(outreach)) == is_told
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
    assert facts.purchases == 1  # the house knows


async def test_a_visit_that_is_a_surprise_for_herself_is_no_sign_of_interest(outreach, told):
    first, second = visit("cli_1", days_ago(4)), visit("cli_1", days_ago(2))
    second.surprise_for_client_id = "cli_1"
    await told.tell(client_created("cli_1"), first, second)
    assert not [said for said in await sentences(outreach) if "twice" in said or "2 days" in said]
    await told.tell(visit("cli_1", days_ago(1)))
    assert [said for said in await sentences(outreach) if "twice" in said]


async def test_what_she_buys_for_somebody_else_is_hers(outreach, told):
    event = purchase("cli_1", days_ago(200), minor=50_000)
    event.purchase.surprise_for_client_id = event.purchase.recipient_client_id = "cli_2"
    await told.tell(client_created("cli_1"), client_created("cli_2"), event)
    assert len(await sentences(outreach)) == 1
    assert await sentences(outreach, "cli_2") == []


async def test_a_day_that_is_once_does_not_return(outreach, told):
    once = profiles_pb2.OCCASION_RECURRENCE_ONCE
    await told.tell(
        day_of("cli_1", AHEAD, recurrence=once),
        day_of("cli_2", date(AHEAD.year - 1, AHEAD.month, AHEAD.day), recurrence=once),
        day_of("cli_3", date(AHEAD.year - 1, AHEAD.month, AHEAD.day)),
    )
    assert [len(await sentences(outreach, f"cli_{number}")) for number in (1, 2, 3)] == [1, 0, 1]


async def test_a_lead_of_its_own_opens_the_window_earlier_or_later(outreach, told):
    await told.tell(
        day_of("cli_1", TODAY + timedelta(days=60), lead_days=60),
        day_of("cli_2", TODAY + timedelta(days=61), lead_days=60),
        day_of("cli_3", TODAY + timedelta(days=10), lead_days=7),
    )
    assert [len(await sentences(outreach, f"cli_{number}")) for number in (1, 2, 3)] == [1, 0, 0]


async def test_somebody_else_s_day_says_whose_it_is(outreach, told):
    await told.tell(
        day_of("cli_1", AHEAD, relationship_kind=profiles_pb2.RELATIONSHIP_KIND_SPOUSE),
        day_of("cli_2", AHEAD, relationship_kind=profiles_pb2.RELATIONSHIP_KIND_OTHER),
    )
    assert await sentences(outreach) == ["Anniversary of the spouse on 20 March, in 10 days."]
    assert await sentences(outreach, "cli_2") == ["Anniversary of somebody close on 20 March, in 10 days."]


async def test_occasions_written_before_there_were_surprises_are_read_as_ever(outreach, told):
    await told.tell(client_created("cli_1", occasions=[(1, 0, AHEAD.month, AHEAD.day)]))
    async with outreach.database.transaction(told.chain_id) as tx:
        await tx.execute(
            "update clients set occasions = cast(:old as jsonb) where client_id = 'cli_1'",
            {"old": f"[[1, 0, {AHEAD.month}, {AHEAD.day}]]"},
        )
    await told.tell(visit("cli_1", NOON.date()))
    assert await sentences(outreach) == ["Birthday on 20 March, in 10 days."]
