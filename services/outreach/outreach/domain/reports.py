"""What is summed up of contacts, and when it is too little to say anything. Must not know where figures are from."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chassis.errors import invalid
from outreach.domain.intervals import ENOUGH, Interval, newcombe, wilson

_USUAL_DAYS = 30
_MOST_DAYS = 3660
_DAY = timedelta(days=1)


class ReportGroup(enum.StrEnum):
    """What rows of a report are by; the order is the contract's."""

    CHAIN = "chain"
    STORE = "store"
    ASSOCIATE = "associate"
    SIGNAL = "signal"
    CAMPAIGN = "campaign"
    PHRASING = "phrasing"


@dataclass(frozen=True)
class Period:
    """Days at the chain, both included."""

    from_date: date
    until_date: date

    @classmethod
    def asked(cls, from_date: date | None, until_date: date | None, *, today: date) -> "Period":
        """Return the period that was asked for: the last 30 days when nothing was said.

        Raises FIELD_INVALID when it ends before it begins or is longer than ten years.
        """
        until = until_date or max(today, from_date or today)
        begins = from_date or date.fromordinal(max(1, until.toordinal() - _USUAL_DAYS + 1))
        if begins > until:
            raise invalid("from_date", f"{begins} is after {until}")
        if (until - begins).days >= _MOST_DAYS:
            raise invalid("from_date", "is more than ten years before the end")
        if begins.year < 2 or until.year > 9998:
            raise invalid("from_date", "is outside of the years 2 to 9998")
        return cls(begins, until)

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the first moment of the period and the first one after it."""
        return (
            datetime.combine(self.from_date, time(), zone).astimezone(UTC),
            datetime.combine(self.until_date + _DAY, time(), zone).astimezone(UTC),
        )

    @property
    def year_before(self) -> date:
        """Return the day a year before the first one."""
        return _year_from(self.from_date, -1)

    @property
    def year_after(self) -> date:
        """Return the day a year after the first one."""
        return _year_from(self.from_date, 1)

    def __str__(self) -> str:
        return f"between {self.from_date} and {self.until_date}"


def _year_from(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


@dataclass(frozen=True)
class OutcomeSum:
    """What contacts of one group led to; counts are sums of shares."""

    key: str
    touches: int
    replies: float
    visits: float
    appointments: float
    purchases: float
    revenue_minor: int

    @property
    def reply_rate(self) -> Interval | None:
        """Return the share of contacts that got a reply, None below ENOUGH of them."""
        return wilson(self.replies, self.touches) if self.touches >= ENOUGH else None

    @property
    def note(self) -> str:
        """Return in words what is missing."""
        if self.touches >= ENOUGH:
            return ""
        return f"Not enough data yet: {self.touches} of {ENOUGH} contacts."


@dataclass(frozen=True)
class Lift:
    """How many of those put forward for a contact bought, and of those left alone."""

    contacted: int
    contacted_bought: int
    held_out: int
    held_out_bought: int

    @property
    def is_enough(self) -> bool:
        """Return whether there are enough on both sides to compare."""
        return min(self.contacted, self.held_out) >= ENOUGH

    @property
    def difference(self) -> Interval | None:
        """Return what contact adds to the share who buy, None while there is not enough."""
        if not self.is_enough:
            return None
        return newcombe(self.contacted_bought, self.contacted, self.held_out_bought, self.held_out)

    @property
    def note(self) -> str:
        """Return in words what the figures say, or what is missing."""
        difference = self.difference
        if difference is None:
            return (
                f"Not enough data yet: {self.contacted} of {ENOUGH} clients put forward for a contact,"
                f" {self.held_out} of {ENOUGH} left alone."
            )
        if difference.low <= 0 <= difference.high:
            return "The difference may be chance: its interval contains none."
        return "More bought with a contact." if difference.value > 0 else "Fewer bought with a contact."


@dataclass(frozen=True)
class FollowUp:
    """What was kept of what a group's queue asked for; rates are None where there is nothing to divide by."""

    key: str
    raised: int
    done: int
    dismissed: int
    overdue: int
    expired: int
    kept_rate: float | None
    median_answer_minutes: float | None
    unanswered: int
    capture_rate: float | None
    repeat_rate: float | None
    retention_rate: float | None
