"""Pieces from the case: what was bought and what was looked at, and the words for it on a timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import invalid
from profiles.domain.clients import OccasionKind
from profiles.domain.payments import Payment
from profiles.domain.surprises import NO_SURPRISE, Surprise


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing from the case, as specific as is known; the price in minor units.

    Its fields are the columns of every table of pieces, in this order.
    """

    brand_id: str = ""
    reference: str = ""
    serial: str = ""
    category: str = ""
    description: str = ""
    metal: str = ""
    stone: str = ""
    cut: str = ""
    style: str = ""
    size: str = ""
    price_minor: int | None = None
    price_currency: str = ""
    carat: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """A bought piece; `amount_minor` is what was paid for the line, negative for a return."""

    piece: Piece
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a client bought at once; amounts in minor units of `currency_code`, `returned_minor` of what came back."""

    purchase_id: str
    client_id: str
    store_id: str
    associate_id: str
    purchased_on: date
    currency_code: str
    lines: tuple[PurchaseLine, ...]
    occasion_kind: OccasionKind | None
    for_whom: str
    source: str
    external_id: str
    created_at: datetime
    payments: tuple[Payment, ...] = ()
    recipient_client_id: str = ""
    surprise: Surprise = NO_SURPRISE
    returned_minor: int = 0

    @property
    def total_minor(self) -> int:
        """Return what was paid for all lines."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def quantity(self) -> int:
        """Return the number of pieces."""
        return sum(line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True)
class VisitItem:
    """A piece that was looked at."""

    piece: Piece
    is_liked: bool
    is_tried_on: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """What a visitor wants to spend, in minor units; None where nothing was said."""

    minimum_minor: int | None = None
    maximum_minor: int | None = None
    currency_code: str = ""


NO_BUDGET = Budget()


@dataclass(frozen=True, slots=True)
class Visit:
    """A client came in."""

    visit_id: str
    client_id: str
    store_id: str
    associate_id: str
    visited_at: datetime
    items: tuple[VisitItem, ...]
    for_whom: str
    needed_by: date | None
    note: str
    created_at: datetime
    occasion_kind: OccasionKind | None = None
    budget: Budget = NO_BUDGET
    companion: str = ""
    recipient_client_id: str = ""
    surprise: Surprise = NO_SURPRISE

    @property
    def liked_count(self) -> int:
        """Return how many of the pieces were liked."""
        return sum(item.is_liked for item in self.items)

    @property
    def tried_on_count(self) -> int:
        """Return how many of the pieces were tried on."""
        return sum(item.is_tried_on for item in self.items)


def one_currency(currencies: Sequence[str]) -> str:
    """Return the currency of all lines. Raises CURRENCY_MIXED on the first line that has another one."""
    for index, currency in enumerate(currencies):
        if currency != currencies[0]:
            raise invalid(
                f"lines[{index}].amount.currency_code",
                f"is {currency}, the lines before are in {currencies[0]}",
                reason="CURRENCY_MIXED",
            )
    return currencies[0]


def require_budget(minimum: tuple[int, str] | None, maximum: tuple[int, str] | None) -> Budget:
    """Return the budget between two amounts, in minor units with their currencies; None for an end that is open.

    Raises CURRENCY_MISMATCH, and INVALID for an amount below 0 and a maximum below the minimum.
    """
    for name, end in (("minimum_budget", minimum), ("maximum_budget", maximum)):
        if end is not None and end[0] < 0:
            raise invalid(name, "is below 0")
    if minimum is not None and maximum is not None:
        if minimum[1] != maximum[1]:
            raise invalid(
                "maximum_budget.currency_code",
                f"is {maximum[1]}, the minimum is in {minimum[1]}",
                reason="CURRENCY_MISMATCH",
            )
        if maximum[0] < minimum[0]:
            raise invalid("maximum_budget", "is below minimum_budget")
    known = minimum or maximum
    return NO_BUDGET if known is None else Budget(minimum and minimum[0], maximum and maximum[0], known[1])


def purchase_summary(quantity: int, total_minor: int, currency_code: str, digits: int) -> str:
    """Say a purchase in one line; `digits` are those behind the point of the currency."""
    pieces = "1 piece" if quantity == 1 else f"{quantity} pieces"
    if total_minor < 0:
        return return_summary(quantity, -total_minor, currency_code, digits)
    return f"Bought {pieces} for {currency_code} {_decimal(total_minor, digits)}"


def return_summary(
    quantity: int, total_minor: int, currency_code: str, digits: int, *, is_exchange: bool = False
) -> str:
    """Say in one line what came back; `total_minor` is positive."""
    pieces = "1 piece" if quantity == 1 else f"{quantity} pieces"
    verb = "Exchanged" if is_exchange else "Returned"
    return f"{verb} {pieces} for {currency_code} {_decimal(total_minor, digits)}"


def visit_summary(visit: Visit) -> str:
    """Say a visit in one line."""
    if not visit.items:
        return "Came in"
    count = len(visit.items)
    parts = [f"Came in and looked at {count} piece{'' if count == 1 else 's'}"]
    if visit.tried_on_count:
        parts.append(f"tried on {visit.tried_on_count}")
    if visit.liked_count:
        parts.append(f"liked {visit.liked_count}")
    return ", ".join(parts)


def _decimal(minor: int, digits: int) -> str:
    if not digits:
        return str(minor)
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}}"
