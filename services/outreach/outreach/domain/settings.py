"""How a chain works its queue: signals, tiers, goals, exploration, attribution. Must not know what a signal reads.

What is stored may be 0 or empty, which means the built-in value; `in_force` fills those in. Built in, every tier is a
person's to-do: nothing is sent by itself and nobody is left alone before the chain says so.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chassis.errors import Kind, ServiceError, invalid
from outreach.domain.suggestions import Signal, Tier, TierAction

TOP_SHARE = 0.2
MIDDLE_SHARE = 0.3
DAILY_GOAL = 10
OVERDUE_DAYS = 3
APPROVAL_ABOVE = 500
FATIGUE_SHARE, FATIGUE_DAYS = 0.5, 14


class CreditShare(enum.StrEnum):
    """How contacts before an outcome share it."""

    LAST = "last"
    EVEN = "even"
    DECAY = "decay"


class OutreachSettingsChanged(ServiceError):
    """The etag is older than the settings."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "OUTREACH_SETTINGS_CHANGED",
            "Somebody decided on this meanwhile. Read it again and repeat your change on what it is now.",
        )


@dataclass(frozen=True)
class SignalSettings:
    """What differs from the built-in rules of a signal; of the whole chain without a store."""

    signal: Signal
    store_id: str = ""
    is_off: bool = False
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TierBands:
    """Which shares of the clients who bought are top and middle, and what each tier gets."""

    top_share: float = 0.0
    middle_share: float = 0.0
    top_action: TierAction | None = None
    middle_action: TierAction | None = None
    base_action: TierAction | None = None
    prospect_action: TierAction | None = None

    def in_force(self) -> "TierBands":
        """Return the bands with the built-in values filled in."""
        return TierBands(
            top_share=self.top_share or TOP_SHARE,
            middle_share=self.middle_share or MIDDLE_SHARE,
            top_action=self.top_action or TierAction.PERSONAL,
            middle_action=self.middle_action or TierAction.PERSONAL,
            base_action=self.base_action or TierAction.PERSONAL,
            prospect_action=self.prospect_action or TierAction.PERSONAL,
        )

    def action(self, tier: Tier) -> TierAction:
        """Return what a tier gets when a signal speaks."""
        actions = {
            Tier.TOP: self.top_action,
            Tier.MIDDLE: self.middle_action,
            Tier.BASE: self.base_action,
            Tier.PROSPECT: self.prospect_action,
        }
        return actions[tier] or TierAction.PERSONAL


@dataclass(frozen=True)
class Fatigue:
    """How much less a contact is worth after another one: `most` on its day, nothing `days` later, a line between.

    None is the built-in `most`, since 0 is a decision.
    """

    most: float | None = None
    days: int = 0

    def in_force(self) -> "Fatigue":
        """Return it with the built-in values filled in."""
        return Fatigue(FATIGUE_SHARE if self.most is None else self.most, self.days or FATIGUE_DAYS)


@dataclass(frozen=True)
class AttributionRule:
    """Within how many days an outcome is credited to the contacts before it, and how they share it."""

    reply_days: int = 0
    visit_days: int = 0
    appointment_days: int = 0
    purchase_days: int = 0
    share: CreditShare | None = None
    version: int = 1

    def in_force(self) -> "AttributionRule":
        """Return the rule with the built-in values filled in."""
        return AttributionRule(
            reply_days=self.reply_days or 7,
            visit_days=self.visit_days or 30,
            appointment_days=self.appointment_days or 30,
            purchase_days=self.purchase_days or 60,
            share=self.share or CreditShare.DECAY,
            version=self.version,
        )


@dataclass(frozen=True)
class SegmentPrice:
    """What the carrier takes for a segment: billionths of the currency's unit, since it is a fraction of a cent."""

    currency: str
    nanos: int


@dataclass(frozen=True)
class OutreachSettings:
    """All that a chain decides of its outreach; a version of 0 is one that never did."""

    signals: Sequence[SignalSettings] = ()
    tier_bands: TierBands = TierBands()
    daily_goal: int = 0
    overdue_days: int = 0
    exploration_share: float = 0.0
    holdout_share: float = 0.0
    segment_price: SegmentPrice | None = None
    approval_above: int = 0
    attribution: AttributionRule = AttributionRule()
    fatigue: Fatigue = Fatigue()
    version: int = 0

    @property
    def etag(self) -> str:
        """Return what changes with every change."""
        return str(self.version)

    def of_signal(self, signal: Signal, store_id: str = "") -> SignalSettings:
        """Return what differs from a signal's built-in rules at a store, or in the chain without one.

        A store's parameters win over the chain's one by one, and whether it has the signal at all is its own to say.
        """
        found = SignalSettings(signal, store_id)
        for one in sorted(self.signals, key=lambda one: one.store_id):
            if one.signal is signal and one.store_id in ("", store_id):
                found = SignalSettings(signal, store_id, one.is_off, {**found.parameters, **one.parameters})
        return found

    def stores_of(self, signal: Signal) -> Sequence[str]:
        """Return the stores that have rules of their own for a signal."""
        return sorted({one.store_id for one in self.signals if one.signal is signal and one.store_id})

    def in_force(self) -> "OutreachSettings":
        """Return the settings with the built-in values filled in."""
        return replace(
            self,
            tier_bands=self.tier_bands.in_force(),
            daily_goal=self.daily_goal or DAILY_GOAL,
            overdue_days=self.overdue_days or OVERDUE_DAYS,
            approval_above=self.approval_above or APPROVAL_ABOVE,
            attribution=self.attribution.in_force(),
            fatigue=self.fatigue.in_force(),
        )

    def updated(self, wanted: "OutreachSettings", *, etag: str) -> "OutreachSettings":
        """Return what is wanted in the place of this; the attribution's version counts up when its rule changes.

        Raises OUTREACH_SETTINGS_CHANGED for an etag that is not this one's, and FIELD_INVALID for bands that leave
        nobody.
        """
        if etag and etag != self.etag:
            raise OutreachSettingsChanged
        bands = wanted.tier_bands.in_force()
        if bands.top_share + bands.middle_share > 1:
            raise invalid("settings.tier_bands.middle_share", "with top_share is more than all clients")
        version = self.attribution.version
        asked = replace(wanted.attribution, version=version)
        if asked.in_force() != self.attribution.in_force():
            asked = replace(asked, version=version + 1)
        return replace(wanted, attribution=asked, version=self.version + 1)
