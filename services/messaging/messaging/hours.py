"""When it is a decent hour somewhere, and when it is next: wall clocks, clock changes, several candidate places. Pure.

Must not know which hours are legal where: that is `places`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_HORIZON_DAYS = 9  # a week that is open on one weekday only, and a day of margin on each side
_DAY = timedelta(days=1)


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

    None when the places have no common hour within the horizon of a week. Every open stretch begins at a wall-clock
    opening or at a clock change, so these are all the moments that need a look.
    """
    moment = moment.astimezone(UTC)
    if is_open(moment, places):
        return moment
    if not places:
        return None
    for offset in range(_HORIZON_DAYS):
        day = moment.date() + offset * _DAY
        # A day of UTC meets three local days somewhere on earth; day by day the candidates come in order.
        begin = datetime.combine(day, time(), UTC)
        candidates = sorted(
            opening
            for place in places
            for local_day in (day - _DAY, day, day + _DAY)
            for opening in _openings(place, local_day)
            if begin <= opening < begin + _DAY and opening > moment
        )
        for candidate in candidates:
            if is_open(candidate, places):
                return candidate
    return None


def _openings(place: LocalHours, day: date) -> Iterator[datetime]:
    """Yield the moments of a local day at which the place may begin to be open."""
    window = place.week[day.weekday()]
    if window is not None:
        for fold in (0, 1):  # a repeated hour opens twice
            yield datetime.combine(day, window.opens, place.zone).replace(fold=fold).astimezone(UTC)
    yield datetime.combine(day, time(), place.zone).astimezone(UTC)
    if (change := _clock_change(place.zone, day)) is not None:
        yield change


def _clock_change(zone: ZoneInfo, day: date) -> datetime | None:
    """Return the moment of a local day at which the clock is changed."""
    low = datetime.combine(day, time(), zone).astimezone(UTC)
    high = datetime.combine(day + _DAY, time(), zone).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return None
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        if middle == low:
            break
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def all_days(opens: int, closes: int, *, closed: Sequence[int] = ()) -> tuple[Window | None, ...]:
    """Return a week that is open from one full hour to another on every weekday but those in `closed` (Monday is 0)."""
    window = Window(time(opens), time(closes))
    return tuple(None if weekday in closed else window for weekday in range(7))
