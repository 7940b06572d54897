"""A piece from the client's wishlist is in the store."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ago, day_of, falling, in_words

OPEN_DAYS = 30
LEAST_URGENCY = 0.4
PARAMETERS = (Parameter("open_days", OPEN_DAYS, 1, 120, "Days from the arrival."),)


def find(book: Book, as_of: int, *, open_days: float = OPEN_DAYS) -> Finding:
    """Find clients with a wished piece in their store for up to `open_days`; one that is sold is not in the book.

    Urgency falls in a straight line from 1 to 0.4.
    """
    since = book.mark(Mark.WISH_ARRIVED)
    age = as_of - since
    at = np.flatnonzero((since != NEVER) & (age >= 0) & (age <= open_days))
    return Finding(
        client=at,
        urgency=falling(age[at], open_days, LEAST_URGENCY),
        until=since[at] + int(open_days),
        since=since[at],
        figures={"days_ago": age[at], "day": since[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, day = figures["days_ago"], day_of(figures["day"])
    return f"A piece from the wishlist came in {ago(age)} ({in_words(day)}).", {
        "since_date": day.isoformat(),
        "days_ago": str(age),
    }
