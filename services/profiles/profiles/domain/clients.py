"""A client: contact points, occasions, preferences, and the rules on them."""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import Kind, ServiceError, Violation, invalid
from profiles.domain.preferences import Preference
from profiles.domain.relationships import Relationship

UPDATABLE_FIELDS = frozenset(
    {
        "given_name",
        "family_name",
        "nickname",
        "language",
        "time_zone",
        "home_store_id",
        "preferences",
        "tags",
        "address",
    }
)
MOST_TAGS = 50
LONGEST_TAG = 60
LONGEST_NAME = 120

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


class ContactType(enum.StrEnum):
    """Where a number or an e-mail is answered."""

    MOBILE = "mobile"
    HOME = "home"
    WORK = "work"
    OTHER = "other"


class OccasionRecurrence(enum.StrEnum):
    """Whether a day comes back."""

    YEARLY = "yearly"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """One phone number (E.164) or e-mail (as written)."""

    contact_point_id: str
    kind: ContactKind
    value: str
    label: str = ""
    is_preferred: bool = False
    verified_at: datetime | None = None
    type: ContactType | None = None

    @property
    def match_key(self) -> str:
        """Return what two spellings of one contact have in common."""
        return self.value.lower()


@dataclass(frozen=True, slots=True)
class Occasion:
    """A day that matters; year 0 where it is not known.

    `lead_days` is None for the chain's own number; `surprise_for_client_id` must not learn what is planned;
    `relationship_id` says whose day it is, empty for the client's own or whom `for_whom` says in words.
    """

    occasion_id: str
    kind: OccasionKind
    year: int
    month: int
    day: int
    for_whom: str = ""
    recurrence: OccasionRecurrence = OccasionRecurrence.YEARLY
    lead_days: int | None = None
    surprise_for_client_id: str = ""
    relationship_id: str = ""


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """Where a client lives; `country` is ISO 3166-1 alpha-2."""

    lines: tuple[str, ...] = ()
    locality: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


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
    nickname: str = ""
    tags: tuple[str, ...] = ()
    address: PostalAddress | None = None
    relationships: tuple[Relationship, ...] = ()
    former_client_ids: tuple[str, ...] = ()

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

    def relationship(self, relationship_id: str) -> Relationship | None:
        """Return the relationship with this id, as this client sees it."""
        return next((r for r in self.relationships if r.relationship_id == relationship_id), None)


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


def require_occasion(occasion: Occasion, field: str) -> None:
    """Refuse a day that no calendar has, and one that comes once, but nobody says in which year."""
    require_day(occasion.year, occasion.month, occasion.day, f"{field}.date")
    if occasion.recurrence is OccasionRecurrence.ONCE and not occasion.year:
        raise invalid(f"{field}.date.year", "is needed for a day that comes once")


def normal_tags(tags: Iterable[str], field: str) -> tuple[str, ...]:
    """Return tags without blanks around them, empty ones and doubles; of two spellings the first stays."""
    kept: dict[str, str] = {}
    for index, tag in enumerate(tags):
        words = " ".join(tag.split())
        if len(words) > LONGEST_TAG:
            raise invalid(f"{field}[{index}]", f"is longer than {LONGEST_TAG} characters")
        if words:
            kept.setdefault(words.casefold(), words)
    if len(kept) > MOST_TAGS:
        raise invalid(field, f"has more than {MOST_TAGS} tags")
    return tuple(kept.values())


def normal_name(name: str, field: str) -> str:
    """Return a name without blanks around it. Raises INVALID for one that is too long."""
    if len(name := name.strip()) > LONGEST_NAME:
        raise invalid(field, f"is longer than {LONGEST_NAME} characters")
    return name


def normal_address(address: PostalAddress | None, *, home_country: str) -> PostalAddress | None:
    """Return an address as it is kept, in the home store's country if it names none; None for an empty one."""
    if address is None:
        return None
    lines = tuple(words for line in address.lines if (words := line.strip()))
    locality, region, postal_code = (
        address.locality.strip(), address.region.strip(), address.postal_code.strip(),
    )  # fmt: skip
    if not any((lines, locality, region, postal_code, address.country)):
        return None
    return PostalAddress(lines, locality, region, postal_code, address.country or home_country)


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
