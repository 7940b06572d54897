"""What reports of messaging sum up. Must not know where figures are from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from chassis.errors import invalid
from messaging.domain.messages import State

_USUAL_DAYS = 30
_MOST_DAYS = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Days of the UTC, both included."""

    start: date
    end: date

    @classmethod
    def asked(cls, start: date | None, end: date | None, *, today: date) -> "Period":
        """Return the period that was asked for, the last 30 days when nothing was said.

        Raises FIELD_INVALID when it ends before it begins or has more than 366 days.
        """
        until = end or max(today, start or today)
        begins = start or date.fromordinal(max(1, until.toordinal() - _USUAL_DAYS + 1))
        if begins > until:
            raise invalid("start_date", f"{begins} is after {until}")
        if (until - begins).days >= _MOST_DAYS:
            raise invalid("start_date", f"is more than {_MOST_DAYS} days before the end")
        if begins.year < 2 or until.year > 9998:
            raise invalid("start_date", "is outside of the years 2 to 9998")
        return cls(begins, until)

    @property
    def begins(self) -> datetime:
        """Return the first moment of the period."""
        return datetime.combine(self.start, time(), UTC)

    @property
    def ends(self) -> datetime:
        """Return the first moment after the period."""
        return datetime.combine(self.end + _DAY, time(), UTC)


@dataclass(frozen=True)
class Failures:
    """Texts that failed with one code, whose class is whose fault it was."""

    error_class: str
    error_code: str
    count: int


@dataclass(frozen=True)
class Delivery:
    """Texts by state; `segments` of those that went out."""

    counts: Mapping[State, int]
    failures: Sequence[Failures]
    denied_by_reason: Mapping[str, int]
    segments: int

    @property
    def delivered_share(self) -> float | None:
        """Return the delivered of those whose end is known; None when there is none."""
        delivered, failed = self.counts.get(State.DELIVERED, 0), self.counts.get(State.FAILED, 0)
        return delivered / (delivered + failed) if delivered + failed else None


@dataclass(frozen=True)
class ReplyTimes:
    """How long clients waited for a person's answer, of one store or associate."""

    group_id: str
    answered_count: int
    unanswered_count: int
    median_seconds: int | None
    p90_seconds: int | None
