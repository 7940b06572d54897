"""Days that matter, the client's own and those of somebody close: what both signals of them share."""

import numpy as np

from outreach.signals.book import Book, Flags
from outreach.signals.calendar import days_until, days_until_return
from outreach.signals.finding import Figures, Finding, ahead, day_of, in_words

# With two weeks to go there is still time to order and to engrave; later the choice narrows and the contact is worth
# less.
BEST_DAYS = 14
LEAST_URGENCY = 0.4
EARLY_URGENCY = 0.7

# carnet.profiles.v1.OccasionKind and RelationshipKind, in the associate's words.
KINDS = {1: "Birthday", 2: "Anniversary", 3: "Engagement", 4: "Graduation", 5: "Holiday"}
_RELATIONSHIPS = {
    1: "spouse",
    2: "partner",
    3: "child",
    4: "parent",
    5: "sibling",
    6: "friend",
    7: "colleague",
}
_ONCE = 2  # carnet.profiles.v1.OCCASION_RECURRENCE_ONCE


def find_nearest(book: Book, as_of: int, is_asked: Flags, *, ahead_days: float) -> Finding:
    """Find clients with an occasion that is asked for from today to `ahead_days` ahead; the nearest one counts.

    An occasion with a lead of its own begins as many days ahead. Occasions return every year unless they are said to
    be once, those of 29 February on 28 February in common years, and none before its own first date. Urgency is 1 at
    two weeks, 0.7 at the outer edge of the window, and 0.4 on the day itself.
    """
    window = np.where(book.occasion_lead >= 0, book.occasion_lead, int(ahead_days))
    # The next such day of the calendar is never later than the occasion itself, and found without a calculation.
    at = np.flatnonzero(
        is_asked & (days_until_return(book.occasion_month, book.occasion_day, as_of) <= window)
    )
    away = days_until(
        book.occasion_year[at],
        book.occasion_month[at],
        book.occasion_day[at],
        as_of,
        is_once=book.occasion_recurrence[at] == _ONCE,
    )
    is_near = away <= window[at]
    at, away = at[is_near], away[is_near]
    client, kind, relationship, window = (
        column[at]
        for column in (book.occasion_client, book.occasion_kind, book.occasion_relationship, window)
    )
    order = np.lexsort((relationship, kind, away, client))
    nearest = order[np.flatnonzero(np.diff(client[order], prepend=-1))]
    client, kind, relationship, away, window = (
        column[nearest] for column in (client, kind, relationship, away, window)
    )
    late = LEAST_URGENCY + (1 - LEAST_URGENCY) * away / BEST_DAYS
    early = 1.0 - (1 - EARLY_URGENCY) * (away - BEST_DAYS) / np.maximum(window - BEST_DAYS, 1)
    return Finding(
        client=client,
        urgency=np.where(away <= BEST_DAYS, late, early),
        until=as_of + away,
        since=as_of + away - window,
        figures={"kind": kind, "relationship": relationship, "days_ahead": away, "day": as_of + away},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    kind, away, day = figures["kind"], figures["days_ahead"], day_of(figures["day"])
    whose = _RELATIONSHIPS.get(figures["relationship"], "somebody close" if figures["relationship"] else "")
    what = KINDS.get(kind, "An occasion")
    of_whom = f" of {'' if whose == 'somebody close' else 'the '}{whose}" if whose else ""
    return f"{what}{of_whom} on {in_words(day)}, {ahead(away)}.", {
        "occasion": what.lower().removeprefix("an "),
        "occasion_date": day.isoformat(),
        "days_ahead": str(away),
        **({"relationship": whose} if whose else {}),
    }
