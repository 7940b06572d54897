"""Wall clocks, clock changes, midnight, several places."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.hours import LocalHours, Window, all_days, is_open, next_open

NEW_YORK = ZoneInfo("America/New_York")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
DAY = LocalHours(NEW_YORK, all_days(8, 21))


def local(zone: ZoneInfo, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=zone)


def test_the_first_minute_is_open_and_the_last_hour_closes_on_the_dot() -> None:
    assert not is_open(local(NEW_YORK, 2026, 3, 10, 7, 59, 59), [DAY])
    assert is_open(local(NEW_YORK, 2026, 3, 10, 8), [DAY])
    assert is_open(local(NEW_YORK, 2026, 3, 10, 20, 59, 59), [DAY])
    assert not is_open(local(NEW_YORK, 2026, 3, 10, 21), [DAY])


def test_no_place_at_all_is_never_open() -> None:
    now = datetime(2026, 3, 10, 17, tzinfo=UTC)
    assert not is_open(now, [])
    assert next_open(now, []) is None


def test_two_places_must_both_be_open() -> None:
    both = [DAY, LocalHours(LOS_ANGELES, all_days(8, 21))]
    assert not is_open(local(NEW_YORK, 2026, 3, 10, 9), both)
    assert next_open(local(NEW_YORK, 2026, 3, 10, 9), both) == local(LOS_ANGELES, 2026, 3, 10, 8)
    assert next_open(local(NEW_YORK, 2026, 3, 10, 22), both) == local(LOS_ANGELES, 2026, 3, 11, 8)


def test_places_without_a_common_hour_have_no_next_one() -> None:
    apart = [LocalHours(ZoneInfo("Europe/London"), all_days(9, 12)), LocalHours(LOS_ANGELES, all_days(9, 12))]
    assert next_open(datetime(2026, 3, 10, 17, tzinfo=UTC), apart) is None


def test_a_closed_sunday_is_skipped_in_local_time() -> None:
    place = LocalHours(NEW_YORK, all_days(8, 20, closed=[6]))
    saturday_night = local(NEW_YORK, 2026, 3, 14, 23)  # Sunday already in UTC
    assert next_open(saturday_night, [place]) == local(NEW_YORK, 2026, 3, 16, 8)
    assert is_open(local(NEW_YORK, 2026, 3, 14, 19, 59), [place])


def test_a_week_that_is_open_on_one_day_finds_it_from_just_after_it() -> None:
    place = LocalHours(NEW_YORK, all_days(8, 20, closed=[0, 2, 3, 4, 5, 6]))
    assert next_open(local(NEW_YORK, 2026, 3, 10, 20), [place]) == local(NEW_YORK, 2026, 3, 17, 8)


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_began() -> None:
    monday_night = tuple(Window(time(20), time(2)) if weekday == 0 else None for weekday in range(7))
    place = LocalHours(NEW_YORK, monday_night)
    assert is_open(local(NEW_YORK, 2026, 3, 9, 23), [place])
    assert is_open(local(NEW_YORK, 2026, 3, 10, 1, 59), [place])
    assert not is_open(local(NEW_YORK, 2026, 3, 10, 2), [place])
    assert not is_open(local(NEW_YORK, 2026, 3, 9, 1), [place])


def test_an_opening_in_the_missing_hour_is_the_clock_change() -> None:
    place = LocalHours(NEW_YORK, tuple(Window(time(2, 15), time(3, 15)) for _ in range(7)))
    opening = next_open(local(NEW_YORK, 2026, 3, 8, 1), [place])
    assert opening == datetime(2026, 3, 8, 7, tzinfo=UTC)  # 02:00 is 03:00 at once


def test_the_morning_after_a_clock_change_opens_by_the_new_clock() -> None:
    night = local(NEW_YORK, 2026, 3, 7, 22)
    assert next_open(night, [DAY]) == datetime(2026, 3, 8, 12, tzinfo=UTC)
    night = local(NEW_YORK, 2026, 10, 31, 22)
    assert next_open(night, [DAY]) == datetime(2026, 11, 1, 13, tzinfo=UTC)


def test_a_repeated_hour_opens_again() -> None:
    place = LocalHours(NEW_YORK, tuple(Window(time(1, 15), time(1, 45)) for _ in range(7)))
    between = local(NEW_YORK, 2026, 11, 1, 1, 50)
    assert next_open(between, [place]) == datetime(2026, 11, 1, 6, 15, tzinfo=UTC)


ZONES = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
WINDOWS = st.builds(Window, st.times().map(lambda t: t.replace(microsecond=0)), st.times())
WEEKS = st.lists(st.none() | WINDOWS, min_size=7, max_size=7).map(tuple)
PLACES = st.lists(st.builds(LocalHours, ZONES, WEEKS), min_size=1, max_size=3)
# Days around clock changes, where mistakes live.
CHANGES = st.sampled_from(
    [
        ("America/New_York", datetime(2026, 3, 8, 7)),
        ("America/New_York", datetime(2026, 11, 1, 6)),
        ("Europe/Lisbon", datetime(2026, 3, 29, 1)),
        ("Africa/Cairo", datetime(2026, 4, 23, 22)),  # at midnight
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15)),  # by half an hour
        ("America/Santiago", datetime(2026, 9, 6, 4)),  # at midnight
    ]
)


@settings(max_examples=150, deadline=None)
@given(MOMENTS, PLACES)
def test_the_next_opening_is_open_and_not_in_the_past(moment: datetime, places: list[LocalHours]) -> None:
    opening = next_open(moment, places)
    if opening is not None:
        assert opening >= moment
        assert is_open(opening, places)


@settings(max_examples=150, deadline=None)
@given(MOMENTS, PLACES, st.integers(0, 8 * 24 * 4))
def test_nothing_is_open_before_the_next_opening(
    moment: datetime, places: list[LocalHours], quarters: int
) -> None:
    opening = next_open(moment, places)
    probe = moment + timedelta(minutes=15 * quarters)
    if opening is None or probe < opening:
        assert not is_open(probe, places)


@settings(max_examples=150, deadline=None)
@given(CHANGES, st.integers(-36 * 60, 36 * 60), WINDOWS, st.integers(0, 36 * 60))
def test_around_a_clock_change_nothing_is_open_before_the_next_opening(
    change: tuple[str, datetime], minutes: int, window: Window, later: int
) -> None:
    place = LocalHours(ZoneInfo(change[0]), (window,) * 7)
    moment = change[1].replace(tzinfo=UTC) + timedelta(minutes=minutes)
    opening = next_open(moment, [place])
    assert opening is not None
    assert is_open(opening, [place])
    probe = moment + timedelta(minutes=later)
    assert not (is_open(probe, [place]) and probe < opening)


def test_every_zone_opens_within_a_day_in_each_month() -> None:
    for name in sorted(available_timezones() - {"localtime", "Factory"}):
        place = LocalHours(ZoneInfo(name), all_days(8, 21))
        for month in range(1, 13):
            moment = datetime(2026, month, 8, 3, tzinfo=UTC)
            opening = next_open(moment, [place])
            assert opening is not None, name
            assert moment <= opening <= moment + timedelta(hours=24), name
            assert opening == moment or opening.astimezone(place.zone).time() == time(8), name
