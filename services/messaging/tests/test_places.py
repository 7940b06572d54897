"""Where a number may be and which hours hold there."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import places
from messaging.domain import Purpose
from messaging.hours import is_open, next_open

NOWHERE = "+18005550123"  # toll-free: without a place


def zones(stored: str, phone: str) -> list[str]:
    return [zone.key for zone in places.zones_of(stored, phone)]


def test_the_stored_zone_comes_before_the_number() -> None:
    assert zones("Europe/Paris", "+12125550123") == ["Europe/Paris"]


def test_the_area_code_tells_the_zone_where_none_is_stored() -> None:
    assert zones("", "+12125550123") == ["America/New_York"]
    assert zones("", "+14155550123") == ["America/Los_Angeles"]


def test_a_number_in_several_zones_counts_in_all_of_them() -> None:
    assert len(zones("", "+61491570006")) > 1


@pytest.mark.parametrize("stored", ["", "Mars/Olympus", "../etc/passwd", "\x00"])
def test_a_number_without_a_place_counts_in_every_zone_of_the_us(stored: str) -> None:
    assert zones(stored, NOWHERE) == list(places.US_ZONES)


def test_a_number_abroad_that_tells_nothing_has_no_decent_hour() -> None:
    assert zones("", "+447700900123") == []


def test_a_number_of_a_wide_country_counts_in_all_of_its_zones() -> None:
    assert "Asia/Vladivostok" in zones("", "+79161234567")
    assert "Europe/Moscow" in zones("", "+79161234567")


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("month", [1, 3, 7, 11])
def test_the_whole_us_has_common_hours_in_every_season(purpose: Purpose, month: int) -> None:
    hours = places.hours_for(purpose, "", NOWHERE)
    moment = datetime(2026, month, 10, 5, tzinfo=UTC)
    opening = next_open(moment, hours)
    assert opening is not None
    assert opening - moment < timedelta(days=1)


@pytest.mark.parametrize(
    ("phone", "opens", "closes"),
    [
        ("+12125550123", 8, 21),  # New York: the federal hours
        ("+13055550123", 8, 20),  # Florida
        ("+12035550123", 9, 20),  # Connecticut
        ("+15025550123", 10, 21),  # Kentucky
        (NOWHERE, 9, 19),
        ("+33612345678", 9, 19),  # a country without a row
    ],
)
def test_solicitation_keeps_the_hours_of_the_state(phone: str, opens: int, closes: int) -> None:
    tuesday = places.week_of(Purpose.MARKETING, phone)[1]
    assert tuesday is not None
    assert (tuesday.opens, tuesday.closes) == (time(opens), time(closes))


def test_states_without_sundays_are_closed_on_sunday_for_solicitation_only() -> None:
    assert places.week_of(Purpose.MARKETING, "+15045550123")[6] is None
    assert places.week_of(Purpose.SERVICE, "+15045550123")[6] is not None


def test_the_weekday_is_that_of_the_client() -> None:
    hours = places.hours_for(Purpose.MARKETING, "", "+15045550123")  # New Orleans
    saturday_evening = datetime(2026, 3, 15, 0, 30, tzinfo=UTC)  # Sunday in UTC
    assert is_open(saturday_evening, hours)


@given(st.text(max_size=20).filter(lambda text: text not in available_timezones()))
def test_nonsense_has_no_decent_hour(phone: str) -> None:
    assert not is_open(
        datetime(2026, 3, 10, 17, tzinfo=UTC), places.hours_for(Purpose.MARKETING, phone, phone)
    )


@pytest.mark.parametrize(
    ("phone", "is_phone"),
    [
        ("+12025550123", True),
        ("+33612345678", True),
        ("+1202555", False),
        ("+19995550123", False),
        ("12025550123", False),
    ],
)
def test_a_number_must_be_one_that_a_phone_can_have(phone: str, is_phone: bool) -> None:
    assert places.is_phone(phone) is is_phone


def test_a_landline_takes_no_texts() -> None:
    assert not places.takes_texts("+390612345678")
    assert places.takes_texts("+12025550123")
