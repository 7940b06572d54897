"""A repair is ready and not collected."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ago, day_of, in_words, rising

REMIND_DAYS = 7
REVIEW_DAYS = 14
PRESSING_DAYS = 14
LEAST_URGENCY = 0.7
PARAMETERS = (
    Parameter("remind_days", REMIND_DAYS, 1, 60, "Days after a word until the next one, while nobody comes."),
)


def find(book: Book, as_of: int, *, remind_days: float = REMIND_DAYS) -> Finding:
    """Find clients whose repair is ready, and to whom nobody spoke since, or not for `remind_days`.

    It ends when the piece is collected and the book says so; until then it is looked at again every night. Urgency
    rises in a straight line from 0.7 to 1 over two weeks.
    """
    ready, touched = book.mark(Mark.REPAIR_READY), book.mark(Mark.TOUCHED)
    is_quiet = (touched < ready) | (as_of - touched >= remind_days)
    at = np.flatnonzero((ready != NEVER) & (ready <= as_of) & is_quiet)
    age = as_of - ready[at]
    return Finding(
        client=at,
        urgency=rising(age, PRESSING_DAYS, LEAST_URGENCY),
        until=np.full(len(at), as_of + REVIEW_DAYS, dtype=np.int64),
        since=np.where(touched[at] < ready[at], ready[at], touched[at] + int(remind_days)),
        figures={"days_ready": age, "ready_day": ready[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, day = figures["days_ready"], day_of(figures["ready_day"])
    since = "since today" if age == 0 else f"since {in_words(day)}, {ago(age)},"
    return f"A repair is ready {since} and has not been collected.", {
        "ready_date": day.isoformat(),
        "days_ready": str(age),
    }
