"""Pieces of a purchase that come back, for money or for other pieces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import Kind, ServiceError, Violation, invalid
from profiles.domain.pieces import Purchase


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """So many pieces of a line of the purchase, counted from 0; `amount_minor` is what was given back for them."""

    purchase_line: int
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Return:
    """What came back at once, in minor units of the purchase's currency."""

    return_id: str
    purchase_id: str
    client_id: str
    store_id: str
    returned_on: date
    currency_code: str
    lines: tuple[ReturnLine, ...]
    exchange_purchase_id: str
    reason: str
    created_at: datetime

    @property
    def total_minor(self) -> int:
        """Return what was given back for all lines."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def quantity(self) -> int:
        """Return the number of pieces."""
        return sum(line.quantity for line in self.lines)


class ReturnExceedsPurchase(ServiceError):
    """More pieces, or more money, than the line has left."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "RETURN_EXCEEDS_PURCHASE",
            f"{field}: {description}",
            violations=[Violation(field, description)],
        )


class ReturnBeforePurchase(ServiceError):
    """The day is before that of the purchase."""

    def __init__(self, purchased_on: date) -> None:
        description = f"is before the day of the purchase, {purchased_on}"
        super().__init__(
            Kind.INVALID,
            "RETURN_BEFORE_PURCHASE",
            f"return_date: {description}",
            violations=[Violation("return_date", description)],
        )


def require_return_day(returned_on: date, *, purchased_on: date, today: date) -> None:
    """Refuse a day before the purchase (RETURN_BEFORE_PURCHASE) and one after today, the store's day."""
    if returned_on < purchased_on:
        raise ReturnBeforePurchase(purchased_on)
    if returned_on > today:
        raise invalid("return_date", "is after today, as the store counts days")


def require_returnable(
    purchase: Purchase,
    lines: Sequence[ReturnLine],
    currencies: Sequence[str],
    returned: Mapping[int, tuple[int, int]],
) -> None:
    """Refuse what cannot come back of a locked purchase.

    `currencies` are those of the lines' amounts; `returned` says for a line of the purchase how many pieces came back
    before, and for how much. Raises CURRENCY_MISMATCH, RETURN_EXCEEDS_PURCHASE and INVALID.
    """
    gone = dict(returned)
    for index, (line, currency) in enumerate(zip(lines, currencies, strict=True)):
        field = f"lines[{index}]"
        if currency != purchase.currency_code:
            raise invalid(
                f"{field}.amount.currency_code",
                f"is {currency}, the purchase is in {purchase.currency_code}",
                reason="CURRENCY_MISMATCH",
            )
        if line.purchase_line >= len(purchase.lines):
            raise invalid(
                f"{field}.purchase_line",
                f"is not a line of the purchase, which has {len(purchase.lines)}, counted from 0",
            )
        if line.amount_minor < 0:
            raise invalid(f"{field}.amount", "is below 0: say what was given back")
        bought = purchase.lines[line.purchase_line]
        if bought.amount_minor < 0:
            raise ReturnExceedsPurchase(f"{field}.purchase_line", "is itself a return")
        quantity, amount = gone.get(line.purchase_line, (0, 0))
        left = bought.quantity - quantity
        if line.quantity > left:
            raise ReturnExceedsPurchase(f"{field}.quantity", f"is more than the {left} that can come back")
        if amount + line.amount_minor > bought.amount_minor:
            raise ReturnExceedsPurchase(
                f"{field}.amount", "is more than is left of what was paid for the line"
            )
        gone[line.purchase_line] = (quantity + line.quantity, amount + line.amount_minor)


def require_exchange(purchase: Purchase, exchange: Purchase) -> None:
    """Refuse a purchase in exchange that is the returned one, or another client's."""
    if exchange.purchase_id == purchase.purchase_id:
        raise invalid("exchange_purchase_id", "is the purchase that comes back")
    if exchange.client_id != purchase.client_id:
        raise invalid(
            "exchange_purchase_id", "is a purchase of another client", reason="EXCHANGE_OF_ANOTHER_CLIENT"
        )
