"""Some clients with a reason are left alone: never raised, always noted, the same whoever ranks."""

import pytest
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import TODAY, client_created, client_fact, days_ago, message_received, visit
from sqlalchemy import text

from chassis.testing import NOON, published
from outreach.domain.holdouts import is_held_out, period_of
from outreach.domain.settings import OutreachSettings
from outreach.store import settings as settings_store

SHARE = 0.3
_NAMES = [f"cli_{number:03}" for number in range(200)]


async def set_share(outreach, story, share: float) -> None:
    async with outreach.database.transaction(story.chain_id) as tx:
        old = await settings_store.find_written(tx, lock=True)
        await settings_store.put_settings(
            tx, old.updated(OutreachSettings(holdout_share=share), etag=""), now=NOON
        )


async def held(outreach, story) -> set[str]:
    async with outreach.database.transaction(story.chain_id) as tx:
        found = await tx.execute(
            text("select client_id from holdouts where chain_id = :c"), {"c": story.chain_id}
        )
        clients = list(found.scalars())
    assert len(clients) == len(set(clients))
    return set(clients)


def expected(story) -> set[str]:
    """Return six clients of the chain who are to be left alone."""
    period = period_of(TODAY)
    return set([one for one in _NAMES if is_held_out(story.chain_id, one, period, share=SHARE)][:6])


def everybody(story) -> list[str]:
    """Return those and a dozen others."""
    period = period_of(TODAY)
    others = [one for one in _NAMES if not is_held_out(story.chain_id, one, period, share=SHARE)][:12]
    return sorted([*expected(story), *others])


async def on_queues(outreach) -> set[str]:
    found = [
        await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=f"asc_{n}", page_size=200))
        for n in range(4)
    ]
    return {one.client_id for page in found for one in page.suggestions}


def walk_ins(story):
    for number, client_id in enumerate(everybody(story)):
        yield client_created(client_id, associate_id=f"asc_{number % 4}")
        yield visit(client_id, days_ago(9), visit_id=f"vis_{client_id}_1")
        yield visit(client_id, days_ago(4), visit_id=f"vis_{client_id}_2")


@pytest.fixture
async def told(story, as_associate):
    await story.open()
    as_associate(associate_id="", stores=frozenset())
    return story


async def test_who_is_left_alone_is_noted_and_not_raised_after_events(outreach, told):
    await set_share(outreach, told, SHARE)
    await told.tell(*walk_ins(told))
    assert await held(outreach, told) == expected(told) != set()
    assert await on_queues(outreach) == set(everybody(told)) - expected(told)
    raised = await published(outreach.database, events_pb2.SuggestionRaised, chain_id=told.chain_id)
    assert not {event.client_id for event in raised} & expected(told)


async def test_rankings_leave_the_same_alone_and_give_their_places_to_others(outreach, told):
    await told.tell(*walk_ins(told))
    async with outreach.database.transaction(told.chain_id) as tx:
        await tx.execute("delete from suggestions where chain_id = :c", {"c": told.chain_id})
    await set_share(outreach, told, SHARE)
    for _ in range(3):
        await outreach.stub.RunScoring(pb.RunScoringRequest())
        assert not await on_queues(outreach) & expected(told)
        assert await held(outreach, told) <= expected(told)
    assert await held(outreach, told) == expected(told)
    assert await on_queues(outreach) == set(everybody(told)) - expected(told)


async def test_what_stands_in_a_queue_stays_when_a_chain_begins_to_measure(outreach, told):
    await told.tell(*walk_ins(told))
    before = await on_queues(outreach)
    await set_share(outreach, told, SHARE)
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    await told.tell(visit(everybody(told)[0], days_ago(1), visit_id="vis_more"))
    assert await on_queues(outreach) == before == set(everybody(told))
    assert await held(outreach, told) == set()


async def test_nobody_is_left_alone_unless_the_chain_says_so(outreach, told):
    await told.tell(*walk_ins(told))
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert await held(outreach, told) == set()


async def test_who_waits_for_an_answer_is_not_left_alone(outreach, told):
    await set_share(outreach, told, SHARE)
    await told.tell(*walk_ins(told))
    waiting, other = sorted(expected(told))[:2]
    await told.tell(message_received(waiting, NOON), visit(waiting, days_ago(1)))
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    there = await on_queues(outreach)
    assert waiting in there
    assert other not in there


async def test_who_was_left_alone_follows_merges_and_erasures(outreach, told):
    await set_share(outreach, told, SHARE)
    await told.tell(*walk_ins(told))
    one, other = sorted(expected(told))[:2]
    merged = profiles_events.ClientMerged(
        merge_id="mrg_1", client=client_fact(one, version=5), merged_client_id=other
    )
    await told.tell(merged)
    async with outreach.database.transaction(told.chain_id) as tx:
        found = await tx.execute(
            "select count(*) from holdouts where chain_id = :c and client_id = :one",
            {"c": told.chain_id, "one": one},
        )
        assert found.scalar_one() == 2
    await told.tell(
        profiles_events.ClientUnmerged(
            merge_id="mrg_1", client=client_fact(one, version=6), restored=client_fact(other, version=6)
        )
    )
    assert await held(outreach, told) == expected(told)
    await told.tell(profiles_events.ClientErased(erasure_id="ers_1", client_id=other))
    assert await held(outreach, told) == expected(told) - {other}
