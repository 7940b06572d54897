"""Endpoints and deliveries, and the rules about trying again. Pure: no network, no database."""

import enum
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from chassis.errors import Kind, ServiceError, Violation

# Seconds between one attempt and the next: eleven attempts in about a day.
SCHEDULE: Sequence[float] = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 36000)
JITTER = 0.2  # of the wait, either way, so that receivers that come back are not met by everybody at once
GIVEN_UP_AFTER = timedelta(hours=24)
_LONGEST_RETRY_AFTER = 3600.0


class State(enum.StrEnum):
    """Where a delivery is."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"


@dataclass(frozen=True)
class Endpoint:
    """Where a brand's events are posted to; the secret is encrypted."""

    webhook_endpoint_id: str
    chain_id: str
    brand_id: str
    url: str
    event_types: Sequence[str]
    secret: bytes
    is_active: bool
    disable_reason: str
    create_time: datetime
    failing_since: datetime | None = None


@dataclass(frozen=True)
class WebhookDelivery:
    """One event on its way to one endpoint."""

    webhook_delivery_id: str
    webhook_endpoint_id: str
    brand_id: str
    position: int
    event_id: str
    event_type: str
    state: State
    attempts: int
    last_status: int
    last_error: str
    next_attempt_time: datetime | None
    create_time: datetime
    deliver_time: datetime | None


@dataclass(frozen=True)
class Reply:
    """What a receiver answered: a status, or 0 and an error; `retry_after` in seconds when it asked for time."""

    status: int
    error: str = ""
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        """Return whether the event was taken. A redirect is not followed and not a success."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Verdict:
    """What becomes of a delivery and its endpoint after an attempt."""

    state: State
    next_attempt_time: datetime | None = None
    disable_reason: str = ""


class UrlNotAllowed(ServiceError):
    """The address is not https, or leads where no partner's receiver can be."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Kind.INVALID, "URL_NOT_ALLOWED", f"The address {why}.", violations=[Violation("url", why)]
        )


class EventTypeNotAllowed(ServiceError):
    """Partners cannot have this event type."""

    def __init__(self, event_types: Sequence[str]) -> None:
        super().__init__(
            Kind.INVALID,
            "EVENT_TYPE_NOT_ALLOWED",
            f"Partners cannot have: {', '.join(event_types)}.",
            violations=[Violation("event_types", f"{name} is not for partners") for name in event_types],
        )


class BrandNotYours(ServiceError):
    """A partner named another brand."""

    def __init__(self) -> None:
        super().__init__(Kind.FORBIDDEN, "BRAND_NOT_YOURS", "This key speaks for another brand.")


def check_url(url: str, *, allow_private: bool) -> tuple[str, int]:
    """Return host and port of a receiver's address. Raises UrlNotAllowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlNotAllowed("cannot be read") from error
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise UrlNotAllowed("must begin with https://")
    if not parts.hostname:
        raise UrlNotAllowed("has no host")
    if parts.username is not None or parts.password is not None:
        raise UrlNotAllowed("must not hold credentials")
    if parts.fragment:
        raise UrlNotAllowed("must not have a fragment")
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def is_public_address(address: str) -> bool:
    """Return whether an IP address is somebody's on the open internet; false for everything special."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        # Each of these carries an IPv4 address that the connection may end at.
        embedded = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo and parsed.teredo[1])
        if embedded:
            return is_public_address(str(embedded))
        if parsed in ipaddress.ip_network("64:ff9b::/96"):
            return is_public_address(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def judge(
    reply: Reply,
    *,
    attempts: int,
    failing_since: datetime,
    now: datetime,
    schedule: Sequence[float],
    jitter: float,
) -> Verdict:
    """Return what follows from a reply.

    `attempts` counts this one; `failing_since` is when this endpoint first failed since its last success; `jitter` is
    between -1 and 1.
    """
    if reply.is_success:
        return Verdict(State.DELIVERED)
    if reply.status == 410:
        return Verdict(State.GIVEN_UP, disable_reason="The receiver answered 410 Gone.")
    if now - failing_since >= GIVEN_UP_AFTER or (attempts > len(schedule)):
        is_a_day = now - failing_since >= GIVEN_UP_AFTER * (1 - JITTER)
        return Verdict(State.GIVEN_UP, disable_reason="Nothing was taken for a day." if is_a_day else "")
    wait = schedule[attempts - 1] * (1 + JITTER * jitter)
    if reply.retry_after is not None:
        wait = max(wait, min(reply.retry_after, _LONGEST_RETRY_AFTER))
    return Verdict(State.WAITING, now + timedelta(seconds=wait))
