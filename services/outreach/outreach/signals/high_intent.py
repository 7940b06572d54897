"""Two visits within 30 days and no purchase since the first of them."""

import numpy as np

from outreach.signals.book import Book
from outreach.signals.finding import Figures, Finding, Parameter, day_of, days, falling, in_words

WITHIN_DAYS = 30
FRESH_DAYS = 30
LEAST_URGENCY = 0.3
PARAMETERS = (
    Parameter("within_days", WITHIN_DAYS, 1, 90, "How many days the visits lie apart at most."),
    Parameter("fresh_days", FRESH_DAYS, 1, 90, "How many days ago the latest visit is at most."),
)


def find(
    book: Book, as_of: int, *, within_days: float = WITHIN_DAYS, fresh_days: float = FRESH_DAYS
) -> Finding:
    """Find clients with two visits `within_days` apart or less, the latest within `fresh_days`, and no purchase since.

    A visit on or before the day of the latest purchase does not count: whoever bought has what she came for. Two
    visits on one day are two visits. Urgency falls in a straight line from 1 on the day of the latest visit to 0.3
    on the last day.
    """
    client, day = book.visit_client, book.visit_day
    is_unanswered = day > book.last_purchase[client]
    client, day = client[is_unanswered], day[is_unanswered]
    is_near_latest = day >= book.last_visit[client] - within_days
    client, day = client[is_near_latest], day[is_near_latest]
    visits = np.bincount(client, minlength=len(book))
    first = np.full(len(book), as_of, dtype=np.int64)
    np.minimum.at(first, client, day)
    age = as_of - book.last_visit
    at = np.flatnonzero((visits >= 2) & (age <= fresh_days))
    return Finding(
        client=at,
        urgency=falling(age[at], fresh_days, LEAST_URGENCY),
        until=book.last_visit[at] + int(fresh_days),
        since=first[at],
        figures={
            "visits": visits[at].astype(np.int64),
            "first_visit": first[at],
            "days_since_visit": age[at],
        },
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    visits, ago, first = figures["visits"], figures["days_since_visit"], day_of(figures["first_visit"])
    latest = "today" if ago == 0 else f"{days(ago)} ago"
    often = "twice" if visits == 2 else f"{visits} times"
    return f"Came in {often} since {in_words(first)} without buying, last {latest}.", {
        "visits": str(visits),
        "first_visit_date": first.isoformat(),
        "days_since_visit": str(ago),
    }
