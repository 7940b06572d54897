"""Bought yesterday: thank you."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ago, day_of, in_words

AFTER_DAYS = 1
OPEN_DAYS = 1
PARAMETERS = (
    Parameter("after_days", AFTER_DAYS, 0, 7, "Days from the purchase."),
    Parameter("open_days", OPEN_DAYS, 1, 7, "How many days it is open."),
)


def find(book: Book, as_of: int, *, after_days: float = AFTER_DAYS, open_days: float = OPEN_DAYS) -> Finding:
    """Find clients who bought yesterday, and with whom nobody was in touch since; its urgency is 1."""
    bought = book.last_purchase
    age = as_of - bought
    at = np.flatnonzero(
        (bought != NEVER)
        & (age >= after_days)
        & (age < after_days + open_days)
        & (book.mark(Mark.TOUCHED) <= bought)
    )
    return Finding(
        client=at,
        urgency=np.ones(len(at)),
        until=bought[at] + int(after_days) + int(open_days) - 1,
        since=bought[at],
        figures={"days_since_purchase": age[at], "purchase_day": bought[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, day = figures["days_since_purchase"], day_of(figures["purchase_day"])
    return f"Bought {ago(age)} ({in_words(day)}): a thank-you is due.", {
        "purchase_date": day.isoformat(),
        "days_since_purchase": str(age),
    }
