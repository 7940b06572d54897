"""Did not come to an appointment and has no other."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ago, day_of, falling, in_words

OPEN_DAYS = 14
LEAST_URGENCY = 0.4
PARAMETERS = (Parameter("open_days", OPEN_DAYS, 1, 60, "Days from the missed appointment."),)


def find(book: Book, as_of: int, *, open_days: float = OPEN_DAYS) -> Finding:
    """Find clients who missed an appointment up to `open_days` ago, and with whom nobody was in touch on a later day.

    Urgency falls in a straight line from 1 to 0.4.
    """
    since = book.mark(Mark.APPOINTMENT_MISSED)
    age = as_of - since
    at = np.flatnonzero(
        (since != NEVER) & (age >= 0) & (age <= open_days) & (book.mark(Mark.TOUCHED) <= since)
    )
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
    return f"Missed an appointment {ago(age)} ({in_words(day)}) and has no other.", {
        "since_date": day.isoformat(),
        "days_ago": str(age),
    }
