"""What a chain decides about its texts beyond law and carriers. Pure; must not know how a decision is taken by it.

What is stored may be 0, which means the built-in value; `in_force` fills those in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time

from chassis.errors import Kind, ServiceError, invalid
from messaging.domain.permissions import Purpose

OPT_OUT_PAUSE_SHARE = 0.03
OPT_OUT_PAUSE_AFTER = 100
# For a chain that never decided: half a working day.
COLLISION_HOURS = 4


class MessagingSettingsChanged(ServiceError):
    """The etag is older than the settings."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "MESSAGING_SETTINGS_CHANGED",
            "Somebody decided on this meanwhile. Read it again and repeat your change on what it is now.",
        )


@dataclass(frozen=True)
class OwnHours:
    """A chain's own hours on the client's wall clock; when `closes` is not later, until then on the following day.

    Weekdays are counted from Monday, which is 0.
    """

    opens: time
    closes: time
    closed_weekdays: frozenset[int] = frozenset()


@dataclass(frozen=True)
class FrequencyCap:
    """At most so many texts of a purpose to one number within so many days."""

    purpose: Purpose
    most: int
    days: int


@dataclass(frozen=True)
class SegmentPrice:
    """What a segment costs towards a country, empty for all others; in billionths of the currency's unit."""

    country: str
    currency: str
    nanos: int


@dataclass(frozen=True)
class ChainSettings:
    """All that a chain decides about its texts; a version of 0 is one that never did."""

    marketing_hours: OwnHours | None = None
    service_hours: OwnHours | None = None
    frequency_caps: Sequence[FrequencyCap] = ()
    collision_hours: int = COLLISION_HOURS
    double_opt_in: bool = False
    opt_out_pause_share: float = 0.0
    opt_out_pause_after: int = 0
    segment_prices: Sequence[SegmentPrice] = ()
    forbidden_phrases: Sequence[str] = ()
    version: int = 0

    @property
    def etag(self) -> str:
        """Return what changes with every change."""
        return str(self.version)

    def own_hours(self, purpose: Purpose) -> OwnHours | None:
        """Return the chain's own hours for a purpose."""
        return self.marketing_hours if purpose is Purpose.MARKETING else self.service_hours

    def caps_of(self, purpose: Purpose) -> Sequence[FrequencyCap]:
        """Return the caps on a purpose."""
        return [cap for cap in self.frequency_caps if cap.purpose is purpose]

    def price_of(self, country: str) -> SegmentPrice | None:
        """Return what a segment costs towards a country (ISO 3166-1); None where nobody said."""
        prices = {price.country: price for price in self.segment_prices}
        return prices.get(country) or prices.get("")

    def in_force(self) -> "ChainSettings":
        """Return the settings with the built-in values filled in."""
        return replace(
            self,
            opt_out_pause_share=self.opt_out_pause_share or OPT_OUT_PAUSE_SHARE,
            opt_out_pause_after=self.opt_out_pause_after or OPT_OUT_PAUSE_AFTER,
        )

    def updated(self, wanted: "ChainSettings", *, etag: str) -> "ChainSettings":
        """Return what is wanted in the place of this. Raises MESSAGING_SETTINGS_CHANGED for an etag that is not this
        one's, and FIELD_INVALID for what is said twice."""
        if etag and etag != self.etag:
            raise MessagingSettingsChanged
        _refuse_twice("settings.frequency_caps", [(cap.purpose, cap.days) for cap in wanted.frequency_caps])
        _refuse_twice("settings.segment_prices", [price.country for price in wanted.segment_prices])
        return replace(wanted, version=self.version + 1)


def _refuse_twice(field: str, keys: Sequence[object]) -> None:
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise invalid(f"{field}[{place}]", "is said twice")
