"""A best client whose silence is long against the client's own rhythm."""

import numpy as np

from outreach.signals.book import Book
from outreach.signals.finding import Figures, Finding, Parameter, days

VIP_SHARE = 0.10
LEAST_PURCHASE_DAYS = 3
QUIET_GAPS = 2.0
LEAST_SILENT_DAYS = 30
REVIEW_DAYS = 30
LEAST_URGENCY = 0.3
SLOWEST_GAPS = 6.0
PARAMETERS = (
    Parameter(
        "quiet_gaps",
        QUIET_GAPS,
        1.0,
        5.5,
        "How many of the client's own mean gaps the silence lasts.",
        is_whole=False,
    ),
    Parameter(
        "least_purchase_days", LEAST_PURCHASE_DAYS, 2, 20, "On how many days the client has bought at least."
    ),
    Parameter("least_silent_days", LEAST_SILENT_DAYS, 7, 365, "The least days of silence."),
)


def find(
    book: Book,
    as_of: int,
    *,
    quiet_gaps: float = QUIET_GAPS,
    least_purchase_days: float = LEAST_PURCHASE_DAYS,
    least_silent_days: float = LEAST_SILENT_DAYS,
) -> Finding:
    """Find clients in the chain's top tenth by spend who have been away for twice their own mean gap, and 30 days at
    least.

    The top tenth is who spent `book.vip_minor` or more (a chain of few clients has none). The mean gap is the time
    from the first to the last purchase day over the number of gaps, so it needs `least_purchase_days`. A visit ends
    the silence as a purchase does. Urgency is 1 when the silence reaches two gaps and falls to 0.3 at six, when a
    word comes too late for many.
    """
    last_sign = np.maximum(book.last_purchase, book.last_visit)
    silent = as_of - last_sign
    gap = (book.last_purchase - book.first_purchase) / np.maximum(book.purchase_days - 1, 1)
    is_vip = (
        np.zeros(len(book), dtype=np.bool_) if book.vip_minor is None else book.total_minor >= book.vip_minor
    )
    has_rhythm = book.purchase_days >= least_purchase_days
    at = np.flatnonzero(is_vip & has_rhythm & (silent >= np.maximum(quiet_gaps * gap, least_silent_days)))
    gaps = silent[at] / np.maximum(gap[at], 1.0)
    faded = np.clip((gaps - quiet_gaps) / (SLOWEST_GAPS - quiet_gaps), 0, 1)
    return Finding(
        client=at,
        urgency=1.0 - (1 - LEAST_URGENCY) * faded,
        until=np.full(len(at), as_of + REVIEW_DAYS, dtype=np.int64),
        figures={
            "days_silent": silent[at],
            "mean_gap_days": np.rint(gap[at]).astype(np.int64),
            "purchase_days": book.purchase_days[at],
        },
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    silent, gap, bought = figures["days_silent"], figures["mean_gap_days"], figures["purchase_days"]
    return (
        f"One of the best clients: bought on {bought} days, usually every {days(max(gap, 1))}, "
        f"but has not been seen for {days(silent)}.",
        {"days_silent": str(silent), "mean_gap_days": str(gap), "purchase_days": str(bought)},
    )
