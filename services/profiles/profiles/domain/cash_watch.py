"""The watch on cash: what clients and the people linked to them paid within 12 months, against a country's limit.

States facts only. What a store has to do about them is not said here, nor anywhere else.
"""

import enum
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate

from chassis.errors import Kind, ServiceError
from profiles.domain.chain_settings import CashLimit
from profiles.domain.payments import PaymentKind, years_before
from profiles.domain.relationships import RelationshipKind

# Whose payments are added: family, and what somebody called another tie. Friends and colleagues are not.
LINKING_KINDS = frozenset(RelationshipKind) - {RelationshipKind.FRIEND, RelationshipKind.COLLEAGUE}

# A cashier's check, bank draft, traveler's check or money order is cash in the United States only with a face amount of
# 10,000 dollars or less: 26 CFR 1.6050I-1(c)(1)(ii)(A). That the sale must be of a piece above 10,000 dollars is not
# asked for here: the watch sees more than the rule does, never less.
_EQUIVALENTS_UP_TO: Mapping[str, tuple[int, str]] = {"US": (1_000_000, "USD")}

MOST_PAYMENTS = 200  # named on an alert; its total is of all


class CashAlertState(enum.StrEnum):
    """Whether somebody has still to look."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class CashPaid:
    """One payment that may count; `is_new` when the running transaction wrote it."""

    purchase_id: str
    client_id: str
    store_id: str
    country: str
    paid_on: date
    kind: PaymentKind
    amount_minor: int
    currency_code: str
    recorded_at: datetime
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class CashPayment:
    """One payment as an alert names it."""

    purchase_id: str
    client_id: str
    paid_on: date
    kind: PaymentKind
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CashFacts:
    """What was paid from one day to another, in minor units of the limit's currency.

    `linked_client_ids` are the others who paid; `payments` are the last MOST_PAYMENTS of those that make up
    `total_minor`, oldest first.
    """

    limit: CashLimit
    total_minor: int
    payments: tuple[CashPayment, ...]
    linked_client_ids: tuple[str, ...]
    start_on: date
    end_on: date
    store_id: str  # of the client's own last payment


@dataclass(frozen=True, slots=True)
class CashAlert:
    """A task: the facts for one client and one country, until somebody has looked."""

    cash_alert_id: str
    client_id: str
    store_id: str
    country: str
    limit_minor: int
    currency_code: str
    total_minor: int
    payments: tuple[CashPayment, ...]
    linked_client_ids: tuple[str, ...]
    start_on: date
    end_on: date
    state: CashAlertState
    created_at: datetime
    closed_by: str = ""
    closing_note: str = ""
    closed_at: datetime | None = None

    def covers(self, facts: CashFacts, payers: Collection[str]) -> bool:
        """Return whether an open alert says all that these facts of `payers` say, by a limit no higher."""
        return (
            self.currency_code == facts.limit.currency_code
            and self.limit_minor <= facts.limit.amount_minor
            and self.start_on <= facts.start_on
            and facts.end_on <= self.end_on
            and {*payers} <= {self.client_id, *self.linked_client_ids}
        )


class CashAlertClosed(ServiceError):
    """Somebody has looked already."""

    def __init__(self, cash_alert_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CASH_ALERT_CLOSED",
            "This alert is closed.",
            metadata={"cash_alert_id": cash_alert_id},
        )


def counts_as_cash(paid: CashPaid, country: str, currency_code: str) -> bool:
    """Return whether a payment counts for a country's limit: in its currency, and small enough as an equivalent."""
    if paid.currency_code != currency_code:
        return False
    if paid.kind is PaymentKind.CASH:
        return True
    ceiling, of_currency = _EQUIVALENTS_UP_TO.get(country, (0, ""))
    return of_currency != currency_code or paid.amount_minor <= ceiling


def window_start(end_on: date) -> date:
    """Return the first day that is added to `end_on`: the same date a year before, which still counts.

    26 CFR 1.6050I-1(b)(2) adds what comes "within one year" of the first payment. For 29 February it is 28 February.
    """
    return years_before(end_on, 1)


def facts_above(
    client_id: str,
    paid: Sequence[CashPaid],
    *,
    country: str,
    limit: CashLimit,
    ends_from: date,
    closed_at: datetime | None = None,
) -> CashFacts | None:
    """Return the largest total above a country's limit within 12 months, of equal ones the last; None without one.

    `paid` are the payments of the client and of those linked, oldest first. A window counts when it ends on `ends_from`
    or later, holds a payment of the client's own in that country and, after an alert was closed, one recorded since.
    A payment from before the limit held does not count.
    """
    first = limit.valid_from or date.min
    counted = [
        one for one in paid if one.paid_on >= first and counts_as_cash(one, country, limit.currency_code)
    ]
    days = [one.paid_on for one in counted]
    totals = _sums(one.amount_minor for one in counted)
    own = _sums(one.client_id == client_id and one.country == country for one in counted)
    since = _sums(closed_at is None or one.is_new or one.recorded_at > closed_at for one in counted)
    best: tuple[int, int, int, date] | None = None
    for end_on in sorted({day for day in days if day >= ends_from}):
        low, high = bisect_left(days, window_start(end_on)), bisect_right(days, end_on)
        total = totals[high] - totals[low]
        if total <= limit.amount_minor or own[high] == own[low] or since[high] == since[low]:
            continue
        if best is None or total >= best[0]:
            best = (total, low, high, end_on)
    if best is None:
        return None
    total, low, high, end_on = best
    inside = counted[low:high]
    return CashFacts(
        limit=limit,
        total_minor=total,
        payments=tuple(
            CashPayment(one.purchase_id, one.client_id, one.paid_on, one.kind, one.amount_minor)
            for one in inside[-MOST_PAYMENTS:]
        ),
        linked_client_ids=tuple(sorted({one.client_id for one in inside} - {client_id})),
        start_on=max(window_start(end_on), first),
        end_on=end_on,
        store_id=next(
            one.store_id for one in reversed(inside) if one.client_id == client_id and one.country == country
        ),
    )


def _sums(values: Iterable[int]) -> list[int]:
    """Return the sums of the first 0, 1, 2, ... values."""
    return [0, *accumulate(map(int, values))]
