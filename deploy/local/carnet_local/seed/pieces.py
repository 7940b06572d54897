"""Invented pieces: what a ring, a gift or a watch is like, and what it costs. Pure, and equal for equal seeds."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

MAISON = "Atelier Corvane"
"""The house's own brand."""
JEWELLERS = ("Lumière Dorsay", "Isolde & Brack")
WATCHMAKERS = ("Halvorsen Genève", "Tamarack Chronometer")
PARTNER = WATCHMAKERS[0]
"""The brand that follows its pieces through a partner's key."""
BRANDS = (MAISON, *JEWELLERS, *WATCHMAKERS)

METALS = ("18k yellow gold", "18k white gold", "18k rose gold", "platinum")
STONES = ("diamond", "sapphire", "emerald", "ruby", "pearl", "aquamarine", "tanzanite")
CUTS = ("round brilliant", "oval", "emerald cut", "cushion", "pear", "princess")
STYLES = ("solitaire", "halo", "three-stone", "pavé", "vintage", "bezel")


@dataclass(frozen=True)
class Watch:
    """A reference that is scarce enough to wait for."""

    brand: str
    code: str
    name: str
    price: int


WATCHES = (
    Watch(PARTNER, "HV-410.021", "Fjordmaster 41 steel, blue dial", 9_800),
    Watch(PARTNER, "HV-388.007", "Nocturne moonphase, rose gold", 27_500),
    Watch(WATCHMAKERS[1], "TC-2040", "Portage GMT", 6_400),
    Watch(WATCHMAKERS[1], "TC-1176", "Canoe 36 two-tone", 7_900),
)


@dataclass(frozen=True)
class Piece:
    """One thing from the case; the price in dollars."""

    category: str
    description: str
    price: int
    brand: str = MAISON
    metal: str = ""
    stone: str = ""
    cut: str = ""
    style: str = ""
    size: str = ""
    reference: str = ""
    serial: str = ""


@dataclass(frozen=True)
class Taste:
    """What one client keeps coming back to."""

    metal: str
    stone: str
    cut: str
    style: str
    ring_size: str
    # 1 buys from the lower end of everything, 4 from the upper.
    band: int

    @classmethod
    def of(cls, chance: random.Random, band: int) -> Taste:
        """Draw a taste."""
        size = f"{chance.choice(range(9, 17)) / 2:g}"
        metal, stone, cut, style = (chance.choice(each) for each in (METALS, STONES, CUTS, STYLES))
        return cls(metal, stone, cut, style, size, band)


def engagement_ring(chance: random.Random, taste: Taste) -> Piece:
    """Draw an engagement ring; the stone is nearly always a diamond."""
    stone = "diamond" if chance.random() < 0.85 else taste.stone
    return Piece(
        "engagement ring",
        f"{taste.style} ring, {taste.cut} {stone}",
        _price(chance, 3_200, 14_000, taste),
        brand=chance.choice((MAISON, *JEWELLERS)),
        metal=taste.metal,
        stone=stone,
        cut=taste.cut,
        style=taste.style,
        size=taste.ring_size,
    )


def wedding_bands(chance: random.Random, taste: Taste) -> Piece:
    """Draw a pair of wedding bands in the metal of the engagement ring."""
    return Piece(
        "wedding band",
        f"pair of bands, {taste.metal}",
        _price(chance, 1_100, 4_200, taste),
        metal=taste.metal,
        style=chance.choice(("plain", "milgrain", "pavé")),
        size=taste.ring_size,
    )


def gift(chance: random.Random, taste: Taste) -> Piece:
    """Draw a gift for a birthday, an anniversary or no reason."""
    category = chance.choices(("earrings", "pendant", "bracelet", "ring"), (4, 4, 3, 2))[0]
    stone = taste.stone if chance.random() < 0.6 else chance.choice(STONES)
    piece = Piece(
        category,
        f"{stone} {category}",
        _price(chance, 240, 3_900, taste),
        brand=chance.choice((MAISON, MAISON, *JEWELLERS)),
        metal=taste.metal if chance.random() < 0.7 else chance.choice(METALS),
        stone=stone,
        cut=chance.choice(CUTS),
        style=taste.style,
    )
    return replace(piece, size=taste.ring_size) if category == "ring" else piece


def watch(chance: random.Random, taste: Taste) -> Piece:
    """Draw a watch with its reference and serial."""
    model = chance.choice(WATCHES if taste.band >= 3 else WATCHES[2:])
    serial = f"{model.code.partition('-')[0]}{chance.randrange(100_000, 999_999)}"
    return Piece(
        "watch", model.name, model.price, brand=model.brand, metal="steel",
        reference=model.code, serial=serial,
    )  # fmt: skip


def _price(chance: random.Random, low: int, high: int, taste: Taste) -> int:
    # Most pieces are sold from the lower half of a case; the band moves the whole span.
    share = chance.betavariate(0.9, 3.2)
    price = (low + share * (high - low)) * (0.8, 1.0, 1.3, 1.7)[taste.band - 1]
    if chance.random() < 0.12:  # a round birthday, a good year
        price *= 2.5
    return round(price / 10) * 10
