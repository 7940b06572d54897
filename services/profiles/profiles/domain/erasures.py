"""An erasure: a client forgotten by every service, what a statute makes the house keep, and the services' receipts.

The sources of each basis stand in docs/privacy.md. They are a default that a house checks with its counsel.
"""

import calendar
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from chassis.errors import Kind, ServiceError
from profiles.domain.exports import SERVICES

CASH_RECORD_YEARS = 5

PURCHASES_BASIS = "tax and accounting records (GDPR art. 17(3)(b); 26 CFR 1.6001-1(e)), without who it was"
CONSENTS_BASIS = "proof of consent (GDPR art. 7(1) and 17(3)(e)), the number as a keyed hash"
CASH_BASIS = "records on payments in cash (31 CFR 1010.430(d), Form 8300), without who it was"
REPAIRS_BASIS = "the client's piece is still in the house; until it is collected"
TOMBSTONE_BASIS = "an id without anything else, so that late news of the client is dropped"
ACCOUNTABILITY_BASIS = "ids only: who did what in the house (GDPR art. 5(2))"
SUPPRESSIONS_BASIS = (
    "keyed hashes, so that no import brings the client back (11 CCR 7022(e); GDPR art. 17(3)(e))"
)


class ErasureState(enum.StrEnum):
    """How far an erasure is."""

    RUNNING = "running"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Retention:
    """Records that stay, why and until when; None for as long as the reason holds."""

    category: str
    basis: str
    count: int
    keep_until: date | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one service removed, by section, and what it keeps."""

    service: str
    received_at: datetime
    erased: Mapping[str, int] = field(default_factory=dict)
    retained: Sequence[Retention] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """A client forgotten; `former_client_ids` were merged into the client before."""

    erasure_id: str
    client_id: str
    former_client_ids: tuple[str, ...]
    state: ErasureState
    reason: str
    actor: str
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None = None
    receipts: tuple[Receipt, ...] = ()

    @property
    def is_all_in(self) -> bool:
        """Return whether every service gave its receipt."""
        return {receipt.service for receipt in self.receipts} >= set(SERVICES)


def a_month_after(moment: datetime) -> datetime:
    """Return the same day of the next month, or its last one: by when the law wants it done (GDPR art. 12(3))."""
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def years_after(day: date, years: int) -> date:
    """Return the same day some years on; 1 March for a 29 February that the year lacks, so that nothing goes early."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def years_before(day: date, years: int) -> date:
    """Return the last day whose years_after is not later than `day`."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 2, 28)


class HasOpenRepairs(ServiceError):
    """Pieces of the client are still in the house."""

    def __init__(self, client_id: str, repair_ids: Sequence[str]) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CLIENT_HAS_OPEN_REPAIRS",
            "Pieces of this client are still in the house. Hand them out first, or force the erasure.",
            metadata={"client_id": client_id, "repair_ids": ",".join(repair_ids)},
        )
