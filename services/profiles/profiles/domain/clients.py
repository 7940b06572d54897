"""A client: contact points, occasions, preferences, and the rules on them."""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import Kind, ServiceError, Violation, invalid

UPDATABLE_FIELDS = frozenset(
    {"given_name", "family_name", "language", "time_zone", "home_store_id", "preferences"}
)

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_LEAP_YEAR = 2000


class ContactKind(enum.StrEnum):
    """A way to reach somebody."""

    PHONE = "phone"
    EMAIL = "email"


class OccasionKind(enum.StrEnum):
    """What sort of day it is."""

    BIRTHDAY = "birthday"
    ANNIVERSARY = "anniversary"
    ENGAGEMENT = "engagement"
    GRADUATION = "graduation"
    HOLIDAY = "holiday"
    OTHER = "other"


class PreferenceKind(enum.StrEnum):
    """What a preference is about."""

    RING_SIZE = "ring_size"
    METAL = "metal"
    STONE = "stone"
    CUT = "cut"
    STYLE = "style"
    BRAND = "brand"
    PRICE_BAND = "price_band"
    DISLIKE = "dislike"


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """One phone number (E.164) or e-mail (as written)."""

    contact_point_id: str
    kind: ContactKind
    value: str
    label: str = ""
    is_preferred: bool = False
    verified_at: datetime | None = None

    @property
    def match_key(self) -> str:
        """Return what two spellings of one contact have in common."""
        return self.value.lower()


@dataclass(frozen=True, slots=True)
class Occasion:
    """A day that returns every year; year 0 where it is not known."""

    occasion_id: str
    kind: OccasionKind
    year: int
    month: int
    day: int
    for_whom: str = ""


@dataclass(frozen=True, slots=True)
class Preference:
    """One thing a client prefers, and who says so."""

    kind: PreferenceKind
    value: str
    source: str = ""
    noted_on: date | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A shopper. `version` counts every change."""

    client_id: str
    given_name: str
    family_name: str
    language: str
    time_zone: str
    home_store_id: str
    associate_id: str
    source: str
    external_id: str
    version: int
    created_at: datetime
    updated_at: datetime
    contact_points: tuple[ContactPoint, ...] = ()
    occasions: tuple[Occasion, ...] = ()
    preferences: tuple[Preference, ...] = ()
    secondary_associate_id: str = ""

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    def require_etag(self, etag: str) -> None:
        """Refuse an etag of an older version; an empty one accepts any."""
        if etag and etag != self.etag:
            raise ChangedMeanwhile(self.client_id)

    def contact(self, kind: ContactKind, value: str) -> ContactPoint | None:
        """Return the contact point with this value, spelling apart."""
        key = value.lower()
        return next((c for c in self.contact_points if c.kind is kind and c.match_key == key), None)


class PhoneInvalid(ServiceError):
    """No phone number, or none that the country has."""

    def __init__(self, field: str, country: str) -> None:
        description = f"is not a phone number; without a + it is read as one of {country}"
        super().__init__(
            Kind.INVALID,
            "PHONE_INVALID",
            f"{field}: {description}",
            metadata={"country": country},
            violations=[Violation(field, description)],
        )


class ExternalIdTaken(ServiceError):
    """Another client came from the same source with this id."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "CLIENT_EXTERNAL_ID_TAKEN",
            "A client with this id of the source is known already.",
            metadata={"client_id": client_id},
            violations=[Violation("external_id", "is taken")],
        )


class ChangedMeanwhile(ServiceError):
    """The etag is older than the client."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "CLIENT_CHANGED",
            "Somebody changed this client since it was read. Read it again.",
            metadata={"client_id": client_id},
        )


class HasPurchases(ServiceError):
    """Only a client without a purchase can be removed."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CLIENT_HAS_PURCHASES",
            "This client bought something and cannot be removed.",
            metadata={"client_id": client_id},
        )


class ContactPointTaken(ServiceError):
    """The client has this number or e-mail already."""

    def __init__(self, field: str) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "CONTACT_POINT_TAKEN",
            "The client has this contact point already.",
            violations=[Violation(field, "is there already")],
        )


def require_email(value: str, field: str) -> str:
    """Return `value` without blanks around it. Raises EMAIL_INVALID for what is no address."""
    value = value.strip()
    if not is_email(value):
        raise invalid(field, "is not an e-mail address", reason="EMAIL_INVALID")
    return value


def is_email(value: str) -> bool:
    """Return whether `value` looks like an address; whether it works, only a message can tell."""
    return len(value) <= 254 and _EMAIL.fullmatch(value) is not None


def require_day(year: int, month: int, day: int, field: str) -> None:
    """Refuse a day that no calendar has. Without a year (0), 29 February is one."""
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError as error:
        raise invalid(field, f"{year:04}-{month:02}-{day:02} is not a day of the calendar") from error


def require_updatable(paths: Iterable[str]) -> frozenset[str]:
    """Return the fields that an update mask names. Raises FIELD_UNKNOWN for one that cannot be changed like this."""
    named = frozenset(paths)
    if unknown := sorted(named - UPDATABLE_FIELDS):
        raise invalid("update_mask", f"{', '.join(unknown)} cannot be changed here", reason="FIELD_UNKNOWN")
    if not named:
        raise invalid("update_mask", "names no field", reason="FIELD_UNKNOWN")
    return named


def require_source(source: str, external_id: str) -> None:
    """Refuse an external id that does not say whose it is."""
    if external_id and not source:
        raise invalid("source", "is needed with an external id", reason="SOURCE_MISSING")
