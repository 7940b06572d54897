"""When it is a decent hour somewhere, and when it is next: wall clocks, clock changes, several candidate places. Pure.

Must not know which hours are legal where: that is `places`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_HORIZON = timedelta(days=9)  # a week that is open on one weekday only, and a day of margin on each side
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Window:
    """Open from `opens` until just before `closes`; when closes is not later, until then on the following day."""

    opens: time
    closes: time

    @property
    def spans_midnight(self) -> bool:
        """Return whether it ends on the day after it began."""
        return self.closes <= self.opens


@dataclass(frozen=True)
class LocalHours:
    """The hours of one place: its zone and a window for each weekday from Monday on, None for a closed day."""

    zone: ZoneInfo
    week: tuple[Window | None, ...]


def is_open(moment: datetime, places: Sequence[LocalHours]) -> bool:
    """Return whether every place is open at `moment`; with no place at all nothing is known, so it is not."""
    return bool(places) and all(_is_open_at(moment, place) for place in places)


def _is_open_at(moment: datetime, place: LocalHours) -> bool:
    local = moment.astimezone(place.zone)
    wall, weekday = local.time(), local.weekday()
    today, yesterday = place.week[weekday], place.week[weekday - 1]
    if today is not None and today.opens <= wall and (today.spans_midnight or wall < today.closes):
        return True
    return yesterday is not None and yesterday.spans_midnight and wall < yesterday.closes


def next_open(moment: datetime, places: Sequence[LocalHours]) -> datetime | None:
    """Return the first moment from `moment` on at which every place is open, in UTC.

    None when the places have no common hour within the horizon. No moment before `opening` can be common to
    all: a place that is closed then pushes it on to its own next opening, until none is closed.
    """
    opening = moment.astimezone(UTC)
    horizon = opening + _HORIZON
    while opening <= horizon:
        closed = next((place for place in places if not _is_open_at(opening, place)), None)
        if closed is None:
            return opening if places else None
        pushed = _next_opening(opening, closed)
        if pushed is None:
            return None
        opening = pushed
    return None


def _next_opening(moment: datetime, place: LocalHours) -> datetime | None:
    """Return the first moment after `moment`, at which the place is closed, at which it is open."""
    day = moment.astimezone(place.zone).date()
    while day - moment.date() <= _HORIZON:
        opening = min(
            (start for start in _starts(place, day) if start > moment and _is_open_at(start, place)),
            default=None,
        )
        if opening is not None:
            return opening
        day += _DAY
    return None


def _starts(place: LocalHours, day: date) -> Iterator[datetime]:
    """Yield the moments of a local day at which an open stretch may begin: wall-clock openings and clock changes."""
    window = place.week[day.weekday()]
    midnight = datetime.combine(day, time(), place.zone)
    if midnight.utcoffset() == (midnight + _DAY).utcoffset():
        if window is not None:
            yield datetime.combine(day, window.opens, place.zone).astimezone(UTC)
        return
    yield midnight.astimezone(UTC)
    yield from _clock_changes(place.zone, day)
    if window is not None:
        for fold in (0, 1):  # a repeated hour opens twice
            yield datetime.combine(day, window.opens, place.zone).replace(fold=fold).astimezone(UTC)


@lru_cache(maxsize=4096)
def _clock_changes(zone: ZoneInfo, day: date) -> tuple[datetime, ...]:
    """Return the moment, to the second, at which the clock of a local day is changed."""
    midnight = datetime.combine(day, time(), zone)
    low, high = midnight.astimezone(UTC), (midnight + _DAY).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return ()  # at midnight itself
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return (high,)


def all_days(opens: int, closes: int, *, closed: Sequence[int] = ()) -> tuple[Window | None, ...]:
    """Return a week that is open from one full hour to another on every weekday but those in `closed` (Monday is 0)."""
    window = Window(time(opens), time(closes))
    return tuple(None if weekday in closed else window for weekday in range(7))


def common(one: Sequence[Window | None], other: Sequence[Window | None]) -> tuple[Window | None, ...] | None:
    """Return the hours of both of two weeks as one week; None where a window spans midnight, which one week cannot."""
    if any(window is not None and window.spans_midnight for window in (*one, *other)):
        return None
    return tuple(
        None
        if mine is None or theirs is None or max(mine.opens, theirs.opens) >= min(mine.closes, theirs.closes)
        else Window(max(mine.opens, theirs.opens), min(mine.closes, theirs.closes))
        for mine, theirs in zip(one, other, strict=True)
    )
