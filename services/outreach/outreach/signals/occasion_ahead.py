"""A day that matters to the client comes within three weeks."""

import numpy as np

from outreach.signals.book import Book, Flags
from outreach.signals.finding import Figures, Finding, Integers, day_of, days, in_words

AHEAD_DAYS = 21
# With two weeks to go there is still time to order and to engrave; later the choice narrows and the contact is worth
# less.
BEST_DAYS = 14
LEAST_URGENCY = 0.4
_NEVER = 10**6

# carnet.profiles.v1.OccasionKind and RelationshipKind, in the associate's words.
_KINDS = {1: "Birthday", 2: "Anniversary", 3: "Engagement", 4: "Graduation", 5: "Holiday"}
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


def find(book: Book, as_of: int, *, ahead_days: int = AHEAD_DAYS) -> Finding:
    """Find clients with an occasion from today to `ahead_days` ahead; the nearest one counts where there are several.

    An occasion with a lead of its own begins as many days ahead. Occasions return every year unless they are said to
    be once, those of 29 February on 28 February in common years, and none before its own first date. Urgency is 1 at
    two weeks, 0.7 at the outer edge of the window, and 0.4 on the day itself.
    """
    ahead = days_until(
        book.occasion_year,
        book.occasion_month,
        book.occasion_day,
        as_of,
        is_once=book.occasion_recurrence == _ONCE,
    )
    window = np.where(book.occasion_lead >= 0, book.occasion_lead, ahead_days)
    is_near = ahead <= window
    client, kind, relationship, ahead, window = (
        column[is_near]
        for column in (book.occasion_client, book.occasion_kind, book.occasion_relationship, ahead, window)
    )
    order = np.lexsort((relationship, kind, ahead, client))
    nearest = order[np.flatnonzero(np.diff(client[order], prepend=-1))]
    client, kind, relationship, ahead, window = (
        column[nearest] for column in (client, kind, relationship, ahead, window)
    )
    late = LEAST_URGENCY + (1 - LEAST_URGENCY) * ahead / BEST_DAYS
    early = 1.0 - 0.3 * (ahead - BEST_DAYS) / np.maximum(window - BEST_DAYS, 1)
    return Finding(
        client=client,
        urgency=np.where(ahead <= BEST_DAYS, late, early),
        until=as_of + ahead,
        figures={"kind": kind, "relationship": relationship, "days_ahead": ahead, "day": as_of + ahead},
    )


def days_until(
    year: Integers, month: Integers, day: Integers, as_of: int, *, is_once: Flags | None = None
) -> Integers:
    """Return the days from `as_of` to the next return of each date, 0 on the day itself; a year of 0 is unknown.

    The first return of a dated occasion is its own date, so one that lies years ahead is years ahead. What `is_once`
    is over after that day, and without a year it never comes.
    """
    this_year = day_of(as_of).year
    now = _in_year(np.full(len(year), this_year, dtype=np.int64), month, day)
    following = _in_year(np.full(len(year), this_year + 1, dtype=np.int64), month, day)
    ahead = np.where(now >= as_of, now, following) - as_of
    has_begun = (year == 0) | (_in_year(np.maximum(year, 1), month, day) <= as_of + ahead)
    ahead = np.where(has_begun, ahead, _NEVER)
    if is_once is None:
        return ahead
    only = _in_year(np.maximum(year, 1), month, day) - as_of
    return np.where(is_once, np.where((year > 0) & (only >= 0), only, _NEVER), ahead)


def _in_year(year: Integers, month: Integers, day: Integers) -> Integers:
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    day = np.where((month == 2) & (day == 29) & ~is_leap, 28, day)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + day - 1


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    kind, ahead, day = figures["kind"], figures["days_ahead"], day_of(figures["day"])
    whose = _RELATIONSHIPS.get(figures["relationship"], "somebody close" if figures["relationship"] else "")
    what = _KINDS.get(kind, "An occasion")
    when = "today" if ahead == 0 else "tomorrow" if ahead == 1 else f"in {days(ahead)}"
    of_whom = f" of {'' if whose == 'somebody close' else 'the '}{whose}" if whose else ""
    return f"{what}{of_whom} on {in_words(day)}, {when}.", {
        "occasion": what.lower().removeprefix("an "),
        "occasion_date": day.isoformat(),
        "days_ahead": str(ahead),
        **({"relationship": whose} if whose else {}),
    }
