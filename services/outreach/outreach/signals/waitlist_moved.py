"""Something moved on a waitlist that the client is on."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ago, day_of, falling, in_words

OPEN_DAYS = 14
LEAST_URGENCY = 0.5
PARAMETERS = (Parameter("open_days", OPEN_DAYS, 1, 60, "Days from the arrival of pieces of the reference."),)


def find(book: Book, as_of: int, *, open_days: float = OPEN_DAYS) -> Finding:
    """Find clients who wait for a reference of which pieces came in up to `open_days` ago.

    Urgency falls in a straight line from 1 to a half.
    """
    since = book.mark(Mark.WAITLIST_MOVED)
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
    return f"The waitlist moved {ago(age)} ({in_words(day)}): pieces of what the client waits for came in.", {
        "since_date": day.isoformat(),
        "days_ago": str(age),
    }
