"""Segments: who is meant by a filter, and where a client stands with the house."""

import enum
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta

from chassis.errors import Kind, ServiceError, Violation, invalid
from profiles.domain.chain_settings import ChainSettings
from profiles.domain.clients import OccasionKind


class Lifecycle(enum.StrEnum):
    """Where a client stands with the house; every client is in exactly one."""

    PROSPECT = "prospect"
    FIRST_TIME = "first_time"
    REPEAT = "repeat"
    VIP = "vip"
    ONE_TIMER = "one_timer"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A chain's settings seen from one day: who spent enough for a VIP, and before which days one has gone quiet."""

    vip_amount_minor: int
    one_timer_before: date
    lapsed_before: date

    @classmethod
    def of(cls, settings: ChainSettings, today: date) -> "Thresholds":
        """Return the thresholds that hold on `today`."""
        return cls(
            settings.vip_amount_minor,
            today - timedelta(days=settings.one_timer_days),
            today - timedelta(days=settings.lapsed_days),
        )

    def lifecycle(self, purchases: int, spent_minor: int, last_purchase_on: date | None) -> Lifecycle:
        """Return where a client with these figures stands; store/segments.py says the same in SQL."""
        if not purchases or last_purchase_on is None:
            return Lifecycle.PROSPECT
        if spent_minor >= self.vip_amount_minor and last_purchase_on >= self.lapsed_before:
            return Lifecycle.VIP
        if purchases == 1:
            return Lifecycle.ONE_TIMER if last_purchase_on < self.one_timer_before else Lifecycle.FIRST_TIME
        return Lifecycle.LAPSED if last_purchase_on < self.lapsed_before else Lifecycle.REPEAT


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """All conditions that are set must hold; of several values in one condition one is enough. Days are included."""

    lifecycles: tuple[Lifecycle, ...] = ()
    store_ids: tuple[str, ...] = ()
    associate_ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    minimum_spent_minor: int | None = None
    maximum_spent_minor: int | None = None
    minimum_purchases: int | None = None
    maximum_purchases: int | None = None
    last_purchase_from: date | None = None
    last_purchase_until: date | None = None
    last_visit_from: date | None = None
    last_visit_until: date | None = None
    brand_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    metals: tuple[str, ...] = ()
    stones: tuple[str, ...] = ()
    occasion_kind: OccasionKind | None = None
    occasion_months: tuple[int, ...] = ()
    has_phone: bool | None = None
    has_email: bool | None = None
    has_wish: bool | None = None
    client_since_from: date | None = None
    client_since_until: date | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A saved filter. `version` counts every change."""

    segment_id: str
    display_name: str
    filter: SegmentFilter
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    def require_etag(self, etag: str) -> None:
        """Refuse an etag of an older version; an empty one accepts any."""
        if etag and etag != self.etag:
            raise SegmentChanged(self.segment_id)


@dataclass(frozen=True, slots=True)
class SegmentClient:
    """A client with what the filters look at; amounts are minor units of the chain's currency."""

    client_id: str
    given_name: str
    family_name: str
    home_store_id: str
    associate_id: str
    lifecycle: Lifecycle
    purchases: int
    spent_minor: int
    last_purchase_on: date | None
    last_visit_on: date | None


class SegmentNameTaken(ServiceError):
    """Another segment of the chain has this name; case does not matter."""

    def __init__(self) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "SEGMENT_NAME_TAKEN",
            "Another segment has this name.",
            violations=[Violation("display_name", "is taken")],
        )


class SegmentChanged(ServiceError):
    """The etag is older than the segment."""

    def __init__(self, segment_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "SEGMENT_CHANGED",
            "Somebody changed this segment since it was read. Read it again.",
            metadata={"segment_id": segment_id},
        )


_RANGES = (
    ("minimum_spent_minor", "maximum_spent_minor"),
    ("minimum_purchases", "maximum_purchases"),
    ("last_purchase_from", "last_purchase_until"),
    ("last_visit_from", "last_visit_until"),
    ("client_since_from", "client_since_until"),
)


def require_filter(wanted: SegmentFilter) -> None:
    """Refuse a filter without a condition (SEGMENT_EMPTY), a range the wrong way round, and months of no occasion."""
    if all(getattr(wanted, field.name) in ((), None) for field in fields(SegmentFilter)):
        raise invalid("filter", "has no condition: it would be every client", reason="SEGMENT_EMPTY")
    for lower, upper in _RANGES:
        least, most = getattr(wanted, lower), getattr(wanted, upper)
        if least is not None and most is not None and least > most:
            raise invalid(f"filter.{upper}", f"is before {lower}")
    if wanted.occasion_months and wanted.occasion_kind is None:
        raise invalid("filter.occasion_kind", "is needed with occasion_months")
