"""A day that matters to the client comes within three weeks."""

from outreach.signals.book import Book
from outreach.signals.finding import Finding, Parameter
from outreach.signals.occasions import find_nearest, tell

AHEAD_DAYS = 21
PARAMETERS = (
    Parameter(
        "ahead_days", AHEAD_DAYS, 1, 90, "How many days before the day, where it has no lead of its own."
    ),
)


def find(book: Book, as_of: int, *, ahead_days: float = AHEAD_DAYS) -> Finding:
    """Find clients with an occasion of their own from today to `ahead_days` ahead; see `occasions.find_nearest`."""
    return find_nearest(book, as_of, book.occasion_relationship == 0, ahead_days=ahead_days)


__all__ = ["AHEAD_DAYS", "PARAMETERS", "find", "tell"]
