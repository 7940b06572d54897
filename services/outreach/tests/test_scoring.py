"""Ranking whole chains: as of a day, one at a time, by itself at night and after imports, and never under a replay."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import TODAY, client_changed, client_created, days_ago, purchase, visit

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import proto_date_of
from outreach.store import chains
from outreach.store.chains import Chain
from outreach.use_cases.scoring import score_waiting_chains


async def rank(outreach, as_of: date | None = None) -> pb.RunScoringResponse:
    return await outreach.stub.RunScoring(pb.RunScoringRequest(as_of_date=proto_date_of(as_of)))


async def queue(outreach, associate_id: str = "asc_1") -> list[pb.Suggestion]:
    return list((await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id))).suggestions)


async def in_the_background(outreach) -> int:
    return await asyncio.create_task(
        score_waiting_chains(
            database=outreach.database,
            clock=outreach.clock,
            nightly_hour=4,
            queue_size=10,
            replay_hold=timedelta(hours=12),
        )
    )


async def test_a_ranking_says_so_once_and_raises_no_single_events(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), client_created("cli_2"))
    await story.tell(
        profiles_events.ImportBatchLanded(
            import_id="imp_1", purchases=[purchase(f"cli_{n}", days_ago(300)).purchase for n in (1, 2)]
        )
    )
    as_associate()
    scored = await rank(outreach)
    assert (scored.clients_scored, scored.suggestions_raised) == (2, 2)
    (event,) = await published(outreach.database, events_pb2.ScoringCompleted, chain_id=story.chain_id)
    assert event.as_of_date == proto_date_of(TODAY)
    assert (event.clients_scored, event.suggestions_raised) == (2, 2)
    assert event.model_state == pb.PURCHASE_MODEL_STATE_NOT_ENOUGH_HISTORY
    assert await published(outreach.database, events_pb2.SuggestionRaised, chain_id=story.chain_id) == []


async def test_an_earlier_day_knows_nothing_that_came_later(outreach, story, as_associate):
    await story.open()
    await story.tell(
        client_created("cli_1"), purchase("cli_1", days_ago(500)), purchase("cli_1", days_ago(100))
    )
    as_associate()
    assert (await rank(outreach)).suggestions_raised == 0
    scored = await rank(outreach, days_ago(200))
    assert scored.suggestions_raised == 1
    assert scored.purchase_model.as_of_date == proto_date_of(days_ago(200))
    (suggestion,) = await queue(outreach)
    assert suggestion.reasons[0].sentence == "Bought once, 300 days ago, and has not been back."
    assert suggestion.as_of_date == proto_date_of(days_ago(200))


async def test_a_day_to_come_is_refused(outreach, story, as_associate):
    await story.open()
    as_associate()
    with pytest.raises(ServiceError) as refused:
        await rank(outreach, TODAY + timedelta(days=1))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "AS_OF_AHEAD")
    await rank(outreach, TODAY)  # and the refused one holds nothing


async def test_a_ranking_keeps_the_best_and_expires_the_others(outreach, story, as_associate):
    await story.open()
    clients = [f"cli_{number:02}" for number in range(12)]
    await story.tell(
        profiles_events.ImportBatchLanded(
            import_id="imp_1",
            clients=[client_created(client_id).client for client_id in clients],
            purchases=[
                purchase(client_id, days_ago(183 + n)).purchase for n, client_id in enumerate(clients)
            ],
        )
    )
    as_associate()
    await rank(outreach)
    assert [s.client_id for s in await queue(outreach)] == clients[
        :10
    ]  # ten a queue; the latest silence is most urgent
    await story.tell(visit("cli_00", TODAY))
    await rank(outreach)
    assert [s.client_id for s in await queue(outreach)] == clients[1:11]


async def test_who_ties_is_decided_by_client_id(outreach, story, as_associate):
    await story.open()
    clients = [f"cli_{number:02}" for number in reversed(range(12))]
    await story.tell(
        profiles_events.ImportBatchLanded(
            import_id="imp_1",
            clients=[client_created(client_id).client for client_id in clients],
            purchases=[purchase(client_id, days_ago(200)).purchase for client_id in clients],
        )
    )
    as_associate()
    await rank(outreach)
    assert sorted(s.client_id for s in await queue(outreach)) == sorted(clients)[:10]


async def test_a_snoozed_suggestion_outlives_rankings_while_its_reason_holds(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(200)))
    as_associate()
    (suggestion,) = await queue(outreach)
    await outreach.stub.SnoozeSuggestion(
        pb.SnoozeSuggestionRequest(
            suggestion_id=suggestion.suggestion_id, until_date=proto_date_of(TODAY + timedelta(days=3))
        )
    )
    await rank(outreach)
    request = pb.GetSuggestionRequest(suggestion_id=suggestion.suggestion_id)
    assert (await outreach.stub.GetSuggestion(request)).state == pb.SUGGESTION_STATE_SNOOZED
    await story.tell(purchase("cli_1", TODAY))
    assert (await outreach.stub.GetSuggestion(request)).state == pb.SUGGESTION_STATE_EXPIRED


async def test_two_rankings_of_a_chain_at_once_wait_for_each_other(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(200)))
    as_associate()
    results = await asyncio.gather(*(rank(outreach) for _ in range(5)))
    assert [result.suggestions_raised for result in results] == [1] * 5
    assert len(await queue(outreach)) == 1


async def test_a_ranking_that_crashed_lets_go_after_a_minute(outreach, story, as_associate):
    await story.open()
    async with outreach.database.transaction(story.chain_id) as tx:
        now = outreach.clock.now()
        assert await chains.take_lease(tx, token="run_dead", now=now, until=now + timedelta(seconds=60))
    as_associate()
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.RunScoring(pb.RunScoringRequest(), timeout=1.5)
    assert refused.value.reason in ("SCORING_RUNNING", "DEADLINE_EXCEEDED")
    outreach.clock.advance(timedelta(seconds=60))
    as_associate()
    await rank(outreach)
    async with outreach.database.transaction(story.chain_id) as tx:
        assert not await chains.release_lease(
            tx, token="run_dead"
        )  # it would write nothing when it came back


async def test_an_import_is_followed_by_a_ranking(outreach, story, as_associate):
    await story.open()
    await story.tell(
        profiles_events.ImportBatchLanded(
            import_id="imp_1",
            clients=[client_created("cli_1").client],
            purchases=[purchase("cli_1", days_ago(200)).purchase],
        )
    )
    as_associate()
    assert await queue(outreach) == []
    await story.tell(
        profiles_events.ImportCompleted(import_id="imp_1", clients_created=1, purchases_created=1)
    )
    assert await in_the_background(outreach) == 1
    assert await in_the_background(outreach) == 0
    assert len(await queue(outreach)) == 1


async def test_a_ranking_on_request_answers_an_import_s_request_too(outreach, story, as_associate):
    await story.open()
    await story.tell(profiles_events.ImportCompleted(import_id="imp_1"))
    as_associate()
    await rank(outreach)
    assert await in_the_background(outreach) == 0


async def test_a_replay_is_left_alone_by_the_background_even_when_the_import_ends_after_it(
    outreach, story, as_associate
):
    await story.open()
    await story.tell(
        client_created("cli_1"), purchase("cli_1", days_ago(500)), purchase("cli_1", days_ago(100))
    )
    as_associate()
    await rank(outreach, days_ago(200))
    await story.tell(profiles_events.ImportCompleted(import_id="imp_1"))
    assert await in_the_background(outreach) == 0
    # What happens to the client today says nothing about that day; only the book is followed.
    await story.tell(client_changed("cli_1", version=2, associate_id="asc_2"), visit("cli_1", TODAY))
    (suggestion,) = await queue(outreach, "asc_2")
    assert suggestion.as_of_date == proto_date_of(days_ago(200))

    outreach.clock.advance(timedelta(hours=12))
    as_associate()
    assert await queue(outreach, "asc_2") == []  # its time was up months ago
    assert await in_the_background(outreach) == 1


async def test_a_ranking_for_today_ends_a_replay(outreach, story, as_associate):
    await story.open()
    await story.tell(
        client_created("cli_1"), purchase("cli_1", days_ago(500)), purchase("cli_1", days_ago(100))
    )
    as_associate()
    await rank(outreach, days_ago(200))
    assert len(await queue(outreach)) == 1
    await rank(outreach)
    assert await queue(outreach) == []
    await story.tell(profiles_events.ImportCompleted(import_id="imp_1"))
    outreach.clock.advance(timedelta(seconds=1))
    assert await in_the_background(outreach) == 1


async def test_chains_are_ranked_every_night_at_four_of_their_own_day(outreach, story, as_associate):
    await story.open(time_zone="Asia/Tokyo")
    four_in_tokyo = datetime(2026, 3, 10, 19, tzinfo=UTC)
    outreach.clock.set(four_in_tokyo - timedelta(seconds=1))
    await in_the_background(outreach)
    before = await published(outreach.database, events_pb2.ScoringCompleted, chain_id=story.chain_id)
    assert before == []
    for night in range(2):
        outreach.clock.set(four_in_tokyo + timedelta(days=night))
        await in_the_background(outreach)
        await in_the_background(outreach)
    nights = await published(outreach.database, events_pb2.ScoringCompleted, chain_id=story.chain_id)
    assert [event.as_of_date.day for event in nights] == [11, 12]


async def test_replicas_share_the_waiting_chains(outreach, story, as_associate):
    await story.open()
    await story.tell(profiles_events.ImportCompleted(import_id="imp_1"))
    ranked = await asyncio.gather(*(in_the_background(outreach) for _ in range(5)))
    assert sum(ranked) >= 1
    events = await published(outreach.database, events_pb2.ScoringCompleted, chain_id=story.chain_id)
    assert len(events) == 1


@pytest.mark.parametrize(
    ("now", "night"),
    [
        # the clocks go forward on 8 March 2026 in New York: 02:00 becomes 03:00
        (datetime(2026, 3, 7, 12, tzinfo=UTC), datetime(2026, 3, 8, 8, tzinfo=UTC)),
        (datetime(2026, 3, 8, 8, tzinfo=UTC), datetime(2026, 3, 9, 8, tzinfo=UTC)),
        # and back on 1 November
        (datetime(2026, 10, 31, 12, tzinfo=UTC), datetime(2026, 11, 1, 9, tzinfo=UTC)),
        (NOON, datetime(2026, 3, 11, 8, tzinfo=UTC)),
    ],
)
def test_the_night_is_found_across_clock_changes(now, night):
    assert Chain("chn_1", "America/New_York").next_night(4, now) == night


def test_a_zone_that_nobody_knows_is_utc():
    assert Chain("chn_1", "Mars/Olympus").today(NOON) == NOON.date()
