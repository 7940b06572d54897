"""Pieces from the case: what was bought and what was looked at, and the words for it on a timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import invalid
from profiles.domain.clients import OccasionKind


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing from the case, as specific as is known; the price in minor units."""

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


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """A bought piece; `amount_minor` is what was paid for the line, negative for a return."""

    piece: Piece
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a client bought at once; amounts in minor units of `currency_code`."""

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

    @property
    def liked_count(self) -> int:
        """Return how many of the pieces were liked."""
        return sum(item.is_liked for item in self.items)


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


def purchase_summary(quantity: int, total_minor: int, currency_code: str, digits: int) -> str:
    """Say a purchase in one line; `digits` are those behind the point of the currency."""
    pieces = "1 piece" if quantity == 1 else f"{quantity} pieces"
    if total_minor < 0:
        return f"Returned {pieces} for {currency_code} {_decimal(-total_minor, digits)}"
    return f"Bought {pieces} for {currency_code} {_decimal(total_minor, digits)}"


def visit_summary(visit: Visit) -> str:
    """Say a visit in one line."""
    if not visit.items:
        return "Came in"
    count = len(visit.items)
    seen = f"Came in and looked at {count} piece{'' if count == 1 else 's'}"
    return f"{seen}, liked {visit.liked_count}" if visit.liked_count else seen


def _decimal(minor: int, digits: int) -> str:
    if not digits:
        return str(minor)
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}}"
