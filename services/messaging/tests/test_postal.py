"""Where an address is, and that the law of every place that may hold does hold."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import places, postal
from messaging.domain import Purpose
from messaging.hours import is_open


def zones(place: str, number: str = "+18005550123") -> list[str]:
    return [zone.key for zone in places.zones_of(place, number)]


@pytest.mark.parametrize(
    ("country", "region", "code", "state", "expected"),
    [
        ("US", "", "33101", "FL", ["America/New_York"]),  # Miami
        ("US", "", "32501", "FL", ["America/Chicago"]),  # Pensacola
        ("US", "", "32456", "FL", ["America/New_York", "America/Chicago"]),  # on the border
        ("US", "FL", "", "FL", ["America/New_York", "America/Chicago"]),
        ("US", "NY", "90210", "CA", ["America/Los_Angeles"]),  # the code tells it better
        ("US", "", "79901", "TX", ["America/Denver"]),  # El Paso
        (
            "US",
            "",
            "86040",
            "AZ",
            ["America/Phoenix", "America/Denver"],
        ),  # the Navajo Nation changes its clocks
        ("US", "", "85001", "AZ", ["America/Phoenix"]),
        ("US", "", "09012", "", []),  # forces abroad
        ("CA", "", "A1A 1A1", "NL", ["America/St_Johns", "America/Goose_Bay"]),
        ("FR", "", "75001", "", ["Europe/Paris"]),
        ("", "", "75001", "", []),
        ("ZZ", "", "", "", []),
    ],
)
def test_an_address_tells_state_and_zones(
    country: str, region: str, code: str, state: str, expected: list[str]
) -> None:
    assert postal.state_of(country, region, code) == state
    assert list(postal.zones_of_address(country, region, code)) == expected


def test_every_zone_of_the_tables_exists_and_every_state_has_one() -> None:
    named = {zone for zones in (*postal._ZONES.values(), *postal._PROVINCE_ZONES.values()) for zone in zones}
    assert named <= available_timezones()
    assert [state for state in postal._PREFIXES if state not in postal._ZONES] == []
    prefixes = [prefix for spans in postal._PREFIXES.values() for prefix in postal._numbers(spans)]
    assert len(prefixes) == len({*prefixes})
    assert {*postal._ZONES_OF_PREFIX} <= {*prefixes} | {"343", "345", "348"}


def test_the_stored_zone_goes_before_the_address_and_the_address_before_the_number() -> None:
    stored = places.place_of("America/Denver", "US", "", "33101")
    assert (stored, zones(stored, "+14155550123")) == ("America/Denver @US-FL", ["America/Denver"])
    by_address = places.place_of("", "US", "", "33101")
    assert (by_address, zones(by_address, "+14155550123")) == (
        "America/New_York @US-FL",
        ["America/New_York"],
    )
    assert zones(places.place_of("", "", "", ""), "+14155550123") == ["America/Los_Angeles"]
    assert zones(places.place_of("Mars/Olympus", "", "", ""), "+14155550123") == ["America/Los_Angeles"]


def test_two_candidate_zones_must_both_allow() -> None:
    place = places.place_of("", "US", "", "32456")
    hours = places.hours_for(Purpose.SERVICE, place, "+18505550123")
    eight_in_new_york = datetime(2026, 3, 10, 8, tzinfo=ZoneInfo("America/New_York"))
    eight_in_chicago = datetime(2026, 3, 10, 8, tzinfo=ZoneInfo("America/Chicago"))
    assert not is_open(eight_in_new_york, hours)
    assert is_open(eight_in_chicago, hours)


def test_the_law_of_the_number_and_the_law_of_the_address_both_hold() -> None:
    """A number of Rhode Island (weekdays to 18) in Kentucky (from 10)."""
    hours = places.hours_for(Purpose.MARKETING, "America/New_York @US-KY", "+14015550123")

    def at(day: int, hour: int) -> bool:
        return is_open(datetime(2026, 3, day, hour, tzinfo=ZoneInfo("America/New_York")), hours)

    assert [at(10, hour) for hour in (9, 10, 17, 18)] == [False, True, True, False]
    assert not at(14, 12)  # a Saturday


@pytest.mark.parametrize("name", ["GB", "NZ", "UTC", "EST", "W-SU", "PRC"])
def test_a_zone_with_a_short_name_is_not_taken_for_a_country(name: str) -> None:
    assert zones(places.place_of(name, "US", "", "33101")) == [name]


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_whatever_an_address_says_is_read(zone: str, country: str, region: str, code: str) -> None:
    place = places.place_of(zone, country, region, code)
    places.hours_for(Purpose.MARKETING, place, "+12125550123")
    assert is_open(
        datetime(2026, 3, 10, 17, tzinfo=UTC), places.hours_for(Purpose.SERVICE, "", "+12125550123")
    )


def test_every_rule_of_hours_names_its_source_and_that_nobody_verified_it() -> None:
    assert all(rule.source for rule in places.RULES)
    keys = [(rule.country, rule.state, rule.purpose) for rule in places.RULES]
    assert len(keys) == len({*keys})
    stricter = {state for country, state, _ in keys if country == "US" and state}
    assert stricter == {*places._AREA_CODES.values()}
