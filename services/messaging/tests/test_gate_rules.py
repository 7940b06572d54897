"""What the chain, the carriers and colleagues add to the gate, one fact at a time; and that nothing makes it milder."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from messaging import places
from messaging.domain import Change, Channel, Decision, OwnHours, Purpose, Verdict
from messaging.gate import BrandDay, Question, Reached, Talk, decide
from messaging.hours import LocalHours, all_days, is_open, next_open
from messaging.keywords import is_yes

NEW_YORK = ZoneInfo("America/New_York")
DAYTIME = datetime(2026, 3, 10, 13, tzinfo=NEW_YORK)
NIGHT = datetime(2026, 3, 10, 23, tzinfo=NEW_YORK)
HOUR = timedelta(hours=1)
OFFER = Question(
    purpose=Purpose.MARKETING,
    now=DAYTIME,
    standing=Change.GRANTED,
    hours=[LocalHours(NEW_YORK, all_days(8, 21))],
    sender_name="Maison Aurore",
    body="Maison Aurore: the sapphires are here.",
)
NEWS = replace(OFFER, purpose=Purpose.SERVICE)
TALK = replace(OFFER, purpose=Purpose.CONVERSATIONAL)
TALKING = Talk(DAYTIME - HOUR, DAYTIME - HOUR / 2, timedelta(hours=4))
CONFIRMING = replace(NEWS, standing=None, asks_for_confirmation=True, marketing_standing=Change.REQUESTED)


def reasons(decision: Decision) -> list[str]:
    return [reason.reason for reason in decision.reasons]


def test_a_colleagues_live_conversation_is_waited_for() -> None:
    for question in (OFFER, TALK):
        decision = decide(replace(question, talk=TALKING))
        assert (decision.verdict, reasons(decision)) == (Verdict.DEFER, ["COLLISION"])
        assert decision.defer_until == DAYTIME + timedelta(hours=3, minutes=30)


def test_news_go_between_and_whoever_has_the_conversation_goes_on() -> None:
    assert decide(replace(NEWS, talk=TALKING)).verdict is Verdict.ALLOW
    assert decide(replace(TALK, talk=TALKING, is_assignee=True)).verdict is Verdict.ALLOW


def test_words_that_nobody_answered_for_a_day_are_no_conversation() -> None:
    apart = replace(TALKING, wrote_at=TALKING.answered_at - timedelta(hours=25))
    assert decide(replace(OFFER, talk=apart)).verdict is Verdict.ALLOW


def test_a_talk_that_ends_at_night_is_followed_by_the_morning() -> None:
    late = datetime(2026, 3, 10, 20, tzinfo=NEW_YORK)
    talk = Talk(late - HOUR, late, timedelta(hours=4))
    assert decide(replace(OFFER, now=late, talk=talk)).defer_until == datetime(
        2026, 3, 11, 8, tzinfo=NEW_YORK
    )


def test_a_cap_lets_the_next_one_through_when_the_oldest_has_aged() -> None:
    capped = replace(OFFER, caps_reached=[Reached(2, 7, DAYTIME + timedelta(days=3))])
    decision = decide(capped)
    assert (decision.verdict, reasons(decision)) == (Verdict.DEFER, ["FREQUENCY_CAP"])
    assert decision.defer_until == DAYTIME + timedelta(days=3)
    assert "at most 2 texts of this kind to a number within 7 days" in decision.reasons[0].message


def test_answers_in_a_live_conversation_are_not_capped() -> None:
    capped = replace(TALK, caps_reached=[Reached(1, 1, DAYTIME + HOUR)])
    assert decide(capped).verdict is Verdict.DEFER
    assert decide(replace(capped, last_inbound_at=DAYTIME - HOUR)).verdict is Verdict.ALLOW


def test_a_brands_full_day_is_waited_for_even_by_answers() -> None:
    full = BrandDay(2, DAYTIME + timedelta(hours=20))
    for question in (OFFER, NEWS, replace(TALK, last_inbound_at=DAYTIME)):
        assert decide(replace(question, brand_day=full, segments=2)).verdict is Verdict.ALLOW
        decision = decide(replace(question, brand_day=full, segments=3))
        assert (decision.verdict, reasons(decision)) == (Verdict.DEFER, ["BRAND_DAY_FULL"])


@pytest.mark.parametrize(
    ("fact", "reason"),
    [({"is_sender_stopped": True}, "SENDER_STOPPED"), ({"is_campaign_paused": True}, "CAMPAIGN_PAUSED")],
)
def test_what_somebody_has_to_see_to_waits(fact: dict[str, bool], reason: str) -> None:
    decision = decide(replace(OFFER, **fact))  # type: ignore[arg-type]
    assert (decision.verdict, reasons(decision)) == (Verdict.DEFER, [reason])
    assert decision.defer_until is not None
    assert decision.defer_until > DAYTIME


def test_an_erased_client_gets_nothing() -> None:
    assert reasons(decide(replace(NEWS, is_erased=True))) == ["CLIENT_ERASED"]


def test_a_forbidden_phrase_is_named_without_case_accents_and_signs() -> None:
    house = replace(NEWS, forbidden_phrases=["Rival & Söhne", "cheap"])
    decision = decide(replace(house, body="Better than RIVAL SOHNE, and not cheaper"))
    assert reasons(decision) == ["CONTENT_FORBIDDEN"]
    assert "“Rival & Söhne”" in decision.reasons[0].message
    assert decide(replace(house, body="Nothing here is cheaper.")).verdict is Verdict.ALLOW
    assert decide(replace(house, body=None)).verdict is Verdict.ALLOW


def test_on_whatsapp_free_words_are_for_a_day_after_the_client_wrote() -> None:
    free = replace(TALK, channel=Channel.WHATSAPP)
    assert reasons(decide(free)) == ["TEMPLATE_NEEDED"]
    assert decide(replace(free, last_inbound_at=DAYTIME - timedelta(hours=24))).verdict is Verdict.ALLOW
    late = replace(free, last_inbound_at=DAYTIME - timedelta(hours=24, seconds=1))
    assert reasons(decide(late)) == ["TEMPLATE_NEEDED"]
    assert decide(replace(late, has_provider_template=True)).verdict is Verdict.ALLOW


def test_e_mail_is_read_when_it_suits_and_names_its_sender_itself() -> None:
    mail = replace(OFFER, channel=Channel.EMAIL, now=NIGHT, hours=(), is_first_message=True, body="Hello")
    assert decide(mail) == Decision(Verdict.ALLOW)
    unreachable = decide(replace(mail, is_reachable=False))
    assert "e-mail address" in unreachable.reasons[0].message


def test_a_consent_that_waits_for_a_yes_grants_nothing_but_the_question() -> None:
    assert reasons(decide(replace(OFFER, standing=Change.REQUESTED))) == ["CONFIRMATION_AWAITED"]
    assert (decide(CONFIRMING).verdict, reasons(decide(CONFIRMING))) == (
        Verdict.ALLOW,
        ["ASKS_FOR_CONFIRMATION"],
    )
    assert decide(replace(CONFIRMING, now=NIGHT)).verdict is Verdict.DEFER


@pytest.mark.parametrize("standing", [None, Change.GRANTED])
def test_nobody_is_asked_to_confirm_what_waits_for_nothing(standing: Change | None) -> None:
    assert reasons(decide(replace(CONFIRMING, marketing_standing=standing))) == ["CONFIRMATION_NOT_AWAITED"]


@pytest.mark.parametrize("fact", ["standing", "marketing_standing"])
@pytest.mark.parametrize("change", [Change.REVOKED, Change.SUSPENDED])
def test_nobody_is_asked_to_confirm_after_a_stop(fact: str, change: Change) -> None:
    assert decide(replace(CONFIRMING, **{fact: change})).verdict is Verdict.DENY  # type: ignore[arg-type]


def test_everything_that_is_in_the_way_is_said_at_once() -> None:
    decision = decide(
        replace(
            OFFER,
            now=NIGHT,
            standing=None,
            is_dead_number=True,
            is_sender_stopped=True,
            talk=Talk(NIGHT, NIGHT, HOUR),
            caps_reached=[Reached(1, 1, NIGHT + HOUR)],
            forbidden_phrases=["sapphires"],
        )
    )
    assert decision.verdict is Verdict.DENY
    assert set(reasons(decision)) == {
        "NO_PERMISSION", "NUMBER_DEAD", "CONTENT_FORBIDDEN", "QUIET_HOURS", "SENDER_STOPPED", "COLLISION",
        "FREQUENCY_CAP",
    }  # fmt: skip
    assert all(reason.message.endswith(".") for reason in decision.reasons)


@pytest.mark.parametrize("body", ["YES", "yes!", " Yes please ", "Y", "Sí"])
def test_a_yes_is_a_yes(body: str) -> None:
    assert is_yes(body)


@pytest.mark.parametrize("body", ["yes, on Friday", "yesterday", "no", "", "yes " * 40])
def test_other_words_are_no_yes(body: str) -> None:
    assert not is_yes(body)


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))
PLACES = st.sampled_from(
    [
        "",
        "America/New_York @US-FL",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "America/Chicago,America/Denver @US-TX",
        "America/St_Johns @CA-NL",
        "@US-RI",
        "Africa/Casablanca",
    ]
)
NUMBERS = st.sampled_from(["+12125550123", "+15045550123", "+18005550123", "+61491570006", "+447700900123"])
HOURS_OF_DAY = st.times(timezones=st.none()).map(lambda moment: moment.replace(second=0, microsecond=0))
OWN_HOURS = st.builds(OwnHours, HOURS_OF_DAY, HOURS_OF_DAY, st.frozensets(st.integers(0, 6), max_size=6))
SOON = st.integers(-200, 200).map(lambda hours: timedelta(hours=hours))


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Draw any question whatsoever."""
    now = draw(MOMENTS)
    purpose = draw(st.sampled_from(list(Purpose)))

    def near() -> datetime:
        return now + draw(SOON)

    return Question(
        purpose=purpose,
        now=now,
        standing=draw(st.none() | st.sampled_from(list(Change))),
        hours=places.hours_for(purpose, draw(PLACES), draw(NUMBERS), draw(st.none() | OWN_HOURS)),
        sender_name=draw(st.sampled_from([None, "Maison Aurore"])),
        last_inbound_at=draw(
            st.none() | st.integers(0, 1000).map(lambda hours: now - timedelta(hours=hours))
        ),
        is_reachable=draw(st.booleans()),
        is_dead_number=draw(st.booleans()),
        is_first_message=draw(st.booleans()),
        body=draw(st.sampled_from([None, "Hello", "Maison Aurore: hello"])),
        channel=draw(st.sampled_from(list(Channel))),
        segments=draw(st.integers(1, 5)),
        has_provider_template=draw(st.booleans()),
        asks_for_confirmation=draw(st.booleans()),
        marketing_standing=draw(st.none() | st.sampled_from(list(Change))),
        is_erased=draw(st.booleans()),
        is_sender_stopped=draw(st.booleans()),
        is_campaign_paused=draw(st.booleans()),
        is_assignee=draw(st.booleans()),
        talk=draw(st.none() | st.builds(Talk, st.just(near()), st.just(near()), st.just(4 * HOUR))),
        caps_reached=draw(st.lists(st.builds(Reached, st.just(1), st.just(1), st.just(near())), max_size=1)),
        brand_day=draw(st.none() | st.builds(BrandDay, st.integers(-5, 5), st.just(near()))),
        forbidden_phrases=draw(st.sampled_from([(), ("hello",)])),
    )


MILDEST_FIRST = list(Verdict)


@settings(max_examples=100, deadline=None)
@given(questions(), st.data())
def test_one_more_restriction_never_makes_the_gate_milder(question: Question, data: st.DataObject) -> None:
    now = question.now
    harder = data.draw(
        st.sampled_from(
            [
                {"standing": Change.REVOKED},
                {"standing": Change.SUSPENDED},
                {"sender_name": None},
                {"is_reachable": False},
                {"is_dead_number": True},
                {"is_erased": True},
                {"is_sender_stopped": True},
                {"is_campaign_paused": True},
                {"is_assignee": False},
                {"has_provider_template": False},
                {"last_inbound_at": None},
                {"talk": question.talk or Talk(now, now, HOUR)},
                {"caps_reached": [*question.caps_reached, Reached(2, 7, now + timedelta(days=5))]},
                {"brand_day": question.brand_day or BrandDay(0, now + HOUR)},
                {"forbidden_phrases": (*question.forbidden_phrases, "hello")},
                {"hours": [*question.hours, LocalHours(NEW_YORK, all_days(11, 12))]},
                {"hours": [*question.hours, LocalHours(ZoneInfo("Asia/Tokyo"), all_days(22, 3))]},
            ]
        )
    )
    if question.asks_for_confirmation and "standing" in harder:
        harder = {**harder, "marketing_standing": harder["standing"]}
    before, after = decide(question), decide(replace(question, **harder))  # type: ignore[arg-type]
    assert MILDEST_FIRST.index(after.verdict) >= MILDEST_FIRST.index(before.verdict), (before, after)
    if before.verdict is after.verdict is Verdict.DEFER:
        assert before.defer_until is not None
        assert after.defer_until is not None
        assert after.defer_until >= before.defer_until or question.is_live


@settings(max_examples=100, deadline=None)
@given(questions())
def test_whatever_is_asked_has_an_answer_that_says_why(question: Question) -> None:
    decision = decide(question)
    assert (decision.verdict is Verdict.DEFER) == (decision.defer_until is not None)
    assert decision.reasons or decision.verdict is Verdict.ALLOW
    assert len({reason.message for reason in decision.reasons}) == len(decision.reasons)
    if decision.defer_until is not None:
        assert decision.defer_until > question.now or not question.is_live


@settings(max_examples=300, deadline=None)
@given(MOMENTS, PLACES, NUMBERS, st.sampled_from(list(Purpose)), OWN_HOURS)
@example(datetime(2026, 3, 8, 7, 30, tzinfo=UTC), "America/New_York", "+12125550123", Purpose.MARKETING,
         OwnHours(time(22), time(3)))  # fmt: skip
@example(datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "America/New_York", "+12125550123", Purpose.SERVICE,
         OwnHours(time(0), time(0)))  # fmt: skip
def test_a_chains_own_hours_only_take_hours_away(
    now: datetime, place: str, number: str, purpose: Purpose, own: OwnHours
) -> None:
    law, both = places.hours_for(purpose, place, number), places.hours_for(purpose, place, number, own)
    assert not is_open(now, both) or is_open(now, law)
    opening = next_open(now, both)
    if opening is not None:
        assert is_open(opening, law)
        zones = {hours.zone for hours in both}
        for zone in zones:
            local = opening.astimezone(zone)
            started_on = local.weekday()
            if own.closes <= own.opens and local.time() < own.closes:
                assert {started_on, (started_on - 1) % 7} - own.closed_weekdays
            else:
                assert started_on not in own.closed_weekdays


@settings(max_examples=200, deadline=None)
@given(MOMENTS, st.sampled_from(["+15045550123", "+16015550123", "+12055550123", "+18015550123"]))
def test_no_offer_on_a_sunday_where_the_state_has_none(now: datetime, number: str) -> None:
    hours = places.hours_for(Purpose.MARKETING, "", number)
    opening = next_open(now, hours)
    assert opening is not None
    assert all(opening.astimezone(place.zone).weekday() != 6 for place in hours)


@settings(max_examples=200, deadline=None)
@given(MOMENTS, st.sampled_from(list(Purpose)))
def test_a_place_that_nobody_knows_is_every_place_of_the_us(now: datetime, purpose: Purpose) -> None:
    unknown = places.hours_for(purpose, "", "+18005550123")
    if is_open(now, unknown):
        for zone in places.US_ZONES:
            assert is_open(now, places.hours_for(purpose, zone, "+18005550123"))
