"""What lies in the stores' cases: the catalogue that associates show from. Invented, and equal for equal seeds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from carnet_local.seed.pieces import (
    JEWELLERS,
    WATCHES,
    Piece,
    Taste,
    engagement_ring,
    gift,
    wedding_bands,
)

NEWS = JEWELLERS[1]
"""The brand whose new collection came in some days ago."""
_NEWS_DAYS_AGO = 3
_SEED = 20_170_302
_KINDS = ((engagement_ring, 24), (wedding_bands, 12), (gift, 60))


@dataclass(frozen=True)
class Shown:
    """A piece of the catalogue: how many of it each store has, by the store's place, and since when."""

    code: str
    name: str
    piece: Piece
    stock: Sequence[int]
    days_ago: int
    collection: str = ""


def showcase(stores: int) -> list[Shown]:
    """Draw what so many stores have: each piece is in one of them, every third in all."""
    chance = random.Random(_SEED)  # noqa: S311 - a story, not a secret
    drawn = [
        made(chance, Taste.of(chance, chance.choice((1, 2, 2, 3, 4))))
        for made, count in _KINDS
        for _ in range(count)
    ]
    shown = [_shown(chance, number, piece, stores) for number, piece in enumerate(drawn)]
    # Those that nobody has to wait for.
    shown += [
        Shown(
            watch.code,
            watch.name,
            Piece("watch", watch.name, watch.price, brand=watch.brand, metal="steel", reference=watch.code),
            [1] * stores,
            _some_time(chance),
        )
        for watch in WATCHES[2:]
    ]
    return shown


def _shown(chance: random.Random, number: int, piece: Piece, stores: int) -> Shown:
    stock = [1 if number % 3 == 2 or number % stores == store else 0 for store in range(stores)]
    is_news = piece.brand == NEWS and number % 2 == 0
    return Shown(
        code=f"MV-{1_001 + number}",
        name=_name(piece),
        piece=piece,
        stock=stock,
        days_ago=_NEWS_DAYS_AGO if is_news else _some_time(chance),
        collection="Winter garden" if is_news else "",
    )


def _some_time(chance: random.Random) -> int:
    return chance.randint(60, 700)


def _name(piece: Piece) -> str:
    name = f"{piece.description}, {piece.metal}" if piece.category != "wedding band" else piece.description
    return name[0].upper() + name[1:]
