"""Two days, two weeks and two months after a purchase: a short window each, once nobody has used it yet."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, day_of, days, falling, in_words

FIRST_DAYS = 2
SECOND_DAYS = 14
THIRD_DAYS = 60
OPEN_DAYS = 3
LEAST_URGENCY = 0.5
PARAMETERS = (
    Parameter("first_days", FIRST_DAYS, 1, 7, "Days from the purchase to the first window."),
    Parameter("second_days", SECOND_DAYS, 8, 30, "Days from the purchase to the second window."),
    Parameter("third_days", THIRD_DAYS, 31, 180, "Days from the purchase to the third window."),
    Parameter("open_days", OPEN_DAYS, 1, 14, "How many days each window is open."),
)
_WHAT = {
    1: "hear how the piece is liked",
    2: "see that everything fits",
    3: "keep in touch",
}


def find(
    book: Book,
    as_of: int,
    *,
    first_days: float = FIRST_DAYS,
    second_days: float = SECOND_DAYS,
    third_days: float = THIRD_DAYS,
    open_days: float = OPEN_DAYS,
) -> Finding:
    """Find clients whose last purchase is 2, 14 or 60 days ago, or up to `open_days` - 1 more, untouched in the window.

    A window that another one has overtaken is closed. Urgency falls in a straight line from 1 to a half over the
    days that a window is open.
    """
    bought = book.last_purchase
    age = as_of - bought
    opens = np.zeros(len(book), dtype=np.int64)
    window = np.zeros(len(book), dtype=np.int64)
    for number, start in enumerate((first_days, second_days, third_days), start=1):
        is_open = (age >= start) & (age < start + open_days)
        opens[is_open], window[is_open] = int(start), number
    at = np.flatnonzero((window > 0) & (bought != NEVER) & (book.mark(Mark.TOUCHED) < bought + opens))
    into = age[at] - opens[at]
    return Finding(
        client=at,
        urgency=falling(into, open_days - 1, LEAST_URGENCY),
        until=bought[at] + opens[at] + int(open_days) - 1,
        since=bought[at] + opens[at],
        figures={"days_since_purchase": age[at], "purchase_day": bought[at], "window": window[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    age, day, window = figures["days_since_purchase"], day_of(figures["purchase_day"]), figures["window"]
    return f"Bought {days(age)} ago, on {in_words(day)}: a good moment to {_WHAT[window]}.", {
        "purchase_date": day.isoformat(),
        "days_since_purchase": str(age),
        "window": str(window),
    }
