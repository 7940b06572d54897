"""Bought once, then nothing for six months: neither a purchase nor a visit."""

import numpy as np

from outreach.signals.book import Book
from outreach.signals.finding import Figures, Finding, Parameter, days, falling

SILENT_DAYS = 182
REVIEW_DAYS = 30
FADES_OVER_DAYS = 365
LEAST_URGENCY = 0.2
PARAMETERS = (Parameter("silent_days", SILENT_DAYS, 30, 1095, "Days since the purchase or a later visit."),)


def find(book: Book, as_of: int, *, silent_days: float = SILENT_DAYS) -> Finding:
    """Find clients with one purchase day whose last sign (that purchase or a later visit) is `silent_days` or more ago.

    Urgency is 1 on the first such day and falls in a straight line over a year to a fifth: who has been away for two
    years is not lost to a week's delay. It has no end of its own, so it holds for 30 days and is looked at again
    every night.
    """
    last_sign = np.maximum(book.last_purchase, book.last_visit)
    at = np.flatnonzero((book.purchase_days == 1) & (as_of - last_sign >= silent_days))
    silent = as_of - last_sign[at]
    return Finding(
        client=at,
        urgency=falling(silent - int(silent_days), FADES_OVER_DAYS, LEAST_URGENCY),
        until=np.full(len(at), as_of + REVIEW_DAYS, dtype=np.int64),
        figures={"days_silent": silent, "days_since_purchase": as_of - book.last_purchase[at]},
    )


def tell(figures: Figures) -> tuple[str, dict[str, str]]:
    """Return the sentence and the facts of one client."""
    silent, bought = figures["days_silent"], figures["days_since_purchase"]
    facts = {"days_silent": str(silent), "days_since_purchase": str(bought)}
    if silent == bought:
        return f"Bought once, {days(bought)} ago, and has not been back.", facts
    return f"Bought once, {days(bought)} ago; last in the store {days(silent)} ago.", facts
