"""What an associate does with the queue, through the stub."""

from datetime import date, timedelta

import pytest
import pytest_asyncio
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import (
    TODAY,
    client_changed,
    client_created,
    days_ago,
    message_received,
    message_sent,
    purchase,
    visit,
)

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import proto_date_of


@pytest_asyncio.fixture(loop_scope="session")
async def suggestion(outreach, story, as_associate) -> pb.Suggestion:
    """Return the one suggestion of this test's chain: came in twice."""
    await story.open()
    await story.tell(client_created("cli_1"), visit("cli_1", days_ago(9)), visit("cli_1", days_ago(2)))
    as_associate()
    return (await queue(outreach))[0]


async def queue(outreach, state: int = 0, associate_id: str = "asc_1") -> list[pb.Suggestion]:
    response = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id, state=state))
    return list(response.suggestions)


async def snooze(outreach, suggestion: pb.Suggestion, until: date) -> pb.Suggestion:
    return await outreach.stub.SnoozeSuggestion(
        pb.SnoozeSuggestionRequest(suggestion_id=suggestion.suggestion_id, until_date=proto_date_of(until))
    )


async def dismiss(outreach, suggestion: pb.Suggestion, reason: str = "Moved away.") -> pb.Suggestion:
    return await outreach.stub.DismissSuggestion(
        pb.DismissSuggestionRequest(suggestion_id=suggestion.suggestion_id, reason=reason)
    )


async def reopen(outreach, suggestion: pb.Suggestion) -> pb.Suggestion:
    return await outreach.stub.ReopenSuggestion(
        pb.ReopenSuggestionRequest(suggestion_id=suggestion.suggestion_id)
    )


async def test_a_snoozed_suggestion_comes_back_on_its_day(outreach, story, suggestion, as_associate):
    snoozed = await snooze(outreach, suggestion, TODAY + timedelta(days=2))
    assert snoozed.state == pb.SUGGESTION_STATE_SNOOZED
    assert await queue(outreach) == []
    assert [s.suggestion_id for s in await queue(outreach, pb.SUGGESTION_STATE_SNOOZED)] == [
        suggestion.suggestion_id
    ]
    outreach.clock.set(NOON.replace(hour=4) + timedelta(days=2))  # midnight in New York
    as_associate()
    (back,) = await queue(outreach)
    assert (back.suggestion_id, back.state) == (suggestion.suggestion_id, pb.SUGGESTION_STATE_OPEN)
    assert not back.HasField("snooze_until_date")


async def test_a_snooze_until_today_is_refused(outreach, suggestion):
    with pytest.raises(ServiceError) as refused:
        await snooze(outreach, suggestion, TODAY)
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "SNOOZE_NOT_AHEAD")


async def test_today_is_the_chain_s_day(outreach, suggestion, as_associate):
    outreach.clock.set(NOON.replace(hour=2) + timedelta(days=1))  # still the evening before in New York
    as_associate()
    assert (
        await snooze(outreach, suggestion, TODAY + timedelta(days=1))
    ).state == pb.SUGGESTION_STATE_SNOOZED


async def test_a_dismissal_is_said_once_and_can_be_taken_back(outreach, story, suggestion):
    for _ in range(2):
        dismissed = await dismiss(outreach, suggestion)
        assert (dismissed.state, dismissed.dismiss_reason) == (pb.SUGGESTION_STATE_DISMISSED, "Moved away.")
    events = await published(outreach.database, events_pb2.SuggestionDismissed, chain_id=story.chain_id)
    assert [(event.suggestion_id, event.version) for event in events] == [(suggestion.suggestion_id, 2)]
    assert await queue(outreach) == []
    for _ in range(2):
        assert (await reopen(outreach, suggestion)).state == pb.SUGGESTION_STATE_OPEN
    assert len(await queue(outreach)) == 1


async def test_a_dismissed_signal_does_not_come_back_with_the_next_visit(
    outreach, story, suggestion, as_associate
):
    await dismiss(outreach, suggestion)
    await story.tell(visit("cli_1", days_ago(0)))
    assert await queue(outreach) == []
    outreach.clock.set(NOON + timedelta(days=91))
    day = outreach.clock.now().date()
    await story.tell(visit("cli_1", day - timedelta(days=2)), visit("cli_1", day - timedelta(days=1)))
    as_associate()
    assert len(await queue(outreach)) == 1


async def test_another_reason_comes_through_while_one_rests(outreach, story, suggestion):
    await dismiss(outreach, suggestion)
    await story.tell(client_changed("cli_1", version=2, occasions=[(1, 0, 3, 20)]))
    (newer,) = await queue(outreach)
    assert [reason.signal for reason in newer.reasons] == [pb.SIGNAL_OCCASION_AHEAD]
    with pytest.raises(ServiceError) as refused:
        await reopen(outreach, suggestion)
    assert (refused.value.reason, refused.value.metadata["newer_suggestion_id"]) == (
        "SUGGESTION_SUPERSEDED",
        newer.suggestion_id,
    )


async def test_reasons_combine_into_one_suggestion(outreach, story, suggestion):
    await story.tell(client_changed("cli_1", version=2, occasions=[(1, 0, 3, 20)]))
    (both,) = await queue(outreach)
    assert both.suggestion_id == suggestion.suggestion_id
    assert [reason.signal for reason in both.reasons] == [
        pb.SIGNAL_HIGH_INTENT,
        pb.SIGNAL_VISIT_FOLLOW_UP,
        pb.SIGNAL_OCCASION_AHEAD,
    ]
    assert both.score == pytest.approx(sum(reason.contribution for reason in both.reasons))


async def test_a_purchase_takes_the_suggestion_off_the_queue(outreach, story, suggestion):
    await story.tell(purchase("cli_1", TODAY))
    assert await queue(outreach) == []
    (expired,) = await queue(outreach, pb.SUGGESTION_STATE_EXPIRED)
    for change in (
        snooze(outreach, expired, TODAY + timedelta(days=2)),
        dismiss(outreach, expired),
        reopen(outreach, expired),
    ):
        with pytest.raises(ServiceError) as refused:
            await change
        assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "SUGGESTION_CLOSED")


async def test_a_suggestion_vanishes_when_its_time_is_up(outreach, story, suggestion, as_associate):
    assert suggestion.expire_date == proto_date_of(days_ago(2) + timedelta(days=30))
    outreach.clock.set(NOON + timedelta(days=28))
    as_associate()
    assert len(await queue(outreach)) == 1
    outreach.clock.set(NOON + timedelta(days=29))
    as_associate()
    assert await queue(outreach) == []
    assert [s.suggestion_id for s in await queue(outreach, pb.SUGGESTION_STATE_EXPIRED)] == [
        suggestion.suggestion_id
    ]


async def test_a_raised_suggestion_is_said_once(outreach, story, suggestion):
    await story.tell(visit("cli_1", days_ago(1)), visit("cli_1", days_ago(0)))
    events = await published(outreach.database, events_pb2.SuggestionRaised, chain_id=story.chain_id)
    assert [(event.suggestion_id, list(event.signals)) for event in events] == [
        (suggestion.suggestion_id, [pb.SIGNAL_HIGH_INTENT, pb.SIGNAL_VISIT_FOLLOW_UP])
    ]


async def test_a_suggestion_moves_with_its_client_to_another_book(outreach, story, suggestion):
    await story.tell(client_changed("cli_1", version=2, associate_id="asc_2", store_id="sto_2"))
    assert await queue(outreach) == []
    (moved,) = await queue(outreach, associate_id="asc_2")
    assert (moved.suggestion_id, moved.store_id) == (suggestion.suggestion_id, "sto_2")


async def test_a_client_in_nobody_s_book_is_on_no_queue(outreach, story, as_associate):
    await story.open()
    await story.tell(
        client_created("cli_1", associate_id=""), visit("cli_1", days_ago(2)), visit("cli_1", days_ago(1))
    )
    as_associate()
    summary = await outreach.stub.GetFactsSummary(pb.GetFactsSummaryRequest())
    assert (summary.clients, summary.open_suggestions) == (1, 0)


async def test_whom_the_house_wrote_to_this_week_is_left_in_peace_until_an_answer(
    outreach, story, as_associate
):
    await story.open()
    occasion = {"occasions": [(1, 0, 3, 20)]}
    await story.tell(message_sent("cli_1", NOON - timedelta(days=6)), client_created("cli_1", **occasion))
    as_associate()
    assert await queue(outreach) == []
    await story.tell(
        message_received("cli_1", NOON - timedelta(days=5)), client_changed("cli_1", version=2, **occasion)
    )
    assert len(await queue(outreach)) == 1
    await story.tell(message_sent("cli_2", NOON - timedelta(days=7)), client_created("cli_2", **occasion))
    assert len(await queue(outreach)) == 2


async def test_pages_are_stable_and_complete(outreach, story, as_associate):
    await story.open()
    for number in range(9):
        day = 12 + number % 3  # three scores, three clients each
        await story.tell(client_created(f"cli_{number}", occasions=[(1, 0, 3, day)]))
    as_associate()
    seen: list[pb.Suggestion] = []
    token = ""
    while True:
        request = pb.ListQueueRequest(associate_id="asc_1", page_size=2, page_token=token)
        page = await outreach.stub.ListQueue(request)
        seen += page.suggestions
        if not (token := page.next_page_token):
            break
    assert [(-s.score, s.suggestion_id) for s in seen] == sorted((-s.score, s.suggestion_id) for s in seen)
    assert {s.client_id for s in seen} == {f"cli_{number}" for number in range(9)}
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1", page_token="made-up"))
    assert refused.value.kind is Kind.INVALID


async def test_a_full_queue_still_takes_what_happened_just_now_and_the_night_cuts_it(
    outreach, story, as_associate
):
    await story.open()
    for number in range(10):  # the queue of these tests holds ten
        await story.tell(
            client_created(f"cli_{number}"), visit(f"cli_{number}", TODAY), visit(f"cli_{number}", TODAY)
        )
    await story.tell(client_created("cli_lesser", occasions=[(1, 0, 3, 12)]))
    as_associate()
    assert [s.client_id for s in await queue(outreach)][10:] == ["cli_lesser"]
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert "cli_lesser" not in {s.client_id for s in await queue(outreach)}


async def test_a_replay_does_not_keep_a_walk_in_of_today_off_the_queue(outreach, story, as_associate):
    await story.open()
    as_associate()
    await outreach.stub.RunScoring(pb.RunScoringRequest(as_of_date=proto_date_of(days_ago(400))))
    await story.tell(client_created("cli_1"), visit("cli_1", days_ago(6)), visit("cli_1", TODAY))
    (raised,) = await queue(outreach)
    assert raised.as_of_date == proto_date_of(TODAY)


async def test_associates_see_their_own_queue_and_those_of_their_stores(
    outreach, story, suggestion, as_associate
):
    await story.tell(profiles_events.AssociateCreated(associate_id="asc_1", store_id="sto_1"))
    as_associate(associate_id="asc_1", stores=frozenset({"sto_9"}))
    assert len(await queue(outreach)) == 1
    as_associate(associate_id="asc_2", stores=frozenset({"sto_1"}))
    assert len(await queue(outreach)) == 1
    as_associate(associate_id="asc_2", stores=frozenset({"sto_9"}))
    for call in (queue(outreach), dismiss(outreach, suggestion)):
        with pytest.raises(ServiceError) as refused:
            await call
        assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, "STORE_NOT_YOURS")
