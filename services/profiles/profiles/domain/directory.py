"""The house itself: chain, stores, associates, brands."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import available_timezones

from chassis.errors import Kind, ServiceError, Violation, invalid


@dataclass(frozen=True, slots=True)
class Chain:
    """The tenant. `currency_code` is what amounts without a currency are in."""

    chain_id: str
    display_name: str
    country: str
    currency_code: str
    time_zone: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Store:
    """A place of the chain; `country` is where national phone numbers are read in."""

    store_id: str
    display_name: str
    time_zone: str
    country: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Associate:
    """A member of staff."""

    associate_id: str
    store_id: str
    display_name: str
    email: str
    is_active: bool
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand that the chain sells."""

    brand_id: str
    display_name: str
    created_at: datetime


class TimeZoneUnknown(ServiceError):
    """The name is not in the IANA database."""

    def __init__(self, field: str, time_zone: str) -> None:
        description = "is not an IANA time zone such as America/New_York"
        super().__init__(
            Kind.INVALID,
            "TIME_ZONE_UNKNOWN",
            f"{field}: {description}",
            metadata={"time_zone": time_zone},
            violations=[Violation(field, description)],
        )


class AssociateEmailTaken(ServiceError):
    """Another associate of the chain signs in with this e-mail."""

    def __init__(self) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "ASSOCIATE_EMAIL_TAKEN",
            "Another associate has this e-mail.",
            violations=[Violation("email", "is taken")],
        )


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def require_time_zone(time_zone: str, field: str = "time_zone") -> None:
    """Refuse a name that the IANA database does not have."""
    if time_zone not in _zones():
        raise TimeZoneUnknown(field, time_zone)


def currency_unknown(field: str) -> ServiceError:
    """Return the error for a currency code that is nobody's."""
    return invalid(field, "is not an ISO 4217 currency", reason="CURRENCY_UNKNOWN")
