"""Whatever people do with a suggestion, in whatever order: it keeps its rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from outreach.domain import ContactKind, Reason, Signal, Suggestion, SuggestionState

BEGUN = datetime(2026, 3, 10, 16, tzinfo=UTC)
TODAY = date(2026, 3, 10)
FRESH = Suggestion(
    suggestion_id="sug_1",
    client_id="cli_1",
    associate_id="asc_1",
    store_id="sto_1",
    state=SuggestionState.OPEN,
    as_of=TODAY,
    expires_on=TODAY + timedelta(days=30),
    score=1.0,
    reasons=(Reason(Signal.CARE_DUE, "Due for cleaning.", 1.0),),
    model_note="",
    created_at=BEGUN,
    updated_at=BEGUN,
)
ANSWERED = {SuggestionState.SENT, SuggestionState.LOGGED, SuggestionState.DISMISSED}

DEEDS = {
    "snooze": lambda one, now: one.snoozed(TODAY + timedelta(days=3), today=TODAY, now=now),
    "dismiss": lambda one, now: one.dismissed("Moved away.", now=now),
    "call": lambda one, now: one.logged(ContactKind.CALL, "", None, now=now),
    "visit": lambda one, now: one.logged(ContactKind.VISIT, "Came in.", None, now=now),
    "hand on": lambda one, now: one.handed_on("asc_2", by="usr_1", is_owner=False, now=now),
    "hand back": lambda one, now: one.handed_on("asc_1", by="usr_1", is_owner=True, now=now),
    "reopen": lambda one, now: one.reopened(today=TODAY, now=now),
    "try": lambda one, now: one.trying("Hello", now=now),
    "refuse": lambda one, now: one.refused(one.attempt, now=now),
    "send": lambda one, now: one.sent(message_id="msg_1", conversation_id="cnv_1", fingerprint="", now=now),
}


@given(deeds=st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(0, 90)), max_size=12))
def test_its_fields_always_tell_of_its_state(deeds):
    one, now = FRESH, BEGUN
    for name, seconds in deeds:
        now += timedelta(seconds=seconds)
        before = one
        try:
            one = DEEDS[name](one, now)
        except ServiceError:
            assert one is before
            continue
        assert (one.answered_at is not None) == (one.state in ANSWERED)
        assert (one.snoozed_until is not None) == (one.state is SuggestionState.SNOOZED)
        assert (one.dismiss_reason != "") == (one.state is SuggestionState.DISMISSED)
        if one.state in (SuggestionState.OPEN, SuggestionState.SNOOZED, SuggestionState.DISMISSED):
            assert one.contact_kind is None
        if one.state is SuggestionState.LOGGED:
            assert one.contact_kind is not None
            assert one.contacted_at is not None
        assert (one.reassigned_by != "") == (one.associate_id != "asc_1")
        assert one.version - before.version in (0, 1)
        if before.state is SuggestionState.SENT:
            assert one is before or name == "refuse"


@pytest.mark.parametrize("deed", ["snooze", "dismiss", "call", "hand on", "reopen", "send"])
def test_the_same_again_changes_nothing(deed):
    once = DEEDS[deed](FRESH, BEGUN)
    assert DEEDS[deed](once, BEGUN + timedelta(hours=1)) is once


@pytest.mark.parametrize("deed", ["snooze", "dismiss", "call", "hand on"])
def test_nothing_else_is_done_while_a_text_may_be_going_out(deed):
    trying = FRESH.trying("Hello", now=BEGUN)
    with pytest.raises(ServiceError, match="on its way") as refused:
        DEEDS[deed](trying, BEGUN + timedelta(seconds=59))
    assert refused.value.reason == "SEND_UNDER_WAY"
    assert DEEDS[deed](trying, BEGUN + timedelta(seconds=60)) is not trying
    assert DEEDS[deed](trying.refused(0, now=BEGUN), BEGUN) is not trying


def test_only_what_is_open_is_overdue():
    waiting = replace(FRESH, waits_long=True)
    assert waiting.is_overdue
    assert not DEEDS["snooze"](waiting, BEGUN).is_overdue
    assert DEEDS["reopen"](DEEDS["call"](waiting, BEGUN), BEGUN).is_overdue
