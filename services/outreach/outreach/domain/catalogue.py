"""Pieces that can be shown, as the chain's own systems tell of them, with their stock.

What a piece must be like to be taken is decided here; how well one suits a client is in `recommendations`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import Kind, ServiceError, Violation, invalid
from outreach.domain.words import words_of

TEXTS = (
    "code",
    "display_name",
    "brand_id",
    "collection",
    "reference",
    "category",
    "metal",
    "stone",
    "cut",
    "style",
    "size",
    "set_code",
    "image_url",
)

_SEARCHED = (
    "display_name",
    "code",
    "collection",
    "reference",
    "category",
    "metal",
    "stone",
    "cut",
    "style",
    "set_code",
)


class PieceStoreUnknown(ServiceError):
    """A piece has stock in a store that the chain does not have; nothing of the call was taken."""

    def __init__(self, field: str, store_id: str) -> None:
        super().__init__(
            Kind.NOT_FOUND,
            "STORE_NOT_FOUND",
            f"{field}: There is no store with this id.",
            metadata={"store_id": store_id},
            violations=[Violation(field, "is no store of this chain")],
        )


@dataclass(frozen=True)
class GivenStock:
    """How many of a piece a store has; `arrived_on` is None where nobody says since when."""

    store_id: str
    quantity: int
    arrived_on: date | None = None


@dataclass(frozen=True)
class GivenPiece:
    """A piece as a caller tells of it. The price is in minor units, None where it is not said."""

    code: str
    display_name: str
    brand_id: str
    collection: str
    reference: str
    category: str
    metal: str
    stone: str
    cut: str
    style: str
    size: str
    set_code: str
    image_url: str
    price_minor: int | None
    currency: str
    stock: tuple[GivenStock, ...]

    @property
    def fingerprint(self) -> str:
        """Return what is the same for two tellings that are the same, whatever they say of arrive dates."""
        parts = [getattr(self, name) for name in TEXTS]
        parts += ["" if self.price_minor is None else str(self.price_minor), self.currency]
        for there in sorted((one.store_id, one.quantity) for one in self.stock if one.quantity):
            parts += [there[0], str(there[1])]
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()

    @property
    def words(self) -> list[str]:
        """Return the words by which it is found, each once."""
        return list(dict.fromkeys(word for name in _SEARCHED for word in words_of(getattr(self, name))))


@dataclass(frozen=True)
class Stock:
    """What of a piece is in a store now, and since when."""

    store_id: str
    quantity: int
    arrived_on: date


@dataclass(frozen=True)
class Piece:
    """A piece of the catalogue."""

    piece_id: str
    code: str
    display_name: str
    brand_id: str
    collection: str
    reference: str
    category: str
    metal: str
    stone: str
    cut: str
    style: str
    size: str
    set_code: str
    image_url: str
    price_minor: int | None
    currency: str
    stock: tuple[Stock, ...]
    created_at: datetime
    updated_at: datetime


def check_pieces(pieces: Sequence[GivenPiece], *, today: date) -> None:
    """Refuse pieces that are not right, naming the first one's index and field."""
    seen: dict[str, int] = {}
    for index, piece in enumerate(pieces):
        field = f"pieces[{index}]"
        for name in TEXTS:
            if "\0" in getattr(piece, name):
                raise invalid(f"{field}.{name}", "must not contain the character NUL")
        for name in ("code", "display_name"):
            if not getattr(piece, name):
                raise invalid(f"{field}.{name}", "must not be blank")
        first = seen.setdefault(piece.code, index)
        if first != index:
            raise invalid(f"{field}.code", f"is the code of pieces[{first}] already")
        if piece.price_minor is not None and piece.price_minor <= 0:
            raise invalid(f"{field}.price", "must be above zero; leave it out where it is not known")
        if piece.image_url and not piece.image_url.startswith(("https://", "http://")):
            raise invalid(f"{field}.image_url", "must begin with https:// or http://")
        _check_stock(piece.stock, field, today)


def _check_stock(stock: Sequence[GivenStock], field: str, today: date) -> None:
    seen: set[str] = set()
    for index, there in enumerate(stock):
        if there.store_id in seen:
            raise invalid(f"{field}.stock[{index}].store_id", "is named twice")
        seen.add(there.store_id)
        if there.arrived_on is not None and there.arrived_on > today:
            raise invalid(f"{field}.stock[{index}].arrive_date", "has not come yet")
