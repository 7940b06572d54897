"""Facts: the same events, in any order and however often, leave the same facts."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outreach_story import (
    Story,
    client_changed,
    client_created,
    client_fact,
    days_ago,
    message_received,
    message_sent,
    purchase,
    purchase_fact,
    visit,
)

from chassis.errors import Kind, ServiceError
from chassis.events import wrap
from chassis.testing import NOON
from chassis.values import proto_date_of

EVENTS = [
    client_created("cli_1", version=1),
    client_changed("cli_1", version=2, associate_id="asc_2"),
    profiles_events.ClientAssigned(
        client=client_fact("cli_1", version=3, associate_id="asc_3", store_id="sto_2")
    ),
    profiles_events.BookReassigned(
        reassignment_id="rea_1",
        previous_associate_id="asc_3",
        clients=[client_fact("cli_1", version=4, associate_id="asc_1", store_id="sto_2")],
    ),
    purchase("cli_1", days_ago(300), minor=1_000, purchase_id="pur_1"),
    purchase("cli_1", days_ago(300), minor=2_000, purchase_id="pur_2"),
    purchase("cli_1", days_ago(20), minor=-500, purchase_id="pur_3"),
    visit("cli_1", days_ago(4), visit_id="vis_1"),
    visit("cli_1", days_ago(9), visit_id="vis_2"),
    message_sent("cli_1", NOON - timedelta(days=40)),
    message_sent("cli_1", NOON - timedelta(days=60), marketing=False),
    message_received("cli_1", NOON - timedelta(days=41)),
    profiles_events.ImportBatchLanded(
        import_id="imp_1",
        clients=[client_fact("cli_1", version=1), client_fact("cli_2")],
        purchases=[
            purchase_fact("cli_1", days_ago(300), minor=1_000, purchase_id="pur_1"),
            purchase_fact("cli_1", days_ago(100), minor=4_000, purchase_id="pur_4"),
            purchase_fact("cli_2", days_ago(100), minor=700, currency="EUR", purchase_id="pur_5"),
        ],
    ),
]
_chains = itertools.count(1)


async def facts_after(outreach, as_associate, events) -> list[bytes]:
    """Return the facts of both clients, and the queues, after a chain of its own heard these events."""
    story = Story(outreach.service, f"chn_order_{next(_chains)}", outreach.clock)
    await story.open()
    await story.tell(*events)
    as_associate(chain_id=story.chain_id)
    said = [
        await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id=client_id))
        for client_id in ("cli_1", "cli_2")
    ]
    said.append(await outreach.stub.GetFactsSummary(pb.GetFactsSummaryRequest()))
    for associate_id in ("asc_1", "asc_2", "asc_3"):
        queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id))
        for suggestion in queue.suggestions:
            suggestion.ClearField("suggestion_id")
        said.append(queue)
    return [message.SerializeToString(deterministic=True) for message in said]


@pytest.fixture(scope="module")
def in_order():
    """Keep what the events leave in their order: the same for every example."""
    return []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(EVENTS))), again=st.lists(st.integers(0, len(EVENTS) - 1), max_size=6))
async def test_any_order_and_repetition_of_events_gives_the_same_facts(
    outreach, story, as_associate, in_order, order, again
):
    shuffled = [EVENTS[at] for at in [*order, *again]]
    if not in_order:
        in_order.extend(await facts_after(outreach, as_associate, EVENTS))
    assert await facts_after(outreach, as_associate, shuffled) == in_order


async def test_the_same_event_twice_is_handled_once(outreach, story):
    await story.open()
    consumer = next(part for part in outreach.service.consumers if part.stream == "PROFILES")
    envelope = wrap(
        visit("cli_1", days_ago(1)), source="profiles", chain_id=story.chain_id, entity_id="", now=NOON
    )
    assert [await consumer.handle(envelope) for _ in range(2)] == ["handled", "duplicate"]


async def test_a_purchase_may_come_before_its_client(outreach, story, as_associate):
    await story.open()
    await story.tell(purchase("cli_1", days_ago(200)))
    as_associate()
    request = pb.GetClientFactsRequest(client_id="cli_1")
    assert (await outreach.stub.GetClientFacts(request)).associate_id == ""
    await story.tell(client_created("cli_1"))
    facts = await outreach.stub.GetClientFacts(request)
    assert (facts.associate_id, facts.purchases) == ("asc_1", 1)
    (suggestion,) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    assert suggestion.client_id == "cli_1"


async def test_twenty_purchases_of_one_client_at_once_all_count(outreach, story, as_associate):
    await story.open()
    await asyncio.gather(*(story.tell(purchase("cli_1", days_ago(number))) for number in range(20)))
    as_associate()
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
    assert (facts.purchases, facts.purchase_days) == (20, 20)


async def test_a_deleted_client_leaves_the_queue_and_does_not_come_back(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), visit("cli_1", days_ago(3)), visit("cli_1", days_ago(1)))
    await story.tell(profiles_events.ClientDeleted(client_id="cli_1"))
    await story.tell(client_changed("cli_1", version=9), visit("cli_1", days_ago(0)))
    as_associate()
    assert not (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")
    summary = await outreach.stub.GetFactsSummary(pb.GetFactsSummaryRequest())
    assert (summary.clients, summary.visits, summary.open_suggestions) == (0, 0, 0)


async def test_a_reassigned_book_takes_its_queue_along_and_raises_nothing(outreach, story, as_associate):
    await story.open()
    ids = [f"cli_{number}" for number in range(3)]
    for client_id in ids[:2]:
        await story.tell(
            client_created(client_id), visit(client_id, days_ago(3)), visit(client_id, days_ago(1))
        )
    await story.tell(client_created(ids[2]))

    def said(version, *associates):
        return profiles_events.BookReassigned(
            reassignment_id="rea_1",
            previous_associate_id="asc_1",
            clients=[
                client_fact(client_id, version=version, associate_id=associate_id)
                for client_id, associate_id in zip(ids, associates, strict=True)
            ],
        )

    async def queue(associate_id):
        found = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id))
        return {suggestion.client_id for suggestion in found.suggestions}

    as_associate()
    assert await queue("asc_1") == {"cli_0", "cli_1"}
    await story.tell(said(3, "asc_2", "asc_3", "asc_2"))
    assert [await queue(f"asc_{number}") for number in (1, 2, 3)] == [set(), {"cli_0"}, {"cli_1"}]
    await story.tell(said(2, "asc_1", "asc_1", "asc_1"))
    assert await queue("asc_1") == set()


async def test_a_visit_late_in_the_evening_belongs_to_the_chain_s_day(outreach, story, as_associate):
    await story.open()
    event = visit("cli_1", days_ago(1))
    event.visit_time.FromJsonString("2026-03-10T03:30:00Z")  # 23:30 of the 9th in New York
    await story.tell(event)
    as_associate()
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
    assert facts.last_visit_date == proto_date_of(days_ago(1))


async def test_money_of_another_currency_is_not_added_up(outreach, story, as_associate):
    await story.open()
    await story.tell(
        purchase("cli_1", days_ago(9), minor=100), purchase("cli_1", days_ago(5), minor=900, currency="EUR")
    )
    as_associate()
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
    assert (facts.total.units, facts.total.currency_code, facts.purchases) == (1, "USD", 2)


async def test_an_occasion_on_a_day_that_never_comes_is_left_out(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1", occasions=[(1, 0, 4, 31), (1, 0, 0, 0), (2, 0, 3, 20)]))
    as_associate()
    (suggestion,) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    assert [reason.sentence for reason in suggestion.reasons] == ["Anniversary on 20 March, in 10 days."]
