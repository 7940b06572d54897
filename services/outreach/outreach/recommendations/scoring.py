"""Score pieces for a client: every part of a score has a reason in words, and the parts add up to it.

Parts and their most points: a wish 40, the same set or bands for a ring 20, taste 42 (brand 12, category, metal and
stone 8 each, cut and style 3 each), price 10, the occasion ahead 10, size 8, newness 6. Nothing is learned here: the
points are a stated order of what an associate would say first. What is owned, withheld or disliked is left out, and so
is what one buys once. Same inputs, same result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from outreach.domain.words import fold
from outreach.recommendations import bridal, sizes, stones
from outreach.recommendations.likings import Likings, PriceBand, Whose, Wish

WISH_POINTS, WISH_LIKE_POINTS = 40.0, 25.0
SET_POINTS, SET_FOR_OTHERS_POINTS = 20.0, 10.0
TASTE_POINTS = {"brand": 12.0, "category": 8.0, "metal": 8.0, "stone": 8.0}
PREFERRED_POINTS = {"cut": 3.0, "style": 3.0}
PRICE_POINTS = 10.0
OCCASION_POINTS = 10.0
SIZE_POINTS, NEAR_SIZE_POINTS = 8.0, 4.0
NEW_POINTS, NEW_DAYS = 6.0, 30
_SAYS_LITTLE = frozenset({"price", "size", "new"})
_FITS_MM, _CAN_BE_SIZED_MM = 0.8, 6.0

# carnet.profiles.v1.OccasionKind and RelationshipKind.
BIRTHDAY, ANNIVERSARY, ENGAGEMENT = 1, 2, 3
_RELATIONSHIPS = {
    1: "spouse",
    2: "partner",
    3: "child",
    4: "parent",
    5: "sibling",
    6: "friend",
    7: "colleague",
}
_RINGS = ("ring", "anillo", "sortija", "bague", "anneau", "alliance", "solitaire", "solitario")
_WRISTS = (
    "bracelet",
    "bangle",
    "watch",
    "pulsera",
    "brazalete",
    "reloj",
    "montre",
    "armband",
    "armreif",
    "uhr",
)


@dataclass(frozen=True)
class ShelfPiece:
    """A piece that is in the store now; `_key` is folded, the rest as the chain says it."""

    piece_id: str
    display_name: str
    collection: str
    brand: str
    category: str
    metal: str
    stone: str
    cut: str
    style: str
    size: str
    reference_key: str
    category_key: str
    metal_key: str
    stone_key: str
    set_key: str
    price_minor: int | None
    currency: str
    arrived_on: date


@dataclass(frozen=True)
class Part:
    """A part of why a piece suits: its kind, in words, and its points."""

    kind: str
    sentence: str
    contribution: float


@dataclass(frozen=True)
class Scored:
    """A piece with its score; the parts add up to it, the largest first."""

    piece: ShelfPiece
    score: float
    parts: tuple[Part, ...]

    @property
    def is_telling(self) -> bool:
        """Return whether it says more than a price, a size and a date, which suit anybody."""
        return any(part.kind not in _SAYS_LITTLE for part in self.parts)


def recommend(pieces: Sequence[ShelfPiece], likings: Likings, as_of: date, *, most: int) -> Sequence[Scored]:
    """Return the best `most` pieces for a client, best first; the newer first where two are as good."""
    scored = [
        score_piece(piece, likings, as_of) for piece in pieces if not _is_left_out(piece, likings, as_of)
    ]
    telling = [one for one in scored if one.is_telling]
    order = sorted(
        telling or scored,
        key=lambda one: (-one.score, -one.piece.arrived_on.toordinal(), one.piece.piece_id),
    )
    return order[:most]


def score_piece(piece: ShelfPiece, likings: Likings, as_of: date) -> Scored:
    """Return a piece with the parts of its score."""
    found = (
        _wish(piece, likings),
        _set(piece, likings) or _bands(piece, likings, as_of),
        _taste(piece, likings),
        _price(piece, likings),
        _occasion(piece, likings),
        _size(piece, likings),
        _newness(piece, as_of),
    )
    parts = tuple(sorted((part for part in found if part), key=lambda part: -part.contribution))
    return Scored(piece, round(sum(part.contribution for part in parts), 2), parts)


def is_wished(wish: Wish, piece: ShelfPiece) -> bool:
    """Return whether a wish means a piece: its reference, else all it says, which must be more than a category."""
    if wish.reference:
        return wish.reference == piece.reference_key and (
            not wish.brand or not piece.brand or wish.brand == piece.brand
        )
    if not wish.category or not (wish.brand or wish.metal or wish.stone):
        return False
    said = (
        (wish.brand, piece.brand),
        (wish.category, piece.category_key),
        (wish.metal, piece.metal_key),
        (wish.stone, piece.stone_key),
    )
    return all(not wished or wished == there for wished, there in said)


def _is_left_out(piece: ShelfPiece, likings: Likings, as_of: date) -> bool:
    if likings.has_already(piece.brand, piece.reference_key):
        return True
    if any(wish.is_secret and is_wished(wish, piece) for wish in likings.wishes):
        return True
    if bridal.is_done(piece.category_key, likings.owned, as_of):
        return not any(is_wished(wish, piece) for wish in likings.wanted)
    if not likings.dislikes:
        return False
    attributes = {piece.category_key, piece.metal_key, piece.stone_key, fold(piece.style), fold(piece.cut)}
    return bool(likings.dislikes & attributes)


def _wish(piece: ShelfPiece, likings: Likings) -> Part | None:
    best: Part | None = None
    for wish in likings.wanted:
        if not is_wished(wish, piece):
            continue
        if wish.reference:
            return Part("wish", "On the wishlist: this very reference.", WISH_POINTS)
        words = _listed([words for words in (piece.metal, piece.stone) if words] or ["the brand"])
        best = Part(
            "wish", f"On the wishlist: {_article(piece.category)} like this ({words}).", WISH_LIKE_POINTS
        )
    return best


def _set(piece: ShelfPiece, likings: Likings) -> Part | None:
    if not piece.set_key:
        return None
    there = [one for one in likings.owned if one.set_key == piece.set_key]
    if not there:
        return None
    newest = max(there, key=lambda one: (one.whose is not Whose.FOR_OTHERS, one.day, one.name))
    name = f"“{newest.name}”" if newest.name else "a piece"
    if newest.whose is Whose.FOR_OTHERS:
        sentence = f"Of one set with {name}, bought for somebody else on {_day(newest.day)}."
        return Part("set", sentence, SET_FOR_OTHERS_POINTS)
    how = "bought" if newest.whose is Whose.OWN else "given"
    return Part("set", f"Completes the set with {name}, {how} on {_day(newest.day)}.", SET_POINTS)


def _bands(piece: ShelfPiece, likings: Likings, as_of: date) -> Part | None:
    if bridal.kind_of(piece.category_key) is not bridal.Bridal.WEDDING:
        return None
    ring = bridal.ring_without_bands(likings.owned, as_of)
    if ring is None:
        return None
    how = "given" if ring.whose is Whose.GIVEN else "bought"
    return Part("set", f"Goes with the engagement ring, {how} on {_day(ring.day)}.", SET_POINTS)


def _taste(piece: ShelfPiece, likings: Likings) -> Part | None:
    points, said = 0.0, []
    keys = {"category": piece.category_key, "metal": piece.metal_key, "stone": piece.stone_key}
    shown = {"category": piece.category, "metal": piece.metal, "stone": piece.stone}
    brand = likings.shares["brand"].get(piece.brand) if piece.brand else None
    if brand is None and (named := _named_brand(piece, likings)):
        brand = likings.shares["brand"][named]
    if brand is not None:
        points += TASTE_POINTS["brand"] * brand.share
        said.append(f"the brand ({brand.words})")
    for attribute, key in keys.items():
        if key and (share := likings.shares[attribute].get(key)):
            points += TASTE_POINTS[attribute] * share.share
            said.append(f"{shown[attribute].lower()} ({share.words})")
    for attribute, value in (("cut", piece.cut), ("style", piece.style)):
        if value and (attribute, fold(value)) in likings.preferences:
            points += PREFERRED_POINTS[attribute]
            said.append(f"{value.lower()} (preferred)")
    points = round(points, 2)
    return Part("taste", f"To the taste that is known: {_listed(said)}.", points) if points else None


def _named_brand(piece: ShelfPiece, likings: Likings) -> str:
    """Return the preferred brand whose name stands in the piece's, for preferences that say a name and not an id."""
    names = [value for kind, value in likings.preferences if kind == "brand"]
    if not names:
        return ""
    words = f" {fold(piece.display_name)} {fold(piece.collection)} "
    return next((name for name in sorted(names) if f" {name} " in words), "")


def _price(piece: ShelfPiece, likings: Likings) -> Part | None:
    band = likings.band
    if band is None or piece.price_minor is None or piece.currency != likings.currency:
        return None
    nearness = nearness_to(band, piece.price_minor)
    points = round(PRICE_POINTS * nearness, 2)
    if not points:
        return None
    if band.is_chain:
        whose = "what clients here usually spend on a piece"
    else:
        whose = "the price band that was named" if band.is_said else "what is usually spent on a piece"
    return Part("price", f"{'Within' if nearness == 1 else 'Near'} {whose}.", points)


def nearness_to(band: PriceBand, price: int) -> float:
    """Return 1 within the band, and less in step with the distance: 0 at half of its low and double its high end."""
    if price < band.low:
        return max(0.0, (price - band.low / 2) / (band.low / 2))
    if price > band.high:
        return max(0.0, (2 * band.high - price) / band.high)
    return 1.0


def _occasion(piece: ShelfPiece, likings: Likings) -> Part | None:
    for occasion in likings.occasions:
        whose = _RELATIONSHIPS.get(occasion.relationship, "somebody close") if occasion.relationship else ""
        of_whom = f" of {'' if whose == 'somebody close' else 'the '}{whose}" if whose else ""
        when = f"on {occasion.day.day} {occasion.day:%B}"
        if occasion.kind == BIRTHDAY:
            for name in stones.of_month(occasion.day.month):
                if stones.is_called(name, piece.stone_key):
                    sentence = f"Birthday{of_whom} {when}: {name} is the stone of {occasion.day:%B}."
                    return Part("occasion", sentence, OCCASION_POINTS)
        if occasion.kind == ANNIVERSARY and (name := stones.of_year(occasion.years)):
            key = piece.metal_key if name in stones.METALS else piece.stone_key
            if stones.is_called(name, key):
                sentence = f"Anniversary{of_whom} {when}, the {_ordinal(occasion.years)}: known for {name}."
                return Part("occasion", sentence, OCCASION_POINTS)
        is_ring = _is_one_of(piece.category_key, _RINGS)
        if occasion.kind == ENGAGEMENT and is_ring and stones.is_called("diamond", piece.stone_key):
            return Part("occasion", f"Engagement{of_whom} {when}: a ring with a diamond.", OCCASION_POINTS)
    return None


def _size(piece: ShelfPiece, likings: Likings) -> Part | None:
    if not piece.size or not likings.sizes:
        return None
    is_ring = _is_one_of(piece.category_key, _RINGS)
    if not is_ring and not _is_one_of(piece.category_key, _WRISTS):
        return None
    size = sizes.millimetres(piece.size, is_ring=is_ring)
    if size is None:
        return None
    fitting = [(abs(one.millimetres - size), one.said) for one in likings.sizes if one.is_ring == is_ring]
    if not fitting:
        return None
    distance, said = min(fitting)
    if distance <= _FITS_MM:
        return Part("size", f"Fits as it is: size {piece.size}, noted is {said}.", SIZE_POINTS)
    if is_ring and distance <= _CAN_BE_SIZED_MM:
        return Part("size", f"Can be sized: it is {piece.size}, noted is {said}.", NEAR_SIZE_POINTS)
    return None


def _newness(piece: ShelfPiece, as_of: date) -> Part | None:
    age = max(0, (as_of - piece.arrived_on).days)
    points = round(NEW_POINTS * (1 - age / NEW_DAYS), 2)
    if points <= 0:
        return None
    when = "today" if age == 0 else "yesterday" if age == 1 else f"{age} days ago"
    return Part("new", f"New in the store: came in {when}.", points)


@lru_cache(maxsize=8192)
def _is_one_of(category_key: str, words: tuple[str, ...]) -> bool:
    """Return whether a category says one of the words: `engagement rings` is a ring, `earrings` are none."""
    return any(
        part in (word, f"{word}s") for part in category_key.replace("-", " ").split() for word in words
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _article(category: str) -> str:
    return f"{'an' if category[:1].lower() in tuple('aeiou') else 'a'} {category.lower()}"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
