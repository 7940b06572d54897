"""References: the models of a brand that clients wait for. Must not know who waits."""

from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, invalid

_HIGHEST_PRICE = 10**15  # minor units; beyond it somebody mistyped, and the database's numbers end


@dataclass(frozen=True)
class Reference:
    """A model of a brand; `price_minor` is in minor units of `currency`, both None where no price is known."""

    reference_id: str
    brand_id: str
    code: str
    display_name: str
    price_minor: int | None
    currency: str | None
    created_at: datetime


def require_price(minor: int) -> None:
    """Refuse a price below zero or beyond all watches."""
    if not 0 <= minor <= _HIGHEST_PRICE:
        raise invalid("price", "is not a price: it is below zero or far too high")


class ReferenceTaken(ServiceError):
    """The brand has a reference with this code already."""

    def __init__(self, brand_id: str, code: str) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "REFERENCE_TAKEN",
            "The brand has a reference with this code already.",
            metadata={"brand_id": brand_id, "code": code},
        )
