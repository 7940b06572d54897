"""When a store is open: weekly spans in local time, and the moments they mean on a day. Must not know bookings."""

import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from chassis.errors import Kind, ServiceError, Violation, invalid

_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, order=True)
class OpeningSpan:
    """One span on one ISO weekday (1 is Monday); `opens` and `closes` in minutes after midnight, 1440 is 24:00."""

    weekday: int
    opens: int
    closes: int


@dataclass(frozen=True, order=True)
class Interval:
    """A half-open stretch of time, [start, end)."""

    start: datetime
    end: datetime

    def holds(self, other: "Interval") -> bool:
        """Return whether all of `other` lies within."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: "Interval") -> bool:
        """Return whether the two share a moment; touching ones do not."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class StoreHours:
    """The weekly hours of a store. Made by `weekly_hours`, which refuses what cannot be."""

    store_id: str
    time_zone: str
    spans: tuple[OpeningSpan, ...]

    def day_of(self, moment: datetime) -> date:
        """Return the calendar day of a moment in the store's zone."""
        return moment.astimezone(zoneinfo.ZoneInfo(self.time_zone)).date()

    def open_on(self, day: date) -> list[Interval]:
        """Return when the store is open on a day, in UTC and in order.

        A clock change makes a span shorter or longer. An opening in the repeated hour is its first pass, a closing its
        second; one in the missing hour is the moment of the change.
        """
        zone = zoneinfo.ZoneInfo(self.time_zone)
        found = [
            Interval(
                _moment(day, span.opens, zone, is_closing=False),
                _moment(day, span.closes, zone, is_closing=True),
            )
            for span in sorted(self.spans)
            if span.weekday == day.isoweekday()
        ]
        return [interval for interval in found if interval.start < interval.end]

    def open_around(self, day: date) -> list[Interval]:
        """Return when the store is open from the day before to the day after; touching spans are joined."""
        return _joined(
            interval for offset in (-1, 0, 1) for interval in self.open_on(day + timedelta(days=offset))
        )

    def require_open(self, wanted: Interval) -> None:
        """Refuse with OutsideHours a time that does not lie within the hours; the buffer may, it is nobody's visit."""
        if not any(interval.holds(wanted) for interval in self.open_around(self.day_of(wanted.start))):
            raise OutsideHours(self)


def weekly_hours(store_id: str, time_zone: str, spans: Sequence[OpeningSpan]) -> StoreHours:
    """Return a store's hours. Raises HoursInvalid, and INVALID on `time_zone` for one that nobody knows."""
    try:
        zoneinfo.ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid("time_zone", "is not a zone of the IANA database, such as America/New_York") from error
    violations = [
        Violation(f"spans[{number}].closes", "is not after opens")
        for number, span in enumerate(spans)
        if span.closes <= span.opens
    ]
    ordered = sorted(enumerate(spans), key=lambda numbered: numbered[1])
    for (_, before), (number, after) in pairwise(ordered):
        if before.weekday == after.weekday and after.opens < before.closes:
            violations.append(Violation(f"spans[{number}].opens", "lies within another span of the day"))
    if violations:
        raise HoursInvalid(violations)
    return StoreHours(store_id, time_zone, tuple(sorted(spans)))


def _moment(day: date, minute: int, zone: zoneinfo.ZoneInfo, *, is_closing: bool) -> datetime:
    days, rest = divmod(minute, _MINUTES_A_DAY)
    wall = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), tzinfo=zone)
    first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:  # the wall clock jumps over it
        return _change_between(second, first, zone)
    return second if is_closing else first


def _change_between(before: datetime, after: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    """Return the moment, to the second, at which the zone's offset changes."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return (before + timedelta(milliseconds=500)).replace(microsecond=0) + timedelta(seconds=1)


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for interval in sorted(intervals):
        if joined and interval.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, interval.end))
        else:
            joined.append(interval)
    return joined


class HoursInvalid(ServiceError):
    """Spans overlap or end before they begin."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        said = "; ".join(f"{violation.field} {violation.description}" for violation in violations)
        super().__init__(
            Kind.INVALID, "HOURS_INVALID", f"These are no weekly hours: {said}.", violations=violations
        )


class OutsideHours(ServiceError):
    """The store is not open for all of the time."""

    def __init__(self, hours: StoreHours) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "OUTSIDE_HOURS",
            "The store is not open for all of this time.",
            metadata={"store_id": hours.store_id, "time_zone": hours.time_zone},
        )
