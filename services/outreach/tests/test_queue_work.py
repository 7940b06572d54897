"""Working a queue: its views, contacts logged and taken back, suggestions handed on, and how far everybody is."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.privacy.v1 import privacy_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import (
    TODAY,
    client_changed,
    client_created,
    client_fact,
    days_ago,
    visit,
)

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import proto_date_of, timestamp_of
from outreach.domain import TierAction
from outreach.domain.settings import OutreachSettings, TierBands
from outreach.store import settings as settings_store

DAY = timedelta(days=1)
MANAGER = ("queue:read", "queue:write", "queue:reassign", "scoring:run")


@pytest_asyncio.fixture(loop_scope="session")
async def chain(outreach, story, as_associate):
    """Return a chain of two stores, with two associates in the first and one in the other."""
    await story.open()
    await story.tell(
        profiles_events.AssociateCreated(associate_id="asc_1", store_id="sto_1"),
        profiles_events.AssociateCreated(associate_id="asc_2", store_id="sto_1"),
        profiles_events.AssociateCreated(associate_id="asc_9", store_id="sto_9"),
    )
    as_associate()
    return story


@pytest_asyncio.fixture(loop_scope="session")
async def suggestion(outreach, chain) -> pb.Suggestion:
    """Return the one suggestion of the first associate: the client came in twice."""
    await chain.tell(client_created("cli_1"), visit("cli_1", days_ago(9)), visit("cli_1", days_ago(2)))
    (found,) = await queue(outreach)
    return found


async def queue(outreach, view: int = 0, *, associate_id: str = "asc_1", **fields) -> list[pb.Suggestion]:
    request = pb.ListQueueRequest(associate_id=associate_id, view=view, **fields)
    return list((await outreach.stub.ListQueue(request)).suggestions)


async def clients(outreach, view: int = 0, **fields) -> list[str]:
    return [one.client_id for one in await queue(outreach, view, **fields)]


async def log(
    outreach, suggestion, kind: int = pb.CONTACT_KIND_CALL, note: str = "", at: datetime | None = None
):
    request = pb.LogContactRequest(
        suggestion_id=suggestion.suggestion_id, kind=kind, note=note, contact_time=timestamp_of(at)
    )
    return await outreach.stub.LogContact(request)


async def reopen(outreach, suggestion) -> pb.Suggestion:
    request = pb.ReopenSuggestionRequest(suggestion_id=suggestion.suggestion_id)
    return await outreach.stub.ReopenSuggestion(request)


async def dismiss(outreach, suggestion) -> pb.Suggestion:
    request = pb.DismissSuggestionRequest(suggestion_id=suggestion.suggestion_id, reason="Moved away.")
    return await outreach.stub.DismissSuggestion(request)


async def snooze(outreach, suggestion, days: int) -> pb.Suggestion:
    until = outreach.clock.now().date() + days * DAY
    request = pb.SnoozeSuggestionRequest(
        suggestion_id=suggestion.suggestion_id, until_date=proto_date_of(until)
    )
    return await outreach.stub.SnoozeSuggestion(request)


async def send(outreach, suggestion) -> pb.Suggestion:
    request = pb.SendSuggestionRequest(suggestion_id=suggestion.suggestion_id, body="Hello Ana")
    return (await outreach.stub.SendSuggestion(request)).suggestion


async def hand_on(outreach, suggestion, associate_id: str) -> pb.Suggestion:
    request = pb.ReassignSuggestionRequest(suggestion_id=suggestion.suggestion_id, associate_id=associate_id)
    return await outreach.stub.ReassignSuggestion(request)


async def summaries(outreach, **fields) -> dict[str, pb.QueueSummary]:
    response = await outreach.stub.ListQueueSummaries(pb.ListQueueSummariesRequest(**fields))
    return {one.associate_id: one for one in response.queue_summaries}


async def refusal(call) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def in_the_database(outreach, chain, query: str):
    async with outreach.database.transaction(chain.chain_id) as tx:
        return (await tx.execute(query, {"chain_id": chain.chain_id})).all()


async def occasions(chain, *days: int) -> None:
    """Tell of clients cli_0, cli_1, ... with a birthday so many days ahead."""
    for number, day in enumerate(days):
        on = TODAY + day * DAY
        await chain.tell(client_created(f"cli_{number}", occasions=[(1, 0, on.month, on.day)]))


class TestViews:
    async def test_each_view_has_its_own_suggestions_in_its_own_order(self, outreach, chain, as_associate):
        await occasions(chain, 6, 7, 8, 9, 10, 11, 12)
        found = {one.client_id: one for one in await queue(outreach, pb.QUEUE_VIEW_TODAY)}
        await snooze(outreach, found["cli_1"], 5)
        await snooze(outreach, found["cli_2"], 1)
        outreach.clock.set(NOON + timedelta(seconds=10))
        await dismiss(outreach, found["cli_3"])
        outreach.clock.set(NOON + timedelta(seconds=20))
        await log(outreach, found["cli_4"])
        outreach.clock.set(NOON + timedelta(seconds=30))
        await send(outreach, found["cli_5"])

        today = await queue(outreach, pb.QUEUE_VIEW_TODAY)
        assert {one.client_id for one in today} == {"cli_0", "cli_6"}
        assert [one.score for one in today] == sorted((one.score for one in today), reverse=True)
        assert await clients(outreach) == [one.client_id for one in today]
        assert await clients(outreach, pb.QUEUE_VIEW_UPCOMING) == ["cli_2", "cli_1"]
        assert await clients(outreach, pb.QUEUE_VIEW_DONE) == ["cli_5", "cli_4", "cli_3"]
        assert await clients(outreach, pb.QUEUE_VIEW_OVERDUE) == []

    async def test_what_is_open_for_longer_than_the_chain_allows_is_overdue_the_oldest_first(
        self, outreach, chain, as_associate
    ):
        await occasions(chain, 15)
        outreach.clock.set(NOON + DAY)
        await chain.tell(client_created("cli_9", occasions=[(1, 0, 3, 24)]))
        outreach.clock.set(NOON + 3 * DAY)
        as_associate()
        assert await clients(outreach, pb.QUEUE_VIEW_OVERDUE) == []
        assert not any(one.is_overdue for one in await queue(outreach))
        outreach.clock.set(NOON + 4 * DAY)
        as_associate()
        assert await clients(outreach, pb.QUEUE_VIEW_OVERDUE) == ["cli_0"]
        outreach.clock.set(NOON + 5 * DAY)
        as_associate()
        assert await clients(outreach, pb.QUEUE_VIEW_OVERDUE) == ["cli_0", "cli_9"]
        assert all(one.is_overdue for one in await queue(outreach, pb.QUEUE_VIEW_TODAY))

    async def test_a_suggestion_waits_anew_when_it_comes_back_from_being_put_away(
        self, outreach, chain, as_associate
    ):
        await occasions(chain, 15)
        (found,) = await queue(outreach)
        await snooze(outreach, found, 5)
        for days, is_overdue in ((5, False), (8, False), (9, True)):
            outreach.clock.set(NOON + days * DAY)
            as_associate()
            await outreach.stub.RunScoring(pb.RunScoringRequest())  # a ranking changes nothing of that
            (back,) = await queue(outreach)
            assert (back.state, back.is_overdue) == (pb.SUGGESTION_STATE_OPEN, is_overdue)

    async def test_what_was_done_long_ago_is_not_shown_any_more(self, outreach, suggestion, as_associate):
        await log(outreach, suggestion)
        for days, count in ((30, 1), (31, 0)):
            outreach.clock.set(NOON + days * DAY)
            as_associate()
            assert len(await queue(outreach, pb.QUEUE_VIEW_DONE)) == count

    async def test_a_view_can_be_narrowed_to_a_signal(self, outreach, chain, suggestion):
        await chain.tell(client_created("cli_2", occasions=[(1, 0, 3, 20)]))
        for signal, wanted in (
            (pb.SIGNAL_HIGH_INTENT, ["cli_1"]),
            (pb.SIGNAL_OCCASION_AHEAD, ["cli_2"]),
            (pb.SIGNAL_REPAIR_READY, []),
        ):
            assert await clients(outreach, pb.QUEUE_VIEW_TODAY, signal=signal) == wanted

    async def test_a_view_and_a_state_together_are_refused(self, outreach, chain):
        error = await refusal(queue(outreach, pb.QUEUE_VIEW_DONE, state=pb.SUGGESTION_STATE_SENT))
        assert (error.kind, error.reason) == (Kind.INVALID, "FIELD_INVALID")
        assert [violation.field for violation in error.violations] == ["view"]

    @pytest.mark.parametrize(
        "view", [pb.QUEUE_VIEW_TODAY, pb.QUEUE_VIEW_UPCOMING, pb.QUEUE_VIEW_DONE, pb.QUEUE_VIEW_OVERDUE]
    )
    async def test_pages_of_a_view_are_complete_and_in_order(self, outreach, chain, as_associate, view):
        await occasions(chain, *[14 + number % 3 for number in range(5)])
        for number, one in enumerate(await queue(outreach)):
            if view == pb.QUEUE_VIEW_UPCOMING:
                await snooze(outreach, one, 1 + number % 2)
            if view == pb.QUEUE_VIEW_DONE:
                outreach.clock.set(NOON + timedelta(seconds=number // 2))
                await log(outreach, one)
        if view == pb.QUEUE_VIEW_OVERDUE:
            outreach.clock.set(NOON + 5 * DAY)
            as_associate()
        whole = await clients(outreach, view)
        assert len(whole) == 5
        seen: list[str] = []
        token = ""
        while True:
            request = pb.ListQueueRequest(associate_id="asc_1", view=view, page_size=2, page_token=token)
            page = await outreach.stub.ListQueue(request)
            seen += [one.client_id for one in page.suggestions]
            if not (token := page.next_page_token):
                break
        assert seen == whole

    async def test_what_is_left_to_automated_texts_is_nobody_s_to_do(self, outreach, chain):
        async with outreach.database.transaction(chain.chain_id) as tx:
            await settings_store.find_written(tx, lock=True)
            bands = TierBands(prospect_action=TierAction.AUTOMATED)
            await settings_store.put_settings(tx, OutreachSettings(tier_bands=bands, version=1), now=NOON)
        await occasions(chain, 8)
        stored = await in_the_database(
            outreach, chain, "select action from suggestions where chain_id = :chain_id"
        )
        assert [row.action for row in stored] == ["automated"]
        assert await queue(outreach) == []
        assert (await summaries(outreach))["asc_1"].open == 0


class TestLoggedContacts:
    @pytest.mark.parametrize(
        ("kind", "word"),
        [
            (pb.CONTACT_KIND_CALL, "call"),
            (pb.CONTACT_KIND_VISIT, "visit"),
            (pb.CONTACT_KIND_EMAIL, "email"),
            (pb.CONTACT_KIND_OTHER, "other"),
        ],
    )
    async def test_a_contact_is_noted_said_once_and_counts_as_one(
        self, outreach, chain, suggestion, kind, word
    ):
        for _ in range(2):
            logged = await log(outreach, suggestion, kind, "Asked about the blue one.")
            assert logged.state == pb.SUGGESTION_STATE_LOGGED
            assert (logged.contact_kind, logged.contact_note) == (kind, "Asked about the blue one.")
        (event,) = await published(outreach.database, events_pb2.SuggestionLogged, chain_id=chain.chain_id)
        assert (event.suggestion_id, event.kind, event.version) == (suggestion.suggestion_id, kind, 2)
        assert list(event.signals) == [reason.signal for reason in suggestion.reasons]
        assert "blue" not in str(event)
        touched = await in_the_database(
            outreach,
            chain,
            "select channel, associate_id, touched_at from touches where chain_id = :chain_id",
        )
        assert [tuple(row) for row in touched] == [(word, "asc_1", NOON)]
        facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
        assert facts.last_contact_date == proto_date_of(TODAY)
        assert facts.marks["touched"] == TODAY.isoformat()

    async def test_a_colleague_who_covers_is_who_was_in_touch(
        self, outreach, chain, suggestion, as_associate
    ):
        as_associate(associate_id="asc_2", stores=frozenset({"sto_1"}))
        logged = await log(outreach, suggestion)
        assert logged.associate_id == "asc_1"
        touched = await in_the_database(
            outreach, chain, "select associate_id from touches where chain_id = :chain_id"
        )
        assert [row.associate_id for row in touched] == ["asc_2"]

    async def test_what_was_answered_otherwise_is_refused(self, outreach, suggestion):
        await log(outreach, suggestion, note="No answer.")
        for call in (
            log(outreach, suggestion, note="Something else."),
            log(outreach, suggestion, pb.CONTACT_KIND_VISIT, "No answer."),
            dismiss(outreach, suggestion),
            snooze(outreach, suggestion, 2),
            send(outreach, suggestion),
        ):
            error = await refusal(call)
            assert (error.kind, error.reason) == (Kind.PRECONDITION, "SUGGESTION_CLOSED")
            assert error.metadata["state"] == "LOGGED"

    async def test_the_time_is_when_it_was_and_neither_ahead_nor_before_the_suggestion(
        self, outreach, chain, suggestion, as_associate
    ):
        outreach.clock.set(NOON + 2 * timedelta(hours=3))
        as_associate()
        for at in (outreach.clock.now() + timedelta(minutes=2), NOON - timedelta(minutes=1)):
            error = await refusal(log(outreach, suggestion, at=at))
            assert [violation.field for violation in error.violations] == ["contact_time"]
        called_at = NOON + timedelta(hours=1)
        for _ in range(2):
            await log(outreach, suggestion, at=called_at)
        assert (await refusal(log(outreach, suggestion, at=NOON))).reason == "SUGGESTION_CLOSED"
        touched = await in_the_database(
            outreach, chain, "select touched_at from touches where chain_id = :chain_id"
        )
        assert [row.touched_at for row in touched] == [called_at]

    async def test_a_phone_s_clock_may_be_a_little_ahead(self, outreach, chain, suggestion):
        await log(outreach, suggestion, at=NOON + timedelta(seconds=20))
        touched = await in_the_database(
            outreach, chain, "select touched_at from touches where chain_id = :chain_id"
        )
        assert [row.touched_at for row in touched] == [NOON]

    async def test_taken_back_it_is_open_again_and_no_contact_is_left(self, outreach, chain, suggestion):
        await log(outreach, suggestion, note="Wrong client.")
        for _ in range(2):
            back = await reopen(outreach, suggestion)
            assert (back.state, back.contact_kind, back.contact_note) == (pb.SUGGESTION_STATE_OPEN, 0, "")
        assert [one.suggestion_id for one in await queue(outreach)] == [suggestion.suggestion_id]
        for table in ("touches", "contacts"):
            query = f"select 1 from {table} where chain_id = :chain_id"
            assert await in_the_database(outreach, chain, query) == []
        facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
        assert not facts.HasField("last_contact_date")
        logged = await log(outreach, suggestion, pb.CONTACT_KIND_VISIT)
        assert logged.contact_kind == pb.CONTACT_KIND_VISIT

    async def test_a_logged_reason_rests_and_the_night_does_not_bring_it_back(
        self, outreach, chain, suggestion
    ):
        await log(outreach, suggestion)
        await outreach.stub.RunScoring(pb.RunScoringRequest())
        await chain.tell(visit("cli_1", days_ago(0)))
        signals = {reason.signal for one in await queue(outreach) for reason in one.reasons}
        assert pb.SIGNAL_HIGH_INTENT not in signals

    async def test_one_that_came_before_another_cannot_be_taken_back(self, outreach, chain, suggestion):
        await log(outreach, suggestion)
        await chain.tell(client_changed("cli_1", version=2, occasions=[(1, 0, 3, 20)]))
        (newer,) = await queue(outreach)
        error = await refusal(reopen(outreach, suggestion))
        assert (error.reason, error.metadata["newer_suggestion_id"]) == (
            "SUGGESTION_SUPERSEDED",
            newer.suggestion_id,
        )
        # It was refused whole: the contact stands.
        assert (
            len(await in_the_database(outreach, chain, "select 1 from touches where chain_id = :chain_id"))
            == 1
        )

    @pytest.mark.parametrize("fields", [{"kind": 0}, {"kind": 99}, {"note": "x" * 1001}])
    async def test_a_contact_of_no_kind_or_without_end_is_refused(self, outreach, suggestion, fields):
        error = await refusal(log(outreach, suggestion, **fields))
        assert error.kind is Kind.INVALID
        assert error.violations[0].field in fields

    async def test_whose_queue_it_is_not_may_not_log(self, outreach, suggestion, as_associate, sign_in):
        as_associate(associate_id="asc_9", stores=frozenset({"sto_9"}))
        assert (await refusal(log(outreach, suggestion))).reason == "STORE_NOT_YOURS"
        as_associate("queue:read")
        assert (await refusal(log(outreach, suggestion))).reason == "SCOPE_MISSING"
        as_associate(chain_id="chn_other")
        assert (await refusal(log(outreach, suggestion))).reason == "SUGGESTION_NOT_FOUND"

    async def test_what_was_noted_is_told_for_an_export_and_gone_after_an_erasure(
        self, outreach, chain, suggestion, as_associate
    ):
        await log(outreach, suggestion, note="Prefers platinum.")
        as_associate("records:export")
        request = privacy_pb2.ListClientRecordsRequest(client_ids=["cli_1"])
        records = (await outreach.records.ListClientRecords(request)).records
        (told,) = [dict(one.fields) for one in records if one.section == "suggestions"]
        assert (told["contact_kind"], told["contact_note"]) == ("call", "Prefers platinum.")
        await chain.tell(
            profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_1", former_client_ids=[])
        )
        query = "select 1 from suggestions where chain_id = :chain_id"
        assert await in_the_database(outreach, chain, query) == []

    async def test_a_contact_follows_its_client_into_a_merge(self, outreach, chain, suggestion):
        await chain.tell(client_created("cli_2"))
        await log(outreach, suggestion)
        await chain.tell(
            profiles_events.ClientMerged(
                merge_id="mrg_1", client=client_fact("cli_2", version=5), merged_client_id="cli_1"
            )
        )
        (done,) = await queue(outreach, pb.QUEUE_VIEW_DONE)
        assert (done.suggestion_id, done.client_id) == (suggestion.suggestion_id, "cli_2")
        assert (await reopen(outreach, done)).state == pb.SUGGESTION_STATE_OPEN
        assert (
            await in_the_database(outreach, chain, "select 1 from touches where chain_id = :chain_id") == []
        )


class TestHandingOn:
    async def test_rankings_and_events_leave_it_with_whom_it_was_handed_to(
        self, outreach, chain, suggestion, as_associate
    ):
        as_associate(*MANAGER, actor_id="usr_7")
        for _ in range(2):
            handed = await hand_on(outreach, suggestion, "asc_2")
            assert (handed.associate_id, handed.store_id) == ("asc_2", "sto_1")
        await outreach.stub.RunScoring(pb.RunScoringRequest())
        await chain.tell(visit("cli_1", days_ago(1)), client_changed("cli_1", version=2))
        await outreach.stub.RunScoring(pb.RunScoringRequest())
        assert await queue(outreach) == []
        (there,) = await queue(outreach, associate_id="asc_2")
        assert there.suggestion_id == suggestion.suggestion_id
        assert there.reassigned_by == "usr_7"
        facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
        assert facts.associate_id == "asc_1"

    async def test_it_is_kept_though_the_owner_s_queue_is_full(self, outreach, chain, as_associate):
        """The queue of these tests holds ten; a lesser one that was handed on is nobody's eleventh."""
        await occasions(chain, *[6] * 11, 19)
        as_associate(*MANAGER)
        (lesser,) = [one for one in await queue(outreach) if one.client_id == "cli_11"]
        await hand_on(outreach, lesser, "asc_2")
        await outreach.stub.RunScoring(pb.RunScoringRequest())
        assert await clients(outreach, associate_id="asc_2") == ["cli_11"]

    async def test_handed_back_to_the_owner_it_is_as_ever(self, outreach, chain, suggestion, as_associate):
        as_associate(*MANAGER)
        await hand_on(outreach, suggestion, "asc_2")
        await hand_on(outreach, suggestion, "asc_1")
        await chain.tell(client_changed("cli_1", version=2, associate_id="asc_9", store_id="sto_9"))
        assert await clients(outreach, associate_id="asc_9") == ["cli_1"]

    async def test_a_snoozed_one_stays_snoozed_and_an_answered_one_stays_answered(
        self, outreach, chain, suggestion, as_associate
    ):
        as_associate(*MANAGER)
        await snooze(outreach, suggestion, 3)
        assert (await hand_on(outreach, suggestion, "asc_2")).state == pb.SUGGESTION_STATE_SNOOZED
        assert await clients(outreach, pb.QUEUE_VIEW_UPCOMING, associate_id="asc_2") == ["cli_1"]
        await log(outreach, suggestion)
        assert (await refusal(hand_on(outreach, suggestion, "asc_1"))).reason == "SUGGESTION_CLOSED"

    async def test_only_within_stores_one_works_in_and_to_somebody_who_is_known(
        self, outreach, chain, suggestion, as_associate
    ):
        as_associate(*MANAGER, stores=frozenset({"sto_1"}))
        error = await refusal(hand_on(outreach, suggestion, "asc_nobody"))
        assert (error.kind, error.reason) == (Kind.NOT_FOUND, "ASSOCIATE_NOT_FOUND")
        assert (await refusal(hand_on(outreach, suggestion, "asc_9"))).reason == "STORE_NOT_YOURS"
        as_associate(*MANAGER, associate_id="asc_9", stores=frozenset({"sto_9"}))
        assert (await refusal(hand_on(outreach, suggestion, "asc_9"))).reason == "STORE_NOT_YOURS"
        as_associate("queue:read", "queue:write")
        assert (await refusal(hand_on(outreach, suggestion, "asc_2"))).reason == "SCOPE_MISSING"
        as_associate(*MANAGER, chain_id="chn_other")
        assert (await refusal(hand_on(outreach, suggestion, "asc_2"))).reason == "SUGGESTION_NOT_FOUND"
        as_associate()
        assert len(await queue(outreach)) == 1

    async def test_nothing_is_handed_on_to_somebody_who_left(self, outreach, chain, suggestion, as_associate):
        def changed(version: int, *, is_active: bool):
            return profiles_events.AssociateChanged(
                associate_id="asc_2", store_id="sto_1", is_active=is_active, version=version
            )

        as_associate(*MANAGER)
        await chain.tell(changed(3, is_active=False), changed(2, is_active=True))  # the second one is late
        error = await refusal(hand_on(outreach, suggestion, "asc_2"))
        assert (error.kind, error.reason) == (Kind.PRECONDITION, "ASSOCIATE_LEFT")
        assert "asc_2" not in await summaries(outreach)
        await chain.tell(changed(4, is_active=True))
        await hand_on(outreach, suggestion, "asc_2")
        await chain.tell(changed(5, is_active=False))
        assert (await summaries(outreach))["asc_2"].open == 1  # left behind, and seen

    async def test_the_next_suggestion_of_the_client_is_the_owner_s_again(
        self, outreach, chain, suggestion, as_associate
    ):
        as_associate(*MANAGER, "messages:send")
        await hand_on(outreach, suggestion, "asc_2")
        await dismiss(outreach, suggestion)
        await chain.tell(client_changed("cli_1", version=2, occasions=[(1, 0, 3, 20)]))
        (newer,) = await queue(outreach)
        assert newer.suggestion_id != suggestion.suggestion_id


class TestSummaries:
    async def test_everybody_s_queue_is_counted(self, outreach, chain, as_associate):
        await occasions(chain, 6, 7, 8, 9, 10, 15)
        found = {one.client_id: one for one in await queue(outreach)}
        await log(outreach, found["cli_0"])
        await send(outreach, found["cli_1"])
        await dismiss(outreach, found["cli_2"])
        await snooze(outreach, found["cli_3"], 2)
        as_associate(*MANAGER)
        await hand_on(outreach, found["cli_4"], "asc_2")
        counted = await summaries(outreach)
        assert list(counted) == ["asc_1", "asc_2", "asc_9"]
        assert counted["asc_1"] == pb.QueueSummary(
            associate_id="asc_1",
            store_id="sto_1",
            open=1,
            upcoming=1,
            done_today=2,
            dismissed_today=1,
            daily_goal=10,
        )
        assert counted["asc_2"] == pb.QueueSummary(
            associate_id="asc_2", store_id="sto_1", open=1, daily_goal=10
        )
        assert counted["asc_9"] == pb.QueueSummary(associate_id="asc_9", store_id="sto_9", daily_goal=10)
        outreach.clock.set(NOON + 5 * DAY)
        as_associate(*MANAGER)
        later = (await summaries(outreach))["asc_1"]
        assert (later.open, later.overdue, later.upcoming, later.done_today) == (2, 1, 0, 0)

    async def test_today_is_the_chain_s_day(self, outreach, chain, suggestion, as_associate):
        outreach.clock.set(NOON.replace(hour=23))  # seven in the evening in New York
        as_associate()
        await log(outreach, suggestion)
        for hours, done in ((4, 1), (6, 0)):  # eleven in the evening, and one in the night
            outreach.clock.set(NOON.replace(hour=23) + timedelta(hours=hours))
            as_associate()
            assert (await summaries(outreach))["asc_1"].done_today == done

    async def test_one_sees_the_stores_one_works_in(self, outreach, chain, suggestion, as_associate):
        as_associate(stores=frozenset({"sto_1"}))
        assert list(await summaries(outreach)) == ["asc_1", "asc_2"]
        assert list(await summaries(outreach, store_id="sto_1")) == ["asc_1", "asc_2"]
        assert (await refusal(summaries(outreach, store_id="sto_9"))).reason == "STORE_NOT_YOURS"
        as_associate(associate_id="")
        assert list(await summaries(outreach, store_id="sto_9")) == ["asc_9"]
        assert await summaries(outreach, store_id="sto_nowhere") == {}
        as_associate(chain_id="chn_other")
        assert await summaries(outreach) == {}

    async def test_whoever_has_a_queue_is_counted_though_never_heard_of(self, outreach, chain):
        await chain.tell(client_created("cli_5", associate_id="asc_5", occasions=[(1, 0, 3, 20)]))
        assert (await summaries(outreach))["asc_5"].open == 1

    async def test_pages_are_complete(self, outreach, chain):
        seen: list[str] = []
        token = ""
        while True:
            request = pb.ListQueueSummariesRequest(page_size=2, page_token=token)
            page = await outreach.stub.ListQueueSummaries(request)
            seen += [one.associate_id for one in page.queue_summaries]
            if not (token := page.next_page_token):
                break
        assert seen == ["asc_1", "asc_2", "asc_9"]


class TestRaces:
    async def test_of_twenty_who_log_send_and_dismiss_one_wins(self, outreach, chain, suggestion, gather):
        works = (
            [log(outreach, suggestion, note=f"Call {n}") for n in range(8)]
            + [send(outreach, suggestion) for _ in range(6)]
            + [dismiss(outreach, suggestion) for _ in range(6)]
        )
        results = await gather(*works)
        won = [one for one in results if isinstance(one, pb.Suggestion)]
        states = {one.state for one in won}
        assert len(states) == 1
        refused = {one.reason for one in results if isinstance(one, ServiceError)}
        assert refused <= {"SUGGESTION_CLOSED", "SEND_UNDER_WAY", "TRY_AGAIN"}
        request = pb.GetSuggestionRequest(suggestion_id=suggestion.suggestion_id)
        assert states == {(await outreach.stub.GetSuggestion(request)).state}
        said = [
            *await published(outreach.database, events_pb2.SuggestionLogged, chain_id=chain.chain_id),
            *await published(outreach.database, events_pb2.SuggestionSent, chain_id=chain.chain_id),
            *await published(outreach.database, events_pb2.SuggestionDismissed, chain_id=chain.chain_id),
        ]
        assert len(said) == 1
        assert len(outreach.messaging.bodies) == (states == {pb.SUGGESTION_STATE_SENT})

    async def test_of_twenty_different_notes_one_is_kept(self, outreach, chain, suggestion, gather):
        results = await gather(*(log(outreach, suggestion, note=f"Call {n}") for n in range(20)))
        assert len([one for one in results if isinstance(one, pb.Suggestion)]) == 1
        assert (
            len(await published(outreach.database, events_pb2.SuggestionLogged, chain_id=chain.chain_id)) == 1
        )
        assert (
            len(await in_the_database(outreach, chain, "select 1 from touches where chain_id = :chain_id"))
            == 1
        )

    async def test_twenty_same_notes_are_one(self, outreach, chain, suggestion, gather):
        results = await gather(*(log(outreach, suggestion, note="Call") for _ in range(20)))
        assert all(isinstance(one, pb.Suggestion) for one in results)
        assert (
            len(await published(outreach.database, events_pb2.SuggestionLogged, chain_id=chain.chain_id)) == 1
        )

    async def test_handed_to_two_at_once_it_is_on_one_queue(
        self, outreach, chain, suggestion, gather, as_associate
    ):
        as_associate(*MANAGER)
        await gather(*(hand_on(outreach, suggestion, f"asc_{1 + n % 2}") for n in range(20)))
        there = Counter({one: len(await queue(outreach, associate_id=one)) for one in ("asc_1", "asc_2")})
        assert there.total() == 1

    async def test_while_a_text_may_be_going_out_nothing_else_is_done_with_it(
        self, outreach, chain, suggestion, as_associate
    ):
        outreach.messaging.loses_answers = True
        await refusal(send(outreach, suggestion))
        outreach.messaging.loses_answers = False
        for call in (
            log(outreach, suggestion),
            dismiss(outreach, suggestion),
            snooze(outreach, suggestion, 2),
        ):
            error = await refusal(call)
            assert (error.kind, error.reason) == (Kind.CONFLICT, "SEND_UNDER_WAY")
        outreach.clock.set(NOON + timedelta(minutes=1))
        as_associate()
        assert (await log(outreach, suggestion)).state == pb.SUGGESTION_STATE_LOGGED
