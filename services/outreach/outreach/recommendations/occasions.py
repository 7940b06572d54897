"""Which days of a client come up soon enough to look for a piece."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from outreach.recommendations.likings import Occasion

# Longer than the queue looks ahead: whoever is in the store today may choose for a day that nobody writes about yet.
AHEAD_DAYS = 45


@dataclass(frozen=True)
class KnownDay:
    """A day that matters; `year` is 0 where it is not known, `lead_days` -1 where nobody said."""

    kind: int
    year: int
    month: int
    day: int
    is_once: bool
    lead_days: int
    relationship: int


def ahead(known: Iterable[KnownDay], today: date) -> list[Occasion]:
    """Return the days that come within their lead, or AHEAD_DAYS, the nearest first."""
    found = []
    for one in known:
        day = next_return(one, today)
        if day is not None and (day - today).days <= max(one.lead_days, AHEAD_DAYS):
            years = day.year - one.year if one.year and not one.is_once else 0
            found.append(Occasion(one.kind, one.relationship, day, (day - today).days, years))
    return sorted(found, key=lambda one: (one.days_ahead, one.kind, one.relationship))


def next_return(one: KnownDay, today: date) -> date | None:
    """Return when a day comes next, today counts; None for one that is over. 29 February is kept on 28 February."""
    if one.is_once:
        only = _in_year(one, one.year) if one.year else None
        return only if only is not None and only >= today else None
    year = max(today.year, one.year)
    day = _in_year(one, year)
    return day if day >= today else _in_year(one, year + 1)


def _in_year(one: KnownDay, year: int) -> date:
    try:
        return date(year, one.month, one.day)
    except ValueError:
        return date(year, one.month, one.day - 1)
