"""What a chain decides of its outreach: kept, refused where it cannot be, and in force at the next look."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from google.type.money_pb2 import Money
from outreach_story import (
    TODAY,
    client_created,
    client_fact,
    days_ago,
    message_sent,
    purchase,
    purchase_fact,
    visit,
)

from chassis.caller import Caller
from chassis.errors import Kind, ServiceError
from outreach.domain import SIGNALS, Signal
from outreach.events import SIGNAL_VALUES
from outreach.scoring.effects import Counts
from outreach.signals import READINGS
from outreach.store import settings as store
from outreach.store.effects import find_effect_counts

SCOPES = ("queue:read", "queue:write", "policies:write", "scoring:run")


def update(etag: str = "", **fields: object) -> pb.UpdateOutreachSettingsRequest:
    return pb.UpdateOutreachSettingsRequest(settings=pb.OutreachSettings(**fields), etag=etag)


def rules_of(
    signal: Signal, store_id: str = "", *, is_off: bool = False, **parameters: float
) -> pb.SignalSettings:
    return pb.SignalSettings(
        signal=SIGNAL_VALUES[signal], store_id=store_id, is_off=is_off, parameters=parameters
    )


async def queue_of(outreach, associate_id: str = "asc_1") -> dict[str, list[str]]:
    """Return who is on a queue, and why."""
    listed = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id))
    return {
        one.client_id: [
            pb.Signal.Name(reason.signal).removeprefix("SIGNAL_").lower() for reason in one.reasons
        ]
        for one in listed.suggestions
    }


async def test_a_chain_that_decided_nothing_has_the_built_in_values(outreach, chain_id, as_associate):
    as_associate(*SCOPES)
    found = await outreach.stub.GetOutreachSettings(pb.GetOutreachSettingsRequest())
    assert (found.daily_goal, found.overdue_days, found.approval_above) == (10, 3, 500)
    assert (found.tier_bands.top_share, found.tier_bands.middle_share) == (0.2, 0.3)
    assert found.tier_bands.top_action == found.tier_bands.base_action == pb.TIER_ACTION_PERSONAL
    assert (found.exploration_share, found.holdout_share, len(found.signals)) == (0, 0, 0)
    assert found.attribution == pb.AttributionRule(
        reply_days=7,
        visit_days=30,
        appointment_days=30,
        purchase_days=60,
        share=pb.CREDIT_SHARE_DECAY,
        version=1,
    )
    assert found.fatigue == pb.Fatigue(most_share=0.5, fatigue_days=14)
    assert (found.etag, found.HasField("segment_price")) == ("0", False)


async def test_what_was_decided_is_read_back_and_stays_the_chain_s_own(outreach, chain_id, as_associate):
    as_associate(*SCOPES)
    decided = await outreach.stub.UpdateOutreachSettings(
        update(
            signals=[
                rules_of(Signal.SILENT_ONE_TIMER, silent_days=100),
                rules_of(Signal.SILENT_ONE_TIMER, "sto_2", is_off=True),
                rules_of(Signal.VIP_GOING_QUIET, quiet_gaps=2.5),
            ],
            tier_bands=pb.TierBands(top_share=0.1, middle_action=pb.TIER_ACTION_AUTOMATED),
            daily_goal=7,
            exploration_share=0.1,
            holdout_share=0.05,
            segment_price=Money(currency_code="USD", nanos=7_900_000),
            attribution=pb.AttributionRule(purchase_days=90, share=pb.CREDIT_SHARE_LAST),
            fatigue=pb.Fatigue(most_share=0, fatigue_days=30),
        )
    )
    assert decided == await outreach.stub.GetOutreachSettings(pb.GetOutreachSettingsRequest())
    assert (decided.etag, decided.daily_goal, decided.overdue_days) == ("1", 7, 3)
    assert decided.signals[0].parameters == {"silent_days": 100}
    assert decided.segment_price == Money(currency_code="USD", nanos=7_900_000)
    assert (decided.attribution.version, decided.attribution.reply_days) == (2, 7)
    assert decided.tier_bands.middle_action == pb.TIER_ACTION_AUTOMATED
    assert decided.fatigue == pb.Fatigue(
        most_share=0, fatigue_days=30
    )  # 0 is a decision, not what is built in
    as_associate(*SCOPES, chain_id=f"{chain_id}_other")
    assert (await outreach.stub.GetOutreachSettings(pb.GetOutreachSettingsRequest())).daily_goal == 10


async def test_the_version_of_attribution_counts_its_own_changes(outreach, chain_id, as_associate):
    as_associate(*SCOPES)
    versions = []
    for rule in ({}, {"reply_days": 7}, {"reply_days": 8}, {"reply_days": 8}, {}):
        decided = await outreach.stub.UpdateOutreachSettings(update(attribution=pb.AttributionRule(**rule)))
        versions.append(decided.attribution.version)
    assert versions == [1, 1, 2, 2, 3]  # 7 is the built-in value


async def test_a_stale_etag_is_refused_and_of_twenty_with_the_same_one_wins(
    outreach, chain_id, as_associate, gather
):
    as_associate(*SCOPES)
    await outreach.stub.UpdateOutreachSettings(update("0", daily_goal=1))
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.UpdateOutreachSettings(update("0", daily_goal=2))
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "OUTREACH_SETTINGS_CHANGED")
    answers = await gather(
        *(outreach.stub.UpdateOutreachSettings(update("1", daily_goal=goal)) for goal in range(1, 21))
    )
    won = [one for one in answers if not isinstance(one, BaseException)]
    assert len(won) == 1
    assert {one.reason for one in answers if isinstance(one, ServiceError)} == {"OUTREACH_SETTINGS_CHANGED"}
    assert (await outreach.stub.GetOutreachSettings(pb.GetOutreachSettingsRequest())) == won[0]


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        (
            {"signals": [rules_of(Signal.THANK_YOU, hope=1)]},
            "settings.signals[0].parameters[hope]",
            "after_days",
        ),
        (
            {"signals": [rules_of(Signal.THANK_YOU), rules_of(Signal.SILENT_ONE_TIMER, silent_days=29)]},
            "settings.signals[1].parameters[silent_days]",
            "from 30 to 1095",
        ),
        (
            {"signals": [rules_of(Signal.SILENT_ONE_TIMER, silent_days=100.5)]},
            "settings.signals[0].parameters[silent_days]",
            "whole",
        ),
        (
            {"signals": [rules_of(Signal.SILENT_ONE_TIMER, silent_days=float("nan"))]},
            "settings.signals[0].parameters[silent_days]",
            "from 30",
        ),
        ({"signals": [rules_of(Signal.THANK_YOU, "sto_1")] * 2}, "settings.signals[1]", "twice"),
        ({"tier_bands": pb.TierBands(top_share=0.9)}, "settings.tier_bands.middle_share", "more than all"),
        (
            {"segment_price": Money(currency_code="XXZ", units=1)},
            "settings.segment_price.currency_code",
            "ISO 4217",
        ),
        ({"segment_price": Money(currency_code="USD", units=-1)}, "settings.segment_price", "from 0"),
        ({"exploration_share": 0.4}, "settings.exploration_share", "0.3"),
        ({"daily_goal": 201}, "settings.daily_goal", "200"),
        ({"fatigue": pb.Fatigue(most_share=1)}, "settings.fatigue.most_share", "0.9"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(outreach, chain_id, as_associate, fields, field, said):
    as_associate(*SCOPES)
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.UpdateOutreachSettings(update(**fields))
    assert refused.value.kind == Kind.INVALID
    ((violation),) = refused.value.violations
    assert violation.field == field
    assert said in violation.description
    assert (await outreach.stub.GetOutreachSettings(pb.GetOutreachSettingsRequest())).etag == "0"


async def test_signals_are_listed_as_they_are_in_force_at_a_store(outreach, chain_id, as_associate, story):
    as_associate(*SCOPES)
    await story.open()
    await outreach.stub.UpdateOutreachSettings(
        update(
            signals=[
                rules_of(Signal.SILENT_ONE_TIMER, silent_days=100),
                rules_of(Signal.SILENT_ONE_TIMER, "sto_2", silent_days=50),
                rules_of(Signal.CARE_DUE, "sto_2", is_off=True),
            ]
        )
    )
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(120)))
    async with outreach.database.transaction(chain_id) as tx:
        await tx.execute(
            "insert into signal_effects values (:chain_id, 'silent_one_timer', 150, 42), (:chain_id, 'bygone', 1, 1)",
            {"chain_id": chain_id},
        )
        assert await find_effect_counts(tx) == {Signal.SILENT_ONE_TIMER: Counts(150, 42)}
    of_chain = await outreach.stub.ListSignals(pb.ListSignalsRequest())
    assert [one.signal for one in of_chain.signals] == [SIGNAL_VALUES[signal] for signal in SIGNALS]
    silent = of_chain.signals[0]
    assert (silent.parameters[0].name, silent.parameters[0].value, silent.parameters[0].built_in) == (
        "silent_days",
        100,
        182,
    )
    assert (silent.stated_effect, silent.contacts, silent.answers) == (0.04, 150, 42)
    assert silent.effect == pytest.approx((0.04 * 50 + 42) / 200)
    assert silent.open_suggestions == 1
    assert all(one.display_name and one.description.endswith(".") for one in of_chain.signals)
    assert [len(one.parameters) for one in of_chain.signals] == [len(READINGS[s].parameters) for s in SIGNALS]
    listed = await outreach.stub.ListSignals(pb.ListSignalsRequest(store_id="sto_2"))
    at_store = {one.signal: one for one in listed.signals}
    assert at_store[pb.SIGNAL_SILENT_ONE_TIMER].parameters[0].value == 50
    assert at_store[pb.SIGNAL_SILENT_ONE_TIMER].open_suggestions == 0
    assert (at_store[pb.SIGNAL_CARE_DUE].is_off, of_chain.signals[12].is_off) == (True, False)


async def test_an_event_is_judged_by_the_rules_of_the_client_s_store(outreach, chain_id, as_associate, story):
    as_associate(*SCOPES)
    await story.open()
    await outreach.stub.UpdateOutreachSettings(
        update(
            signals=[
                rules_of(Signal.SILENT_ONE_TIMER, silent_days=100),
                rules_of(Signal.SILENT_ONE_TIMER, "sto_2", silent_days=150),
            ]
        )
    )
    for client_id, store_id in (("cli_1", "sto_1"), ("cli_2", "sto_2")):
        await story.tell(client_created(client_id, store_id=store_id), purchase(client_id, days_ago(120)))
    assert await queue_of(outreach) == {"cli_1": ["silent_one_timer"]}
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert await queue_of(outreach) == {"cli_1": ["silent_one_timer"]}


async def test_a_new_decision_ranks_the_chain_again(outreach, chain_id, as_associate, story):
    as_associate(*SCOPES)
    await story.open()

    async def waiting() -> list[str]:
        async with outreach.database.transaction(chain_id) as tx:
            found = await tx.execute(
                "select reason from scoring_requests where chain_id = :c", {"c": chain_id}
            )
            return list(found.scalars())

    await outreach.stub.UpdateOutreachSettings(update(daily_goal=5))
    assert await waiting() == []
    await outreach.stub.UpdateOutreachSettings(update(signals=[rules_of(Signal.THANK_YOU, is_off=True)]))
    assert await waiting() == ["settings"]


async def test_a_tier_decides_who_is_a_person_s_to_do(outreach, chain_id, as_associate, story):
    as_associate(*SCOPES)
    await story.open()
    await story.tell(
        profiles_events.ImportBatchLanded(
            clients=[client_fact(f"cli_{n:02}") for n in range(20)],
            purchases=[
                purchase_fact(f"cli_{n:02}", days_ago(300 - n), minor=10_000 * (n + 1)) for n in range(20)
            ],
        )
    )
    await outreach.stub.UpdateOutreachSettings(
        update(
            tier_bands=pb.TierBands(middle_action=pb.TIER_ACTION_AUTOMATED, base_action=pb.TIER_ACTION_NONE)
        )
    )
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert sorted(await queue_of(outreach)) == ["cli_16", "cli_17", "cli_18", "cli_19"]
    async with outreach.database.transaction(chain_id) as tx:
        found = await tx.execute(
            "select client_id, tier from suggestions where chain_id = :c and state = 'open' and action = 'automated'"
            " order by client_id",
            {"c": chain_id},
        )
        assert [tuple(row) for row in found] == [(f"cli_{n}", "middle") for n in range(10, 16)]
    tiers = [
        (await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id=f"cli_{n:02}"))).tier
        for n in (0, 9, 10, 15, 16)
    ]
    assert tiers == [pb.TIER_BASE, pb.TIER_BASE, pb.TIER_MIDDLE, pb.TIER_MIDDLE, pb.TIER_TOP]
    # One client after an event is judged as among all.
    await story.tell(visit("cli_00", days_ago(1)), visit("cli_12", days_ago(1)))
    assert sorted(await queue_of(outreach)) == ["cli_16", "cli_17", "cli_18", "cli_19"]
    (top,) = [
        one
        for one in (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
        if one.client_id == "cli_19"
    ]
    assert (top.tier, top.action) == (pb.TIER_TOP, pb.TIER_ACTION_PERSONAL)
    part = top.reasons[0]
    assert part.contribution == round(part.value * part.effect * part.urgency * part.freshness, 4)
    assert (part.source, part.freshness) == ("profiles", 1)


async def test_exploration_is_marked_and_the_same_again(outreach, chain_id, as_associate, story):
    as_associate(*SCOPES)
    await story.open()
    soon = [TODAY + timedelta(days=n) for n in range(20)]
    await story.tell(
        profiles_events.ImportBatchLanded(
            clients=[
                client_fact(f"cli_{n:02}", occasions=[(1, 0, day.month, day.day)])
                for n, day in enumerate(soon)
            ]
        )
    )
    await outreach.stub.UpdateOutreachSettings(update(exploration_share=0.2))

    async def explored() -> list[str]:
        await outreach.stub.RunScoring(pb.RunScoringRequest())
        listed = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
        assert len(listed) == 10
        return [one.client_id for one in listed if one.is_explored]

    first = await explored()
    assert len(first) == 2
    assert await explored() == first
    # Two of ten are the same two on another day once in many; not three days running.
    later = []
    for _ in range(3):
        outreach.clock.advance(timedelta(days=1))
        as_associate(*SCOPES)
        later.append(await explored())
    assert any(one != first for one in later)


async def test_a_day_begins_where_the_chain_is(outreach, chain_id, as_associate, story):
    as_associate(*SCOPES)
    await story.open(time_zone="Pacific/Auckland")  # 01:00 of the next day there
    await story.tell(client_created("cli_1"), purchase("cli_1", TODAY))
    assert await queue_of(outreach) == {"cli_1": ["thank_you"]}


async def test_a_second_window_comes_after_an_answer_in_the_first(outreach, chain_id, as_associate, story):
    as_associate(*SCOPES)
    await story.open()
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(2)))
    (first,) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    await outreach.stub.DismissSuggestion(
        pb.DismissSuggestionRequest(suggestion_id=first.suggestion_id, reason="spoken")
    )
    outreach.clock.advance(timedelta(days=1))
    as_associate(*SCOPES)
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert await queue_of(outreach) == {}
    outreach.clock.advance(timedelta(days=11))
    as_associate(*SCOPES)
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert await queue_of(outreach) == {"cli_1": ["two_two_two"]}
    await story.tell(message_sent("cli_1", outreach.clock.now(), marketing=False))
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert await queue_of(outreach) == {}


async def test_settings_are_written_as_they_are_read(outreach, chain_id, as_associate):
    as_associate(*SCOPES)
    before = await outreach.stub.GetOutreachSettings(pb.GetOutreachSettingsRequest())
    after = await outreach.stub.UpdateOutreachSettings(
        pb.UpdateOutreachSettingsRequest(settings=before, etag=before.etag)
    )
    before.etag = after.etag
    assert after == before
    async with outreach.database.transaction(chain_id) as tx:
        assert (await store.get_settings(tx)).in_force() == await store.get_settings(tx)


async def test_who_may_not_decide_is_refused(outreach, chain_id, as_associate: Callable[..., Caller]):
    as_associate("queue:read")
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.UpdateOutreachSettings(update(daily_goal=5))
    assert refused.value.reason == "SCOPE_MISSING"
