"""The time, so that tests can set it. Must be the only place where services read it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Says what time it is, in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is told to go on; for tests."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time that was set."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Go on by `by`."""
        self._now += by

    def set(self, now: datetime) -> None:
        """Jump to `now`."""
        self._now = now
