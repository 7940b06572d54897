"""Two clients become one, and two again: facts unite and come apart, and at most one suggestion is open for each."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from outreach_story import (
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
from outreach.store import due_clients
from outreach.use_cases import attention

_chains = itertools.count(1)


def merged(surviving_id, merged_id, merge_id="mrg_1", version=5, **fields):
    return profiles_events.ClientMerged(
        merge_id=merge_id,
        client=client_fact(surviving_id, version=version, **fields),
        merged_client_id=merged_id,
    )


def unmerged(surviving_id, restored_id, merge_id="mrg_1", version=6):
    return profiles_events.ClientUnmerged(
        merge_id=merge_id,
        client=client_fact(surviving_id, version=version),
        restored=client_fact(restored_id, version=version),
    )


async def facts_of(outreach, client_id):
    return await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id=client_id))


async def queue_of(outreach, associate_id="asc_1"):
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id, page_size=50))
    return {suggestion.client_id for suggestion in queue.suggestions}


@pytest.fixture
async def two(story, as_associate):
    """Tell of two clients who both bought, came in, and stand on the queue."""
    await story.open()
    await story.tell(
        client_created("cli_a"),
        client_created("cli_b"),
        purchase("cli_a", days_ago(400), minor=1_000),
        purchase("cli_b", days_ago(300), minor=20_000),
        *(visit(client_id, days_ago(day)) for client_id in ("cli_a", "cli_b") for day in (3, 1)),
    )
    as_associate()
    return story


async def test_facts_unite_under_both_ids_and_come_apart_again(outreach, two):
    before = [await facts_of(outreach, client_id) for client_id in ("cli_a", "cli_b")]
    await two.tell(merged("cli_a", "cli_b"))
    one, other = await facts_of(outreach, "cli_a"), await facts_of(outreach, "cli_b")
    assert one == other
    assert (one.client_id, one.purchases, one.total.units, one.visits) == ("cli_a", 2, 210, 4)
    assert await queue_of(outreach) == {"cli_a"}
    await two.tell(unmerged("cli_a", "cli_b"))
    assert [await facts_of(outreach, client_id) for client_id in ("cli_a", "cli_b")] == before
    assert await queue_of(outreach) == {"cli_a", "cli_b"}


async def test_what_came_since_stays_with_the_survivor_and_what_comes_late_goes_back(outreach, two):
    await two.tell(merged("cli_a", "cli_b"))
    await two.tell(purchase("cli_a", days_ago(0), minor=7_00), purchase("cli_b", days_ago(9), minor=3_00))
    assert (await facts_of(outreach, "cli_a")).purchases == 4
    await two.tell(unmerged("cli_a", "cli_b"))
    one, other = await facts_of(outreach, "cli_a"), await facts_of(outreach, "cli_b")
    assert (one.purchases, one.total.units) == (2, 17)
    assert (other.purchases, other.total.units) == (2, 203)


async def test_the_whole_chain_is_ranked_as_the_merge_has_left_it(outreach, two):
    await two.tell(message_sent("cli_b", NOON - timedelta(days=2)), merged("cli_a", "cli_b"))
    scored = await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert (scored.clients_scored, scored.purchase_model.clients) == (1, 1)
    assert scored.purchase_model.repeat_clients == 1
    await two.tell(unmerged("cli_a", "cli_b"))
    scored = await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert (scored.clients_scored, scored.purchase_model.clients) == (2, 2)
    assert scored.purchase_model.repeat_clients == 0
    assert await queue_of(outreach) == {"cli_a", "cli_b"}


async def test_a_text_to_either_keeps_the_one_in_peace(outreach, two):
    await two.tell(message_sent("cli_b", NOON))
    assert await queue_of(outreach) == {"cli_a"}
    await two.tell(merged("cli_a", "cli_b"))
    assert (await facts_of(outreach, "cli_a")).last_contact_date.day == NOON.day
    await two.tell(unmerged("cli_a", "cli_b"))
    assert not (await facts_of(outreach, "cli_a")).HasField("last_contact_date")
    assert (await facts_of(outreach, "cli_b")).last_contact_date.day == NOON.day


async def test_an_answer_to_the_merged_one_s_suggestion_rests_the_survivor_s_and_goes_back(outreach, two):
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    (others,) = [one for one in queue.suggestions if one.client_id == "cli_b"]
    await outreach.stub.DismissSuggestion(
        pb.DismissSuggestionRequest(suggestion_id=others.suggestion_id, reason="not now")
    )
    assert await queue_of(outreach) == {"cli_a"}
    await two.tell(merged("cli_a", "cli_b"))
    assert await queue_of(outreach) == set()
    found = await outreach.stub.GetSuggestion(pb.GetSuggestionRequest(suggestion_id=others.suggestion_id))
    assert found.client_id == "cli_a"
    await two.tell(unmerged("cli_a", "cli_b"))
    assert await queue_of(outreach) == {"cli_a"}


async def test_a_suggestion_that_was_withdrawn_is_closed_for_who_still_looks_at_it(outreach, two):
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    (others,) = [one for one in queue.suggestions if one.client_id == "cli_b"]
    await two.tell(merged("cli_a", "cli_b"))
    found = await outreach.stub.GetSuggestion(pb.GetSuggestionRequest(suggestion_id=others.suggestion_id))
    assert (found.state, found.client_id) == (pb.SUGGESTION_STATE_EXPIRED, "cli_a")


def _moment(hours):
    return NOON - timedelta(hours=hours)


EVENTS = [
    client_created("cli_a", version=1),
    client_created("cli_b", version=1, associate_id="asc_2", occasions=[(1, 0, 3, 20)]),
    client_created("cli_c", version=1),
    purchase("cli_a", days_ago(300), minor=1_000, purchase_id="pur_1"),
    purchase("cli_b", days_ago(200), minor=2_000, purchase_id="pur_2"),
    profiles_events.ImportBatchLanded(
        import_id="imp_1",
        clients=[client_fact("cli_b", version=1, associate_id="asc_2", occasions=[(1, 0, 3, 20)])],
        purchases=[
            purchase_fact("cli_b", days_ago(100), minor=3_000, purchase_id="pur_3"),
            purchase_fact("cli_c", days_ago(50), minor=4_000, purchase_id="pur_4"),
        ],
    ),
    returned("cli_b", "pur_2", days_ago(190), minor=2_000, return_id="ret_1"),
    visit("cli_a", days_ago(4), visit_id="vis_1"),
    visit("cli_b", days_ago(9), visit_id="vis_2"),
    visit("cli_c", days_ago(2), visit_id="vis_3"),
    message_sent("cli_b", _moment(1000)),
    message_received("cli_b", _moment(900)),
    merged("cli_a", "cli_b", "mrg_1", 5),
    unmerged("cli_a", "cli_b", "mrg_1", 6),
    merged("cli_c", "cli_b", "mrg_2", 7),
]


async def told(outreach, as_associate, events):
    """Return facts and queues after a chain of its own heard these events."""
    story = Story(outreach.service, f"chn_merge_order_{next(_chains)}", outreach.clock)
    await story.open()
    await story.tell(*events)
    # Whom a file is about is looked at when it is through, whatever came after or before the batch.
    async with outreach.database.transaction(story.chain_id) as tx:
        await due_clients.mark_due(tx, ["cli_b", "cli_c"], now=outreach.clock.now())
    await attention.evaluate_due(
        database=outreach.database, clock=outreach.clock, chain_id=story.chain_id, queue_size=10
    )
    as_associate(chain_id=story.chain_id)
    said = [await facts_of(outreach, client_id) for client_id in ("cli_a", "cli_b", "cli_c")]
    said.append(await outreach.stub.GetFactsSummary(pb.GetFactsSummaryRequest()))
    for associate_id in ("asc_1", "asc_2"):
        queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id))
        ordered = sorted(queue.suggestions, key=lambda suggestion: suggestion.client_id)
        for suggestion in ordered:
            suggestion.ClearField("suggestion_id")
        said.append(pb.ListQueueResponse(suggestions=ordered))
    return [message.SerializeToString(deterministic=True) for message in said]


@pytest.fixture(scope="module")
def in_order():
    """Keep what the events leave in their order: the same for every example."""
    return []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(EVENTS))), again=st.lists(st.integers(0, len(EVENTS) - 1), max_size=6))
@example(order=[0, 1, 2, 3, 4, 13, 6, 14, 8, 9, 10, 11, 12, 5, 7], again=[])  # the file comes last
async def test_any_order_and_repetition_of_events_gives_the_same_facts(
    outreach, story, as_associate, in_order, order, again
):
    shuffled = [EVENTS[at] for at in [*order, *again]]
    if not in_order:
        in_order.extend(await told(outreach, as_associate, EVENTS))
    assert await told(outreach, as_associate, shuffled) == in_order


async def test_the_survivor_s_version_orders_what_is_known_of_it(outreach, two):
    await two.tell(merged("cli_a", "cli_b", version=9, associate_id="asc_2"))
    await two.tell(client_created("cli_a", version=4, associate_id="asc_3"))
    assert (await facts_of(outreach, "cli_b")).associate_id == "asc_2"
    assert (await queue_of(outreach), await queue_of(outreach, "asc_2")) == (set(), {"cli_a"})


async def test_twenty_visits_of_the_merged_one_and_the_merge_at_once_are_all_the_survivor_s(outreach, two):
    await asyncio.gather(
        *(two.tell(visit("cli_b", days_ago(day))) for day in range(10)),
        two.tell(merged("cli_a", "cli_b")),
        *(two.tell(visit("cli_b", days_ago(day))) for day in range(10, 20)),
    )
    assert (await facts_of(outreach, "cli_a")).visits == 24
    assert await queue_of(outreach) <= {"cli_a"}
