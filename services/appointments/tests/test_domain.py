"""Hours and slots on days when the clock changes, and what no arithmetic may break."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.domain.hours import HoursInvalid, Interval, OpeningSpan, OutsideHours, weekly_hours
from appointments.domain.resources import Resource, ResourceKind
from appointments.domain.slots import free_slots, starts_on
from chassis.errors import ServiceError

SPRING = date(2026, 3, 8)  # a Sunday: New York goes from 02:00 to 03:00
AUTUMN = date(2026, 11, 1)  # a Sunday: New York goes from 02:00 back to 01:00
HOUR, HALF = timedelta(hours=1), timedelta(minutes=30)
ZONES = [
    "America/New_York",
    "Europe/Paris",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "UTC",
]


def hours_on_sunday(opens: int, closes: int, zone: str = "America/New_York"):
    """Return hours of one span on Sundays, in minutes after midnight."""
    return weekly_hours("sto_one", zone, [OpeningSpan(7, opens, closes)])


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (date(2026, 3, 15), 24)])
def test_a_day_around_the_clock_has_as_many_hours_as_the_day(day, hours) -> None:
    starts = starts_on(hours_on_sunday(0, 1440), day, length=HALF, grid=HALF)
    assert len(starts) == 2 * hours
    assert starts == sorted(set(starts))


def test_the_missing_hour_is_no_slot() -> None:
    starts = starts_on(hours_on_sunday(60, 240), SPRING, length=HALF, grid=HALF)
    walls = [start.astimezone(ZoneInfo("America/New_York")).strftime("%H:%M") for start in starts]
    assert walls == ["01:00", "01:30", "03:00", "03:30"]


def test_the_repeated_hour_is_there_twice() -> None:
    starts = starts_on(hours_on_sunday(60, 120), AUTUMN, length=HALF, grid=HALF)
    walls = [start.astimezone(ZoneInfo("America/New_York")).strftime("%H:%M %z") for start in starts]
    assert walls == ["01:00 -0400", "01:30 -0400", "01:00 -0500", "01:30 -0500"]


def test_an_opening_or_closing_in_the_missing_hour_is_the_moment_of_the_change() -> None:
    change = datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert hours_on_sunday(150, 240).open_on(SPRING) == [Interval(change, change + HOUR)]
    assert hours_on_sunday(60, 150).open_on(SPRING) == [Interval(change - HOUR, change)]
    assert hours_on_sunday(130, 170).open_on(SPRING) == []


def test_a_span_to_midnight_joins_the_one_from_midnight() -> None:
    hours = weekly_hours("sto_one", "UTC", [OpeningSpan(6, 1200, 1440), OpeningSpan(7, 0, 120)])
    late = datetime(2026, 3, 7, 23, 30, tzinfo=UTC)
    hours.require_open(Interval(late, late + HOUR))
    assert late in starts_on(hours, date(2026, 3, 7), length=HOUR, grid=HALF)


def test_spans_that_touch_are_fine_and_are_one() -> None:
    hours = weekly_hours("sto_one", "UTC", [OpeningSpan(7, 600, 720), OpeningSpan(7, 720, 840)])
    noon = datetime(2026, 3, 8, 11, 30, tzinfo=UTC)
    hours.require_open(Interval(noon, noon + HOUR))


def test_a_viewing_that_ends_after_closing_is_outside() -> None:
    hours = hours_on_sunday(600, 720, "UTC")
    start = datetime(2026, 3, 8, 11, tzinfo=UTC)
    hours.require_open(Interval(start, start + HOUR))
    with pytest.raises(OutsideHours):
        hours.require_open(Interval(start, start + HOUR + timedelta(seconds=1)))


def test_a_slot_longer_than_the_opening_is_none() -> None:
    assert starts_on(hours_on_sunday(600, 659), SPRING, length=HOUR, grid=HALF) == []


minutes = st.integers(0, 1440)
spans = st.builds(OpeningSpan, st.integers(1, 7), minutes, minutes)


@given(spans=st.lists(spans, max_size=6))
def test_hours_are_refused_exactly_when_spans_share_a_minute_or_are_none(spans) -> None:
    taken = [(span.weekday, minute) for span in spans for minute in range(span.opens, span.closes)]
    is_wrong = len(taken) != len(set(taken)) or any(span.closes <= span.opens for span in spans)
    try:
        weekly_hours("sto_one", "UTC", spans)
    except HoursInvalid:
        assert is_wrong
    else:
        assert not is_wrong


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    opens=st.integers(0, 1380),
    span=st.integers(1, 1440),
    length=st.integers(1, 300),
)
def test_every_start_lies_on_its_day_and_within_the_hours(zone, day, opens, span, length) -> None:
    closes = min(opens + span, 1440)
    hours = weekly_hours("sto_one", zone, [OpeningSpan(day.isoweekday(), opens, closes)])
    for start in starts_on(hours, day, length=timedelta(minutes=length), grid=HALF):
        assert hours.day_of(start) == day
        hours.require_open(Interval(start, start + timedelta(minutes=length)))


@given(zone=st.sampled_from(ZONES), day=st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_days_around_the_clock_follow_each_other_without_a_gap(zone, day) -> None:
    hours = weekly_hours("sto_one", zone, [OpeningSpan(weekday, 0, 1440) for weekday in range(1, 8)])
    [today], [tomorrow] = hours.open_on(day), hours.open_on(day + timedelta(days=1))
    assert today.end == tomorrow.start
    assert len(hours.open_around(day)) == 1


START = datetime(2026, 3, 10, 15, tzinfo=UTC)
quarters = st.integers(0, 40)


@given(
    kinds=st.lists(st.sampled_from(ResourceKind), max_size=5),
    taken=st.lists(st.tuples(st.integers(0, 4), quarters, st.integers(1, 8)), max_size=12),
    starts=st.lists(quarters, max_size=10),
    now=quarters,
)
def test_nothing_listed_is_taken_past_or_without_an_associate(kinds, taken, starts, now) -> None:
    quarter = timedelta(minutes=15)
    resources = [
        Resource(f"rsc_{number}", "sto_one", kind, "", "", START) for number, kind in enumerate(kinds)
    ]
    booked: dict[str, list[Interval]] = {}
    for number, start, length in taken:
        interval = Interval(START + start * quarter, START + (start + length) * quarter)
        booked.setdefault(f"rsc_{number}", []).append(interval)
    for slot in free_slots(
        [START + start * quarter for start in starts],
        length=HOUR,
        buffer=quarter,
        resources=resources,
        booked=booked,
        associate_resource_id="",
        now=START + now * quarter,
    ):
        assert slot.time.start >= START + now * quarter
        assert slot.associate_resource_ids
        assert slot.room_resource_ids or ResourceKind.ROOM not in kinds
        wanted = Interval(slot.time.start, slot.time.end + quarter)
        for resource_id in (*slot.associate_resource_ids, *slot.room_resource_ids):
            assert not any(interval.overlaps(wanted) for interval in booked.get(resource_id, []))


def test_an_unknown_zone_is_refused_by_field() -> None:
    with pytest.raises(ServiceError) as refusal:
        weekly_hours("sto_one", "Mars/Olympus", [])
    assert [violation.field for violation in refusal.value.violations] == ["time_zone"]
