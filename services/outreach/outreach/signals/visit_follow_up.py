"""Was in the store within the week without buying, and nobody has been in touch since."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ago, day_of, falling, in_words

AFTER_DAYS = 1
WITHIN_DAYS = 7
LEAST_URGENCY = 0.4
PARAMETERS = (
    Parameter("after_days", AFTER_DAYS, 0, 14, "Days from the visit to the first day for a word."),
    Parameter("within_days", WITHIN_DAYS, 1, 30, "Days from the visit to the last day for a word."),
)


def find(
    book: Book, as_of: int, *, after_days: float = AFTER_DAYS, within_days: float = WITHIN_DAYS
) -> Finding:
    """Find clients whose last visit is `after_days` to `within_days` ago, with no purchase on its day or since.

    Who was in touch on the day of the visit itself may have been so before it, as by the appointment that was kept,
    so only a touch on a later day ends it. Urgency falls in a straight line from 1 to 0.4.
    """
    visit = book.last_visit
    age = as_of - visit
    at = np.flatnonzero(
        (visit != NEVER)
        & (age >= after_days)
        & (age <= within_days)
        & (book.last_purchase < visit)
        & (book.mark(Mark.TOUCHED) <= visit)
    )
    return Finding(
        client=at,
        urgency=falling(age[at] - int(after_days), within_days - after_days, LEAST_URGENCY),
        until=visit[at] + int(within_days),
        since=visit[at],
        figures={"days_since_visit": age[at], "visit_day": visit[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, day = figures["days_since_visit"], day_of(figures["visit_day"])
    return (
        f"Came in {ago(age)} ({in_words(day)}) without buying, and nobody has been in touch since.",
        {"visit_date": day.isoformat(), "days_since_visit": str(age)},
    )
