"""A day of somebody close to the client comes within three weeks: whose gift is bought here."""

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
    """Find clients to whom somebody is related whose day is from today to `ahead_days` ahead."""
    return find_nearest(book, as_of, book.occasion_relationship > 0, ahead_days=ahead_days)


__all__ = ["AHEAD_DAYS", "PARAMETERS", "find", "tell"]
