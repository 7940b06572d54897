"""Rules of campaigns by themselves: what one may become, its pace, who is held out, and its texts for one client."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from chassis.testing import NOON
from outreach.domain.campaigns import (
    Audience,
    Campaign,
    CampaignState,
    CampaignText,
    Pace,
    Plan,
    Starter,
    is_held_out,
)
from outreach.texts.campaigns import VARIABLES, fill_in, require_texts, segments_of, text_for

PLAN = Plan("Verny", Audience(), (CampaignText("en", "Hello"),), 0.1, 600, None)
ADA, BO = Starter("usr_ada", "asc_ada"), Starter("usr_bo")
NAMES = {"given_name": "Ana", "associate_name": "Mia", "store_name": "Aurum"}


def campaign(state: CampaignState = CampaignState.DRAFT, **fields: object) -> Campaign:
    return Campaign(
        campaign_id="cmp_1",
        plan=PLAN,
        state=state,
        created_by="usr_ada",
        created_at=NOON,
        updated_at=NOON,
        **fields,
    )


ACTIONS = {
    "update": lambda one: one.updated(PLAN, etag="", now=NOON),
    "start": lambda one: (
        one.started(ADA, needs_approval=True, now=NOON) if one.require_startable(NOON) else one
    ),
    "start small": lambda one: (
        one.started(ADA, needs_approval=False, now=NOON) if one.require_startable(NOON) else one
    ),
    "approve": lambda one: one.approved(BO, now=NOON),
    "approve oneself": lambda one: one.approved(ADA, now=NOON),
    "cancel": lambda one: one.cancelled(now=NOON),
}


@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=12))
def test_whatever_is_tried_a_large_campaign_never_runs_without_two_people(actions):
    one = campaign()
    asked_for_approval = False
    for action in actions:
        before = one
        try:
            one = ACTIONS[action](one)
        except ServiceError:
            assert one is before
            continue
        if one is not before:
            assert one.version == before.version + 1
            asked_for_approval = {"start": True, "start small": False}.get(action, asked_for_approval)
        if before.has_ended:
            assert one is before
        if one.state is CampaignState.RUNNING and asked_for_approval:
            assert one.approved_by not in ("", "usr_ada")
        assert (one.began_at is not None) <= (one.state in (CampaignState.RUNNING, CampaignState.CANCELLED))


@pytest.mark.parametrize("days", [0, 1])
def test_a_campaign_waits_for_its_time(days):
    start_at = NOON + timedelta(days=days) if days else None
    one = campaign(CampaignState.AWAITING_APPROVAL, started_by=ADA)
    planned = Plan("Verny", Audience(), PLAN.texts, 0.1, 600, start_at)
    waiting = Campaign(**{**one.__dict__, "plan": planned})
    approved = waiting.approved(BO, now=NOON)
    assert approved.state is (CampaignState.SCHEDULED if days else CampaignState.RUNNING)
    assert waiting.approved(BO, now=NOON + timedelta(days=2)).state is CampaignState.RUNNING


@given(
    st.integers(1, 100_000),
    st.lists(st.tuples(st.integers(0, 3_600_000), st.integers(0, 500)), min_size=1, max_size=60),
)
def test_no_hour_has_more_than_the_pace_allows_however_one_asks(per_hour, rounds):
    pace, now = Pace(per_hour, None), NOON
    went: list[tuple[float, int]] = []
    for wait_ms, wanted in rounds:
        now += timedelta(milliseconds=wait_ms)
        texts = min(wanted, pace.slots(now))
        if texts:
            pace = pace.after(texts, now)
            went.append(((now - NOON).total_seconds(), texts))
    for begin, _ in went:
        assert sum(texts for at, texts in went if begin <= at < begin + 3600) <= per_hour


@given(st.integers(1, 100_000))
def test_a_pace_lets_go_when_it_says_so(per_hour):
    pace = Pace(per_hour, None)
    pace = pace.after(pace.slots(NOON), NOON)
    assert pace.slots(NOON) == 0
    assert pace.slots(pace.next_at(NOON)) >= 1
    hour = timedelta(hours=1)
    assert pace.next_at(NOON) - NOON <= hour


def test_about_the_share_is_held_out_and_the_same_ones_again():
    clients = [f"cli_{number}" for number in range(20_000)]
    held = [client for client in clients if is_held_out("cmp_1", client, 0.1)]
    assert 1_850 < len(held) < 2_150
    assert held == [client for client in clients if is_held_out("cmp_1", client, 0.1)]
    assert set(held) <= {client for client in clients if is_held_out("cmp_1", client, 0.2)}
    other = {client for client in clients if is_held_out("cmp_2", client, 0.1)}
    assert 120 < len(other & set(held)) < 280
    assert not any(is_held_out("cmp_1", client, 0.0) for client in clients)


@pytest.mark.parametrize(
    ("language", "chosen"),
    [
        ("fr", "fr"),
        ("fr-CA", "fr-CA"),
        ("fr_ca", "fr-CA"),
        ("fr-BE", "fr"),
        ("pt", "pt-BR"),
        ("sv", "en"),
        ("", "en"),
    ],
)
def test_a_text_is_chosen_by_language(language, chosen):
    texts = [CampaignText(tag, tag) for tag in ("en", "fr", "fr-CA", "pt-BR")]
    assert text_for(texts, language).body == chosen


@pytest.mark.parametrize(
    ("body", "missing", "filled"),
    [
        ("Hello {given_name}, come in.", "given_name", "Hello, come in."),
        ("Bonjour {given_name} !", "given_name", "Bonjour !"),
        ("{given_name}, come in.", "given_name", "Come in."),
        ("Come in. {associate_name}, {store_name}", "associate_name", "Come in. Aurum"),
        ("Come in. {associate_name}", "associate_name", "Come in."),
        ("Hello {given_name}", "", "Hello Ana"),
    ],
)
def test_a_missing_name_leaves_no_gap(body, missing, filled):
    assert fill_in(body, **{**NAMES, missing or "given_name": "" if missing else "Ana"}) == filled


@given(st.text(max_size=30), st.sampled_from(VARIABLES))
def test_a_name_is_never_read_as_a_variable(name, variable):
    said = fill_in("{given_name}|{associate_name}|{store_name}", **{**NAMES, variable: "{store_name}" + name})
    assert "{store_name}" in said


def test_a_text_says_what_it_costs():
    assert segments_of([CampaignText("en", "x" * 160), CampaignText("fr", "Bonjour")]) == 1
    assert segments_of([CampaignText("en", "x" * 161)]) == 2
    assert segments_of([CampaignText("en", "Hello"), CampaignText("ja", "あ" * 71)]) == 2
    require_texts([CampaignText("en", "x" * 1400 + "{given_name}")])
