"""Wrote and has no answer yet."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ago, day_of, falling, in_words

OPEN_DAYS = 30
LEAST_URGENCY = 0.7
PARAMETERS = (Parameter("open_days", OPEN_DAYS, 1, 90, "Days from the client's message."),)


def find(book: Book, as_of: int, *, open_days: float = OPEN_DAYS) -> Finding:
    """Find clients whose message of up to `open_days` ago nobody has answered.

    Urgency falls in a straight line from 1 to 0.7: a late answer is still one.
    """
    since = book.mark(Mark.UNANSWERED)
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
    return f"Wrote {ago(age)} ({in_words(day)}) and has no answer yet.", {
        "since_date": day.isoformat(),
        "days_ago": str(age),
    }
