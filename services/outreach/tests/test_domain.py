"""The rules of a suggestion, at the edges where they break."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON
from outreach.domain import Reason, Signal, Suggestion, SuggestionState

TODAY = NOON.date()
OPEN = Suggestion(
    suggestion_id="sug_1",
    client_id="cli_1",
    associate_id="asc_1",
    store_id="sto_1",
    state=SuggestionState.OPEN,
    as_of=TODAY,
    expires_on=TODAY + timedelta(days=5),
    score=1.0,
    reasons=(Reason(Signal.HIGH_INTENT, "Came in twice.", 1.0),),
    model_note="",
    created_at=NOON,
    updated_at=NOON,
)
CLOSED = [SuggestionState.SENT, SuggestionState.DISMISSED, SuggestionState.EXPIRED]


def refusal(change: object) -> tuple[Kind, str]:
    with pytest.raises(ServiceError) as refused:
        change()  # type: ignore[operator]
    return refused.value.kind, refused.value.reason


def test_a_snooze_is_until_tomorrow_at_least():
    assert refusal(lambda: OPEN.snoozed(TODAY, today=TODAY, now=NOON)) == (
        Kind.PRECONDITION,
        "SNOOZE_NOT_AHEAD",
    )
    snoozed = OPEN.snoozed(TODAY + timedelta(days=1), today=TODAY, now=NOON)
    assert (snoozed.state, snoozed.snoozed_until) == (SuggestionState.SNOOZED, TODAY + timedelta(days=1))


def test_a_snoozed_suggestion_may_be_snoozed_to_another_day():
    once = OPEN.snoozed(date(2026, 3, 20), today=TODAY, now=NOON)
    assert once.snoozed(date(2026, 3, 20), today=TODAY, now=NOON) is once
    assert once.snoozed(date(2026, 3, 25), today=TODAY, now=NOON).snoozed_until == date(2026, 3, 25)


@pytest.mark.parametrize("state", CLOSED)
def test_what_is_closed_is_neither_snoozed_nor_tried(state):
    closed = replace(OPEN, state=state)
    for change in (
        lambda: closed.snoozed(TODAY + timedelta(days=1), today=TODAY, now=NOON),
        lambda: closed.trying("Hello", now=NOON),
    ):
        assert refusal(change) == (Kind.PRECONDITION, "SUGGESTION_CLOSED")


def test_a_second_dismissal_changes_nothing():
    once = OPEN.dismissed("She moved away.", now=NOON)
    assert once.dismissed("Another reason.", now=NOON) is once
    assert once.dismiss_reason == "She moved away."


@pytest.mark.parametrize("state", [SuggestionState.SENT, SuggestionState.EXPIRED])
def test_what_was_sent_or_expired_is_neither_dismissed_nor_reopened(state):
    closed = replace(OPEN, state=state)
    assert refusal(lambda: closed.dismissed("No.", now=NOON))[1] == "SUGGESTION_CLOSED"
    assert refusal(lambda: closed.reopened(today=TODAY, now=NOON))[1] == "SUGGESTION_CLOSED"


def test_reopening_brings_back_what_was_put_away_until_its_last_day():
    dismissed = OPEN.dismissed("No.", now=NOON)
    back = dismissed.reopened(today=dismissed.expires_on, now=NOON)
    assert (back.state, back.dismiss_reason, back.answered_at) == (SuggestionState.OPEN, "", None)
    after = dismissed.expires_on + timedelta(days=1)
    assert refusal(lambda: dismissed.reopened(today=after, now=NOON))[1] == "SUGGESTION_CLOSED"
    assert OPEN.reopened(today=TODAY, now=NOON) is OPEN


def test_a_send_id_changes_only_when_messaging_refused_for_good():
    tried = OPEN.trying("one", now=NOON).trying("two", now=NOON).trying("one", now=NOON)
    assert (tried.send_id, tried.tried_bodies) == (OPEN.send_id, ("one", "two"))
    refused = tried.refused(0, now=NOON)
    assert refused.send_id != OPEN.send_id
    assert refused.tried_bodies == ()
    assert refused.refused(0, now=NOON) is refused  # a late second answer to the same attempt


_CHANGES = st.sampled_from(["snooze", "dismiss", "reopen", "send"])


@given(st.lists(_CHANGES, max_size=12))
def test_whatever_is_done_what_was_sent_stays_sent_and_versions_grow(changes):
    suggestion = OPEN
    for change in changes:
        before = suggestion
        try:
            if change == "snooze":
                suggestion = suggestion.snoozed(TODAY + timedelta(days=2), today=TODAY, now=NOON)
            elif change == "dismiss":
                suggestion = suggestion.dismissed("No.", now=NOON)
            elif change == "reopen":
                suggestion = suggestion.reopened(today=TODAY, now=NOON)
            else:
                suggestion = suggestion.sent(message_id="m", conversation_id="c", fingerprint="f", now=NOON)
        except ServiceError:
            assert suggestion is before
        assert suggestion is before or suggestion.version == before.version + 1
        if before.state is SuggestionState.SENT:
            assert suggestion is before
        assert (suggestion.snoozed_until is not None) == (suggestion.state is SuggestionState.SNOOZED)
        is_answered = suggestion.state in (SuggestionState.SENT, SuggestionState.DISMISSED)
        assert (suggestion.answered_at is not None) == is_answered
