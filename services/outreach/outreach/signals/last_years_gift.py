"""A gift was bought for an occasion about a year ago: its day comes round within three weeks."""

import numpy as np

from outreach.signals.book import Book
from outreach.signals.calendar import a_year_after
from outreach.signals.finding import Figures, Finding, Parameter, ahead, day_of, in_words
from outreach.signals.occasions import BEST_DAYS, EARLY_URGENCY, KINDS, LEAST_URGENCY

AHEAD_DAYS = 21
PARAMETERS = (Parameter("ahead_days", AHEAD_DAYS, 1, 31, "How many days before the gift's day comes round."),)


def find(book: Book, as_of: int, *, ahead_days: float = AHEAD_DAYS) -> Finding:
    """Find clients who bought a gift for an occasion a year less `ahead_days` to a year ago, and nothing in the window.

    The day that comes round is the day of the purchase, since the gift's own day is not always known; a gift of 29
    February comes round on the 28th. The nearest counts where there are several. Urgency is 1 at two weeks, 0.7 at
    three, and 0.4 on the day itself.
    """
    lead = int(ahead_days)
    age = as_of - book.gift_day
    at = np.flatnonzero((age >= 365 - lead) & (age <= 366))
    client, kind, day = book.gift_client[at], book.gift_kind[at], a_year_after(book.gift_day[at])
    away = day - as_of
    is_open = (away >= 0) & (away <= lead) & (book.last_purchase[client] < day - lead)
    client, kind, away = client[is_open], kind[is_open], away[is_open]
    order = np.lexsort((kind, away, client))
    nearest = order[np.flatnonzero(np.diff(client[order], prepend=-1))]
    client, kind, away = client[nearest], kind[nearest], away[nearest]
    late = LEAST_URGENCY + (1 - LEAST_URGENCY) * away / BEST_DAYS
    early = 1.0 - (1 - EARLY_URGENCY) * (away - BEST_DAYS) / max(lead - BEST_DAYS, 1)
    return Finding(
        client=client,
        urgency=np.where(away <= BEST_DAYS, late, early),
        until=as_of + away,
        since=as_of + away - lead,
        figures={"kind": kind, "days_ahead": away, "day": as_of + away},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    away, day = figures["days_ahead"], day_of(figures["day"])
    what = KINDS.get(figures["kind"], "").lower()
    gift = f"{'an' if what[:1] in 'aeiou' else 'a'} {what} gift" if what else "a gift"
    return f"Bought {gift} around {in_words(day)} last year; that day comes round {ahead(away)}.", {
        "occasion": what or "occasion",
        "day_date": day.isoformat(),
        "days_ahead": str(away),
    }
