"""The day by which the client needs a piece comes near, and nothing was bought."""

import numpy as np

from outreach.signals.book import NEVER, Book, Mark
from outreach.signals.finding import Figures, Finding, Parameter, ahead, day_of, falling, in_words

AHEAD_DAYS = 21
PRESSING_DAYS = 7
LEAST_URGENCY = 0.5
PARAMETERS = (
    Parameter("ahead_days", AHEAD_DAYS, 1, 120, "How many days before the piece is needed."),
    Parameter("pressing_days", PRESSING_DAYS, 0, 60, "With how many days to go it is most pressing."),
)


def find(
    book: Book, as_of: int, *, ahead_days: float = AHEAD_DAYS, pressing_days: float = PRESSING_DAYS
) -> Finding:
    """Find clients who need a piece by a day from today to `ahead_days` ahead.

    A day that was said before the last purchase is met and not in the book. Urgency rises in a straight line from a
    half at the outer edge to 1 with `pressing_days` to go, and stays there.
    """
    needed = book.mark(Mark.NEED_BY)
    at = np.flatnonzero((needed != NEVER) & (needed >= as_of) & (needed - as_of <= ahead_days))
    away = needed[at] - as_of
    return Finding(
        client=at,
        urgency=falling(np.maximum(away - int(pressing_days), 0), ahead_days - pressing_days, LEAST_URGENCY),
        until=needed[at],
        since=needed[at] - int(ahead_days),
        figures={"days_ahead": away, "day": needed[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    away, day = figures["days_ahead"], day_of(figures["day"])
    return f"Needs a piece by {in_words(day)}, {ahead(away)}, and has not bought yet.", {
        "need_by_date": day.isoformat(),
        "days_ahead": str(away),
    }
