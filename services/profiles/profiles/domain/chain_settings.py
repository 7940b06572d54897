"""What a chain decided about its clients, with the numbers that hold until it decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from chassis.errors import Kind, ServiceError

VIP_AMOUNT_MINOR = 1_000_000
ONE_TIMER_DAYS = 180
LAPSED_DAYS = 730
OCCASION_LEAD_DAYS = 21
# Six years satisfies the longest common rule for business records (Germany keeps invoices for eight: set it there).
PURCHASE_RETENTION_YEARS = 7


@dataclass(frozen=True, slots=True)
class CashLimit:
    """From what on cash is looked at: minor units of a currency; an amount of 0 turns the watch off."""

    amount_minor: int
    currency_code: str
    valid_from: date | None = None


# United States: Form 8300, 26 USC 6050I. European Union: Regulation (EU) 2024/1624 article 80, from 10 July 2027.
_EU = CashLimit(1_000_000, "EUR", date(2027, 7, 10))
BUILT_IN_CASH_LIMITS: Mapping[str, CashLimit] = {"US": CashLimit(1_000_000, "USD")} | dict.fromkeys(
    (
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
        "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    ),
    _EU,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """A chain's decisions; `version` counts them, 0 where nobody decided yet."""

    merges_automatically: bool = False
    vip_amount_minor: int = VIP_AMOUNT_MINOR
    one_timer_days: int = ONE_TIMER_DAYS
    lapsed_days: int = LAPSED_DAYS
    occasion_lead_days: int = OCCASION_LEAD_DAYS
    cash_limits: Mapping[str, CashLimit] = field(default_factory=dict)
    purchase_retention_years: int = PURCHASE_RETENTION_YEARS
    version: int = 0

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    def require_etag(self, etag: str) -> None:
        """Refuse an etag of an older version; an empty one accepts any."""
        if etag and etag != self.etag:
            raise ChainSettingsChanged

    def cash_limit(self, country: str, day: date) -> CashLimit | None:
        """Return the limit that holds in a country on a day, None where there is none."""
        limit = self.cash_limits.get(country) or BUILT_IN_CASH_LIMITS.get(country)
        if limit is None or limit.amount_minor == 0 or (limit.valid_from and day < limit.valid_from):
            return None
        return limit


class ChainSettingsChanged(ServiceError):
    """The etag is older than the settings."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "CHAIN_SETTINGS_CHANGED",
            "Somebody changed these settings since they were read. Read them again.",
        )
