"""After an engagement ring: the wedding bands, then the first anniversary."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.calendar import a_year_after
from outreach.signals.finding import Figures, Finding, Parameter, ahead, day_of, falling, in_words

BANDS_AFTER_DAYS = 60
BANDS_OPEN_DAYS = 60
ANNIVERSARY_AHEAD_DAYS = 21
LEAST_URGENCY = 0.5
BANDS, ANNIVERSARY = 1, 2
PARAMETERS = (
    Parameter("bands_after_days", BANDS_AFTER_DAYS, 7, 180, "Days from the ring until bands are spoken of."),
    Parameter("bands_open_days", BANDS_OPEN_DAYS, 1, 120, "How long bands are spoken of."),
    Parameter("anniversary_ahead_days", ANNIVERSARY_AHEAD_DAYS, 1, 60, "Days before a year has passed."),
)


def find(
    book: Book,
    as_of: int,
    *,
    bands_after_days: float = BANDS_AFTER_DAYS,
    bands_open_days: float = BANDS_OPEN_DAYS,
    anniversary_ahead_days: float = ANNIVERSARY_AHEAD_DAYS,
) -> Finding:
    """Find clients whose engagement ring is 60 to 120 days old, with no purchase since, or nearly a year.

    The wedding's own day is not known here, so the year is counted from the ring; one whose anniversary stands among
    the occasions is found there. The year closes on the day itself; who bought in its window has been served.
    Urgency falls in a straight line from 1 to a half over either window.
    """
    ring = book.mark(Mark.ENGAGEMENT)
    at = np.flatnonzero((ring != NEVER) & (as_of - ring <= 366))
    ring, bought = ring[at], book.last_purchase[at]
    age, year = as_of - ring, a_year_after(ring)
    opens, closes = int(bands_after_days), int(bands_after_days) + int(bands_open_days)
    is_bands = (age >= opens) & (age <= closes) & (bought <= ring)
    lead = int(anniversary_ahead_days)
    away = year - as_of
    is_anniversary = ~is_bands & (away >= 0) & (away <= lead) & (bought < year - lead)
    stays = np.flatnonzero(is_bands | is_anniversary)
    bands = is_bands[stays]
    return Finding(
        client=at[stays],
        urgency=np.where(
            bands,
            falling(age[stays] - opens, closes - opens, LEAST_URGENCY),
            falling(lead - away[stays], lead, LEAST_URGENCY),
        ),
        until=np.where(bands, ring[stays] + closes, year[stays]),
        since=np.where(bands, ring[stays] + opens, year[stays] - lead),
        figures={
            "milestone": np.where(bands, BANDS, ANNIVERSARY),
            "ring_day": ring[stays],
            "days_since_ring": age[stays],
            "days_ahead": away[stays],
        },
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, ring, away = figures["days_since_ring"], day_of(figures["ring_day"]), figures["days_ahead"]
    facts = {"ring_date": ring.isoformat(), "days_since_ring": str(age)}
    if figures["milestone"] == BANDS:
        return (
            f"Bought the engagement ring on {in_words(ring)}, {age} days ago: time for the wedding bands.",
            {"milestone": "wedding bands", **facts},
        )
    return (
        f"A year since the engagement ring {ahead(away)}: a first anniversary.",
        {"milestone": "first anniversary", "days_ahead": str(away), **facts},
    )
