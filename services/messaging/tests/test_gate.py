"""The gate's decisions, one fact at a time, and what must hold for all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging import places
from messaging.domain import Change, Decision, Purpose, Verdict
from messaging.gate import Question, decide
from messaging.hours import LocalHours, all_days, is_open

NEW_YORK = ZoneInfo("America/New_York")
DAYTIME = datetime(2026, 3, 10, 13, tzinfo=NEW_YORK)
NIGHT = datetime(2026, 3, 10, 23, tzinfo=NEW_YORK)
ASKED = Question(
    purpose=Purpose.SERVICE,
    now=DAYTIME,
    standing=Change.GRANTED,
    hours=[LocalHours(NEW_YORK, all_days(8, 21))],
    sender_name="Maison Aurore",
    body="Your ring is ready.",
)
MARKETING = replace(ASKED, purpose=Purpose.MARKETING)
TALK = replace(ASKED, purpose=Purpose.CONVERSATIONAL)


def reasons(decision: Decision) -> list[str]:
    return [reason.reason for reason in decision.reasons]


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_was_agreed_to_goes_out_in_the_day(purpose: Purpose) -> None:
    assert decide(replace(ASKED, purpose=purpose)) == Decision(Verdict.ALLOW)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_without_a_grant_nothing_goes_out(purpose: Purpose) -> None:
    decision = decide(replace(ASKED, purpose=purpose, standing=None))
    assert (decision.verdict, reasons(decision)) == (Verdict.DENY, ["NO_PERMISSION"])


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_revocation_binds_every_purpose_even_in_a_live_conversation(purpose: Purpose) -> None:
    decision = decide(replace(ASKED, purpose=purpose, standing=Change.REVOKED, last_inbound_at=DAYTIME))
    assert (decision.verdict, reasons(decision)) == (Verdict.DENY, ["PERMISSION_REVOKED"])


def test_at_night_a_text_waits_for_the_morning() -> None:
    decision = decide(replace(ASKED, now=NIGHT))
    assert (decision.verdict, reasons(decision)) == (Verdict.DEFER, ["QUIET_HOURS"])
    assert decision.defer_until == datetime(2026, 3, 11, 8, tzinfo=NEW_YORK)
    assert "23:00 where the client is" in decision.reasons[0].message


def test_an_answer_in_a_live_conversation_may_go_at_night_and_says_why() -> None:
    decision = decide(replace(TALK, now=NIGHT, last_inbound_at=NIGHT - timedelta(hours=24)))
    assert (decision.verdict, reasons(decision)) == (Verdict.ALLOW, ["LIVE_CONVERSATION"])


def test_a_conversation_is_live_for_a_day_only() -> None:
    silent_since = NIGHT - timedelta(hours=24, seconds=1)
    assert decide(replace(TALK, now=NIGHT, last_inbound_at=silent_since)).verdict is Verdict.DEFER


def test_only_talk_is_free_of_quiet_hours_in_a_live_conversation() -> None:
    assert decide(replace(MARKETING, now=NIGHT, last_inbound_at=NIGHT)).verdict is Verdict.DEFER


def test_whoever_wrote_may_be_answered_without_a_grant_for_thirty_days() -> None:
    wrote = replace(TALK, standing=None, last_inbound_at=DAYTIME - timedelta(days=30))
    assert reasons(decide(wrote)) == ["ANSWERS_CLIENT"]
    assert decide(wrote).verdict is Verdict.ALLOW
    assert decide(replace(wrote, now=DAYTIME + timedelta(seconds=1))).verdict is Verdict.DENY
    assert decide(replace(wrote, purpose=Purpose.SERVICE)).verdict is Verdict.DENY


def test_a_dead_number_gets_nothing() -> None:
    assert reasons(decide(replace(ASKED, is_dead_number=True))) == ["NUMBER_DEAD"]


def test_a_first_marketing_text_must_say_who_writes() -> None:
    first = replace(MARKETING, is_first_message=True)
    assert reasons(decide(first)) == ["SENDER_NAME_MISSING"]
    assert decide(replace(first, body="MAISON, Aurore! here")).verdict is Verdict.ALLOW
    assert decide(replace(first, body="Here is Maison Auroreal")).verdict is Verdict.DENY
    assert decide(replace(first, body=None)).verdict is Verdict.ALLOW
    assert decide(replace(first, is_first_message=False)).verdict is Verdict.ALLOW


def test_a_store_without_a_number_and_a_client_without_one_are_said() -> None:
    assert reasons(decide(replace(ASKED, sender_name=None))) == ["SENDER_MISSING"]
    assert reasons(decide(replace(ASKED, is_reachable=False, hours=()))) == ["CLIENT_UNREACHABLE"]


def test_every_reason_to_deny_is_said_and_the_hour_too() -> None:
    decision = decide(
        replace(MARKETING, standing=None, is_dead_number=True, is_first_message=True, now=NIGHT)
    )
    assert reasons(decision) == ["NO_PERMISSION", "NUMBER_DEAD", "SENDER_NAME_MISSING", "QUIET_HOURS"]
    assert decision.defer_until is None


def test_places_without_a_common_hour_are_a_denial_that_says_what_to_do() -> None:
    apart = [LocalHours(ZoneInfo(name), all_days(9, 12)) for name in ("Europe/London", "America/Los_Angeles")]
    decision = decide(replace(ASKED, hours=apart))
    assert (decision.verdict, reasons(decision)) == (Verdict.DENY, ["HOURS_UNKNOWN"])


def test_unknown_hours_are_never_open() -> None:
    assert decide(replace(ASKED, hours=())).verdict is Verdict.DENY


ZONES = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
PHONES = st.sampled_from(
    [
        "+12125550123",
        "+13055550123",
        "+15045550123",
        "+14015550123",
        "+18005550123",
        "+61491570006",
        "+33612345678",
    ]
)


@settings(max_examples=300, deadline=None)
@given(MOMENTS, st.just("") | ZONES, PHONES, st.sampled_from([Purpose.SERVICE, Purpose.MARKETING]))
def test_a_deferral_leads_to_a_later_moment_at_which_the_gate_allows(
    now: datetime, zone: str, phone: str, purpose: Purpose
) -> None:
    hours = places.hours_for(purpose, zone, phone)
    question = replace(ASKED, now=now, purpose=purpose, hours=hours)
    decision = decide(question)
    assert (decision.verdict is Verdict.ALLOW) == is_open(now, hours)
    if decision.verdict is Verdict.DEFER:
        assert decision.defer_until is not None
        assert decision.defer_until > now
        assert decide(replace(question, now=decision.defer_until)).verdict is Verdict.ALLOW


@settings(max_examples=200, deadline=None)
@given(MOMENTS, ZONES, st.sampled_from(list(Purpose)), st.booleans(), st.none() | st.integers(0, 2000))
def test_a_revocation_is_never_outweighed(
    now: datetime, zone: str, purpose: Purpose, is_first: bool, hours_ago: int | None
) -> None:
    question = replace(
        ASKED,
        now=now,
        purpose=purpose,
        standing=Change.REVOKED,
        hours=places.hours_for(purpose, zone, "+12125550123"),
        is_first_message=is_first,
        last_inbound_at=None if hours_ago is None else now - timedelta(hours=hours_ago),
    )
    assert decide(question).verdict is Verdict.DENY
