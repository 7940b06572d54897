"""A day that matters to the client comes within three weeks."""

import numpy as np

from outreach.signals.book import Book
from outreach.signals.finding import Figures, Finding, Integers, day_of, days, in_words

AHEAD_DAYS = 21
# With two weeks to go there is still time to order and to engrave; later the choice narrows and the contact is worth
# less.
BEST_DAYS = 14
LEAST_URGENCY = 0.4
_NEVER = 10**6

# carnet.profiles.v1.OccasionKind, in the associate's words.
_KINDS = {1: "Birthday", 2: "Anniversary", 3: "Engagement", 4: "Graduation", 5: "Holiday"}


def find(book: Book, as_of: int, *, ahead_days: int = AHEAD_DAYS) -> Finding:
    """Find clients with an occasion from today to `ahead_days` ahead; the nearest one counts where there are several.

    Occasions return every year, those of 29 February on 28 February in common years, and none before its own first
    date. Urgency is 1 at two weeks, 0.7 at the outer edge of the window, and 0.4 on the day itself.
    """
    ahead = days_until(book.occasion_year, book.occasion_month, book.occasion_day, as_of)
    is_near = ahead <= ahead_days
    client, kind, ahead = book.occasion_client[is_near], book.occasion_kind[is_near], ahead[is_near]
    order = np.lexsort((kind, ahead, client))
    client, kind, ahead = client[order], kind[order], ahead[order]
    nearest = np.flatnonzero(np.diff(client, prepend=-1))
    client, kind, ahead = client[nearest], kind[nearest], ahead[nearest]
    late = LEAST_URGENCY + (1 - LEAST_URGENCY) * ahead / BEST_DAYS
    early = 1.0 - 0.3 * (ahead - BEST_DAYS) / max(ahead_days - BEST_DAYS, 1)
    return Finding(
        client=client,
        urgency=np.where(ahead <= BEST_DAYS, late, early),
        until=as_of + ahead,
        figures={"kind": kind, "days_ahead": ahead, "day": as_of + ahead},
    )


def days_until(year: Integers, month: Integers, day: Integers, as_of: int) -> Integers:
    """Return the days from `as_of` to the next return of each date, 0 on the day itself; a year of 0 is unknown.

    The first return of a dated occasion is its own date, so one that lies years ahead is years ahead.
    """
    this_year = day_of(as_of).year
    now = _in_year(np.full(len(year), this_year, dtype=np.int64), month, day)
    following = _in_year(np.full(len(year), this_year + 1, dtype=np.int64), month, day)
    ahead = np.where(now >= as_of, now, following) - as_of
    has_begun = (year == 0) | (_in_year(np.maximum(year, 1), month, day) <= as_of + ahead)
    return np.where(has_begun, ahead, _NEVER)


def _in_year(year: Integers, month: Integers, day: Integers) -> Integers:
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    day = np.where((month == 2) & (day == 29) & ~is_leap, 28, day)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + day - 1


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    kind, ahead, day = figures["kind"], figures["days_ahead"], day_of(figures["day"])
    what = _KINDS.get(kind, "An occasion")
    when = "today" if ahead == 0 else "tomorrow" if ahead == 1 else f"in {days(ahead)}"
    return f"{what} on {in_words(day)}, {when}.", {
        "occasion": what.lower().removeprefix("an "),
        "occasion_date": day.isoformat(),
        "days_ahead": str(ahead),
    }
