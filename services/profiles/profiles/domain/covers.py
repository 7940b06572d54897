"""Out-of-office cover: who sees to whose book from day to day."""

from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import Kind, ServiceError, Violation, invalid


@dataclass(frozen=True, slots=True)
class Cover:
    """`associate_id` is away, first and last day included; days are those of the associate's store."""

    cover_id: str
    associate_id: str
    cover_associate_id: str
    starts_on: date
    ends_on: date
    created_at: datetime


class CoverIsAbsent(ServiceError):
    """Nobody covers for oneself."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "COVER_IS_ABSENT",
            "Who is away cannot be the cover.",
            violations=[Violation("cover_associate_id", "is who is away")],
        )


class CoverOverlaps(ServiceError):
    """Some of the days are covered already."""

    def __init__(self, cover_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "COVER_OVERLAPS",
            "Some of these days are covered already. Take that cover back first.",
            metadata={"cover_id": cover_id},
        )


def require_cover(associate_id: str, cover_associate_id: str, starts_on: date, ends_on: date) -> None:
    """Refuse a cover by the absent one, and days in the wrong order."""
    if associate_id == cover_associate_id:
        raise CoverIsAbsent
    if ends_on < starts_on:
        raise invalid("end_date", "is before start_date")
