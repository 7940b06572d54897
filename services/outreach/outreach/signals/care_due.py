"""A piece is due for cleaning or service: a year since it was bought or last looked after."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, day_of, falling, in_words

AFTER_DAYS = 365
OPEN_DAYS = 60
LEAST_URGENCY = 0.4
PARAMETERS = (
    Parameter("after_days", AFTER_DAYS, 90, 1825, "Days from the last purchase or service."),
    Parameter("open_days", OPEN_DAYS, 1, 365, "How many days more the window is open."),
)


def find(book: Book, as_of: int, *, after_days: float = AFTER_DAYS, open_days: float = OPEN_DAYS) -> Finding:
    """Find clients whose last purchase or service is `after_days` to `open_days` more days ago.

    Urgency falls in a straight line from 1 to 0.4.
    """
    serviced = book.mark(Mark.SERVICED)
    last = np.maximum(book.last_purchase, serviced)
    age = as_of - last
    at = np.flatnonzero((last != NEVER) & (age >= after_days) & (age <= after_days + open_days))
    return Finding(
        client=at,
        urgency=falling(age[at] - int(after_days), open_days, LEAST_URGENCY),
        until=last[at] + int(after_days) + int(open_days),
        since=last[at] + int(after_days),
        figures={
            "days_since": age[at],
            "last_day": last[at],
            "is_service": (serviced[at] == last[at]).astype(np.int64),
        },
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, day = figures["days_since"], day_of(figures["last_day"])
    what = "last service" if figures["is_service"] else "last purchase"
    return f"The {what} was on {in_words(day)} {day.year}, {age} days ago: due for a cleaning and a check.", {
        "since_date": day.isoformat(),
        "since": what,
        "days_since": str(age),
    }
