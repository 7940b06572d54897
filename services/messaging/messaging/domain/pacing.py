"""How fast a sender may send and how much a brand may in a day. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chassis.errors import Kind, ServiceError

# What a courier that comes late, or a sender that was idle, may make up for.
CATCH_UP = timedelta(seconds=1)

DEFAULT_SEGMENTS_PER_DAY = 2_000
DEFAULT_ZONE = "America/Los_Angeles"

# Texts of a lower number go first. ASK is no text: the carrier is asked what became of one.
ASK, ANSWERS, SERVICES, OFFERS, BULK = range(5)
PRIORITIES = (ANSWERS, SERVICES, OFFERS, BULK)


def next_free_time(free_at: datetime, now: datetime, *, segments: int, per_second: float) -> datetime:
    """Return when a sender is free again that was free at `free_at` and sends something now.

    The generic cell rate algorithm (ITU-T I.371) with CATCH_UP as its tolerance: over any time the sender sends no more
    than its speed allows, plus what fits into CATCH_UP, plus the text that was begun.
    """
    return max(free_at, now - CATCH_UP) + timedelta(seconds=max(segments, 1) / per_second)


@dataclass(frozen=True)
class BrandRegistration:
    """A brand as the carriers know it; what its senders may send in a day of its own zone."""

    brand_registration_id: str
    display_name: str
    provider_registration_id: str
    segments_per_day: int
    time_zone: str
    created_at: datetime
    segments_today: int = 0

    @property
    def reserve(self) -> int:
        """Return how many segments of a day only answers to clients may use: a twentieth, 10 to 200, at most half."""
        return min(max(self.segments_per_day // 20, 10), 200, self.segments_per_day // 2)

    def takes(self, used: int, segments: int, *, is_answer: bool) -> bool:
        """Return whether the day has room for so many segments more."""
        return used + segments <= self.segments_per_day - (0 if is_answer else self.reserve)

    def day_of(self, moment: datetime) -> date:
        """Return which day it is for the brand."""
        return day_in(self.time_zone, moment)

    def next_day(self, moment: datetime) -> datetime:
        """Return when the brand's next day begins."""
        tomorrow = self.day_of(moment) + timedelta(days=1)
        return datetime.combine(tomorrow, time.min, tzinfo=ZoneInfo(self.time_zone))


def day_in(zone: str, moment: datetime) -> date:
    """Return the date in a zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


class BrandRegistrationNotFound(ServiceError):
    """The chain has no such registration."""

    def __init__(self, brand_registration_id: str) -> None:
        super().__init__(
            Kind.NOT_FOUND, "BRAND_REGISTRATION_NOT_FOUND", "There is no such brand registration.",
            metadata={"brand_registration_id": brand_registration_id},
        )  # fmt: skip
