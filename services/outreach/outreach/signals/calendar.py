"""Days that come round every year, as columns. 29 February is kept on the 28th in common years."""

from functools import lru_cache

import numpy as np

from outreach.signals.book import Flags
from outreach.signals.finding import Integers, day_of

NOT_AHEAD = 10**6


def days_until(
    year: Integers, month: Integers, day: Integers, as_of: int, *, is_once: Flags | None = None
) -> Integers:
    """Return the days from `as_of` to the next return of each date, 0 on the day itself; a year of 0 is unknown.

    The first return of a dated occasion is its own date, so one that lies years ahead is years ahead. What `is_once`
    is over after that day, and without a year it never comes.
    """
    ahead = days_until_return(month, day, as_of)
    first = in_year(np.maximum(year, 1), month, day)
    ahead = np.where((year == 0) | (first <= as_of + ahead), ahead, NOT_AHEAD)
    if is_once is None:
        return ahead
    only = first - as_of
    return np.where(is_once, np.where((year > 0) & (only >= 0), only, NOT_AHEAD), ahead)


def days_until_return(month: Integers, day: Integers, as_of: int) -> Integers:
    """Return the days from `as_of` to the next such day of the calendar, of whichever year."""
    returns: Integers = _returns(as_of)[month * 32 + day]
    return returns


def in_year(year: Integers, month: Integers, day: Integers) -> Integers:
    """Return the day of each date's return in a year."""
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    day = np.where((month == 2) & (day == 29) & ~is_leap, 28, day)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + day - 1


def a_year_after(day: Integers) -> Integers:
    """Return the same day of the year after."""
    months = day.astype("datetime64[D]").astype("datetime64[M]")
    day_of_month = day - months.astype("datetime64[D]").astype(np.int64) + 1
    since = months.astype(np.int64)
    return in_year(since // 12 + 1971, since % 12 + 1, day_of_month)


@lru_cache(maxsize=8)
def _returns(as_of: int) -> Integers:
    """Return, for each month x 32 + day, how far ahead its next return is: a year has few days, a chain many dates."""
    codes = np.arange(13 * 32, dtype=np.int64)
    month, day = np.maximum(codes // 32, 1), np.maximum(codes % 32, 1)
    this_year = day_of(as_of).year * np.ones(len(codes), dtype=np.int64)
    now = in_year(this_year, month, day)
    return np.where(now >= as_of, now, in_year(this_year + 1, month, day)) - as_of
