"""Events that share a transaction leave what each of them alone would have left."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from carnet.profiles.v1 import events_pb2 as profiles_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outreach_story import (
    Story,
    client_changed,
    client_created,
    days_ago,
    message_received,
    message_sent,
    purchase,
    visit,
)

from chassis.testing import NOON
from outreach.consumers import handlers
from outreach.event_sets import sets
from outreach.use_cases import attention

PURCHASE = purchase("cli_2", days_ago(3), minor=90_000, purchase_id="pur_2")
EVENTS = [
    client_created("cli_1", occasions=[(1, 0, 3, 20)]),
    client_created("cli_2", associate_id="asc_2"),
    client_changed("cli_1", version=2, associate_id="asc_2", occasions=[(1, 0, 3, 20)]),
    purchase("cli_1", days_ago(300), minor=50_000, purchase_id="pur_1"),
    PURCHASE,
    profiles_events.ReturnRecorded(
        return_id="ret_1",
        purchase_id="pur_2",
        client_id="cli_2",
        return_date=PURCHASE.purchase.purchase_date,
        total_minor=10_000,
        currency_code="USD",
    ),
    visit("cli_1", days_ago(9), visit_id="vis_1"),
    visit("cli_1", days_ago(2), visit_id="vis_2"),
    visit("cli_3", days_ago(2), visit_id="vis_3"),
    message_sent("cli_2", NOON - timedelta(days=5), marketing=False),
    message_received("cli_2", NOON - timedelta(days=4)),
    message_received("cli_3", NOON - timedelta(days=1)),
]
_chains = itertools.count(1)


async def left_by(outreach, tell):
    """Return what a chain of its own holds after it was told; whatever waits is counted and looked at."""
    story = Story(outreach.service, f"chn_sets_{next(_chains)}", outreach.clock)
    await story.open()
    await tell(story)
    while await attention.evaluate_due(
        database=outreach.database, clock=outreach.clock, chain_id=story.chain_id, queue_size=10
    ):
        pass
    found = {}
    async with outreach.database.transaction(story.chain_id) as tx:
        for name, query in {
            "facts": "select f.client_id, a.name as associate, last_text, last_answer, purchase_days, first_purchase,"
            " last_purchase, last_visit, earlier_visit, touched, total_minor from client_facts f"
            " left join numbered_names a on a.number = f.associate",
            "days": "select c.client_id, what, day, value from client_days join clients c using (number)",
            "occasions": "select c.client_id, kind, season from client_occasions join clients c using (number)",
            "affinities": "select client_id, kind, value, share from client_affinities",
            "queue": "select client_id, associate_id, score, reasons, expires_on from suggestions"
            " where state in ('open', 'snoozed')",
            "outcomes": "select outcome_id, kind, client_id, amount_minor, answered_at from outcomes",
            "credits": "select outcome_id, touch_id, parts from credits",
            "progress": "select newest_event_at from progress",
            "waiting": "select client_id from uncounted_clients union all select client_id from due_clients",
        }.items():
            found[name] = sorted(map(repr, (await tx.execute(query)).all()))
    return found


@pytest.fixture(scope="module")
def alone():
    """Keep what the events leave that are handled one by one: the same for every example."""
    return {}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(len(EVENTS))),
    cuts=st.sets(st.integers(1, len(EVENTS) - 1), max_size=3),
    again=st.lists(st.integers(0, len(EVENTS) - 1), max_size=3),
)
async def test_in_whatever_sets_events_leave_what_they_leave_alone(outreach, alone, order, cuts, again):
    shuffled = [EVENTS[at] for at in [*order, *again]]
    bounds = [0, *sorted(cuts), len(shuffled)]

    async def in_sets(story):
        for begin, end in itertools.pairwise(bounds):
            await story.tell_in_sets(*shuffled[begin:end])

    if not alone:
        alone.update(await left_by(outreach, lambda story: story.tell(*EVENTS)))
    assert await left_by(outreach, in_sets) == alone


async def test_a_set_of_two_is_looked_at_at_once_and_a_larger_one_soon(outreach, story):
    await story.open()
    await story.tell_in_sets(visit("cli_1", days_ago(9)), visit("cli_1", days_ago(2)))
    assert await attention.find_due(outreach.database) == []
    await story.tell_in_sets(*(visit(f"cli_{number}", days_ago(2)) for number in range(3)))
    assert [chain_id for chain_id, _, _ in await attention.find_due(outreach.database)] == [story.chain_id]
    await attention.evaluate_due(
        database=outreach.database, clock=outreach.clock, chain_id=story.chain_id, queue_size=10
    )


async def test_sets_of_the_same_clients_at_once_wait_for_each_other_and_both_count(outreach, story):
    await story.open()
    clients = [f"cli_{number:02}" for number in range(20)]
    await asyncio.gather(
        story.tell_in_sets(*(visit(client_id, days_ago(9)) for client_id in clients)),
        story.tell_in_sets(*(visit(client_id, days_ago(2)) for client_id in reversed(clients))),
        story.tell_in_sets(
            *(message_received(client_id, NOON) for client_id in clients[::3] + clients[1::3])
        ),
    )
    async with outreach.database.transaction(story.chain_id) as tx:
        visits = await tx.execute("select client_id, count(*) from visits group by 1 order by 1")
        assert [tuple(row) for row in visits] == [(client_id, 2) for client_id in clients]


def test_every_event_that_shares_a_transaction_has_a_handler_and_the_others_stay_alone(outreach):
    shared = sets(outreach.clock).events
    assert shared <= handlers(outreach.clock, outreach.service.foundation.settings).keys()
    alone = handlers(outreach.clock, outreach.service.foundation.settings).keys() - shared
    assert {one.__name__ for one in alone} == {
        "ChainCreated", "StoreCreated", "AssociateCreated", "AssociateChanged", "BookReassigned", "ClientDeleted",
        "ClientMerged", "ClientUnmerged", "ClientErased", "ImportBatchLanded", "ImportCompleted", "MessageFailed",
        "AllocationReceived",
    }  # fmt: skip
