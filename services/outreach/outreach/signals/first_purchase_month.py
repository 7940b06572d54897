"""A first purchase, thirty days on: the second one is decided early."""

import numpy as np

from outreach.signals.book import Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, day_of, days, falling, in_words

AFTER_DAYS = 30
OPEN_DAYS = 14
LEAST_URGENCY = 0.4
PARAMETERS = (
    Parameter("after_days", AFTER_DAYS, 7, 90, "Days from the first purchase."),
    Parameter("open_days", OPEN_DAYS, 1, 60, "How many days more the window is open."),
)


def find(book: Book, as_of: int, *, after_days: float = AFTER_DAYS, open_days: float = OPEN_DAYS) -> Finding:
    """Find clients with one purchase day, `after_days` to `open_days` more days ago, untouched since the window opened.

    Urgency falls in a straight line from 1 to 0.4.
    """
    age = as_of - book.last_purchase
    at = np.flatnonzero(
        (book.purchase_days == 1)
        & (age >= after_days)
        & (age <= after_days + open_days)
        & (book.mark(Mark.TOUCHED) < book.last_purchase + int(after_days))
    )
    return Finding(
        client=at,
        urgency=falling(age[at] - int(after_days), open_days, LEAST_URGENCY),
        until=book.last_purchase[at] + int(after_days) + int(open_days),
        since=book.last_purchase[at] + int(after_days),
        figures={"days_since_purchase": age[at], "purchase_day": book.last_purchase[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, day = figures["days_since_purchase"], day_of(figures["purchase_day"])
    return f"Bought here for the first time on {in_words(day)}, {days(age)} ago: a word keeps the tie.", {
        "purchase_date": day.isoformat(),
        "days_since_purchase": str(age),
    }
