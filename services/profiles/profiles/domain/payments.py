"""How a purchase is paid: in parts, of several kinds, on several days."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chassis.errors import Kind, ServiceError, Violation, invalid

_LONGEST_DEPOSIT_YEARS = 2  # between the first deposit on a piece made to order and the day it is taken home


class PaymentKind(enum.StrEnum):
    """What was handed over."""

    CASH = "cash"
    CASH_EQUIVALENT = "cash_equivalent"
    CARD = "card"
    BANK_TRANSFER = "bank_transfer"
    PERSONAL_CHECK = "personal_check"
    FINANCING = "financing"
    STORE_CREDIT = "store_credit"
    OTHER = "other"


CASH_KINDS = frozenset({PaymentKind.CASH, PaymentKind.CASH_EQUIVALENT})


def years_before(day: date, years: int) -> date:
    """Return the same date some years earlier; 28 for 29 February, and the first day there is before the first year."""
    if day.year <= years:
        return date.min
    is_leap_day = (day.month, day.day) == (2, 29)
    return date(day.year - years, day.month, 28 if is_leap_day else day.day)


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, in minor units of the purchase's currency."""

    kind: PaymentKind
    amount_minor: int
    paid_on: date


class PurchaseInFuture(ServiceError):
    """The day has not begun at the store."""

    def __init__(self, field: str) -> None:
        description = "is after today, as the store counts days"
        super().__init__(
            Kind.INVALID,
            "PURCHASE_IN_FUTURE",
            f"{field}: {description}",
            violations=[Violation(field, description)],
        )


class PaymentsExceedTotal(ServiceError):
    """More was paid than the pieces cost."""

    def __init__(self, field: str) -> None:
        description = "is more, with what was paid before, than the purchase's total"
        super().__init__(
            Kind.INVALID,
            "PAYMENTS_EXCEED_TOTAL",
            f"{field}: {description}",
            violations=[Violation(field, description)],
        )


def require_payments(
    payments: Sequence[Payment],
    currencies: Sequence[str],
    *,
    paid_before_minor: int = 0,
    fields: Sequence[str] = (),
    total_minor: int,
    currency_code: str,
    purchased_on: date,
    today: date,
) -> None:
    """Refuse payments that cannot be of this purchase; `currencies` are theirs, one each, `today` is the store's day.

    `fields` are their paths in the request: those of a list `payments` when left out.

    Raises CURRENCY_MISMATCH, PAYMENTS_EXCEED_TOTAL, and INVALID for an amount not above 0, a day after today and
    one more than two years before the purchase.
    """
    earliest = years_before(purchased_on, _LONGEST_DEPOSIT_YEARS)
    for index, (payment, currency) in enumerate(zip(payments, currencies, strict=True)):
        field = fields[index] if fields else f"payments[{index}]"
        if currency != currency_code:
            raise invalid(
                f"{field}.amount.currency_code",
                f"is {currency}, the purchase is in {currency_code}",
                reason="CURRENCY_MISMATCH",
            )
        if payment.amount_minor <= 0:
            raise invalid(f"{field}.amount", "is not above 0")
        if payment.paid_on > today:
            raise invalid(f"{field}.payment_date", "is after today, as the store counts days")
        if payment.paid_on < earliest:
            raise invalid(f"{field}.payment_date", "is more than two years before the purchase")
    if payments and paid_before_minor + sum(payment.amount_minor for payment in payments) > total_minor:
        raise PaymentsExceedTotal(fields[0] if fields else "payments")
