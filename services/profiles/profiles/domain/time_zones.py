"""Where a client probably is, when nobody said: zones that address and numbers agree on. Must not know their tables."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

# Two names are one zone here when their clocks agree each week of two years: Detroit and New York, Jersey and London.
_WEEKS = tuple(datetime(2026, 1, 1) + timedelta(weeks=week) for week in range(104))


@lru_cache(maxsize=1024)
def clock_of(name: str) -> tuple[timedelta | None, ...]:
    """Return what the clocks of a zone show through two years."""
    zone = ZoneInfo(name)
    return tuple(zone.utcoffset(week) for week in _WEEKS)


def agreed_zone(evidence: Iterable[Sequence[str]]) -> str:
    """Return the one zone that every piece of evidence allows, by the name that the first gives it.

    Each piece names the zones that are possible by it, the best name first; one that names none says nothing. Empty
    when nothing is said, when the pieces disagree, and when more than one zone is left.
    """
    left: dict[tuple[timedelta | None, ...], str] | None = None
    for names in evidence:
        if not names:
            continue
        possible: dict[tuple[timedelta | None, ...], str] = {}
        for name in names:
            possible.setdefault(clock_of(name), name)
        left = possible if left is None else {clock: left[clock] for clock in left if clock in possible}
    return next(iter(left.values())) if left and len(left) == 1 else ""
