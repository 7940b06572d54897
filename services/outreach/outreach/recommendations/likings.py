"""What is known of a client's taste, as far as it may be used for the client's own view.

Texts are keys: folded, so that `Yellow Gold` and `yellow gold` are one. Money is minor units of the chain's currency.
"""

import enum
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

ATTRIBUTES = ("brand", "category", "metal", "stone")

# A piece that one chose says more than one that was given, or chosen for somebody else.
_OWN, _OTHERS = 1.0, 0.5
# As if one more piece of something else were known: the first piece does not say everything.
_DOUBT = 1.0
# Said in so many words, however many pieces say otherwise.
_PREFERRED_SHARE = 0.8


class Whose(enum.StrEnum):
    """How a piece that is known came to the client."""

    OWN = "own"
    GIVEN = "given"
    # Bought by the client for somebody else.
    FOR_OTHERS = "for_others"


@dataclass(frozen=True)
class Owned:
    """A piece that was bought by or for the client; `set_key` and `name` are empty where the catalogue has it not."""

    day: date
    whose: Whose = Whose.OWN
    brand: str = ""
    reference: str = ""
    category: str = ""
    metal: str = ""
    stone: str = ""
    unit_minor: int | None = None
    set_key: str = ""
    name: str = ""


@dataclass(frozen=True)
class Wish:
    """What the client wishes for, as specific as is known; `is_secret` while somebody grants it as a surprise."""

    brand: str = ""
    reference: str = ""
    category: str = ""
    metal: str = ""
    stone: str = ""
    is_secret: bool = False


@dataclass(frozen=True)
class Occasion:
    """A day ahead; `kind` and `relationship` are the contract's numbers, `years` how many it has come, 0 unknown."""

    kind: int
    relationship: int
    day: date
    days_ahead: int
    years: int = 0


@dataclass(frozen=True)
class PriceBand:
    """What the client, or the chain's clients, usually spend on a piece."""

    low: int
    high: int
    # Said by the client, not counted.
    is_said: bool = False
    is_chain: bool = False


@dataclass(frozen=True)
class Size:
    """How large a ring (inner circumference) or what goes around the wrist has to be, in millimetres."""

    is_ring: bool
    millimetres: float
    said: str


@dataclass(frozen=True)
class Share:
    """How much of what is known has an attribute, in words as well."""

    share: float
    words: str


@dataclass(frozen=True)
class Likings:
    """Everything that a recommendation may use."""

    owned: Sequence[Owned] = ()
    # What must not be shown again, beside what is owned: brand and reference.
    withheld: frozenset[tuple[str, str]] = frozenset()
    wishes: Sequence[Wish] = ()
    # The nearest first.
    occasions: Sequence[Occasion] = ()
    # (attribute, value): those of ATTRIBUTES, cut and style. A brand is an id, or a folded name.
    preferences: frozenset[tuple[str, str]] = frozenset()
    dislikes: frozenset[str] = frozenset()
    sizes: Sequence[Size] = ()
    band: PriceBand | None = None
    currency: str = ""

    @cached_property
    def is_blank(self) -> bool:
        """Return whether nothing is known that tells one piece from another but its price."""
        return not (self.owned or self.wanted or self.preferences or self.occasions)

    @cached_property
    def wanted(self) -> tuple[Wish, ...]:
        """Return the wishes that may be spoken of."""
        return tuple(wish for wish in self.wishes if not wish.is_secret)

    @cached_property
    def shares(self) -> dict[str, dict[str, Share]]:
        """Return by attribute and value how much of what is known has it."""
        found: dict[str, dict[str, Share]] = {}
        for attribute in ATTRIBUTES:
            weights: dict[str, float] = defaultdict(float)
            counts: Counter[str] = Counter()
            for piece in self.owned:
                if value := getattr(piece, attribute):
                    weights[value] += _OWN if piece.whose is Whose.OWN else _OTHERS
                    counts[value] += 1
            total, pieces = sum(weights.values()) + _DOUBT, sum(counts.values())
            shares = {
                value: Share(
                    weight / total, f"{counts[value]} of {pieces} {'piece' if pieces == 1 else 'pieces'}"
                )
                for value, weight in weights.items()
            }
            for kind, value in self.preferences:
                known = shares.get(value)
                if kind == attribute and (known is None or known.share < _PREFERRED_SHARE):
                    shares[value] = Share(_PREFERRED_SHARE, "preferred")
            found[attribute] = shares
        return found

    def strongest(self, attribute: str, most: int) -> list[str]:
        """Return the values of an attribute with the largest shares."""
        shares = self.shares[attribute]
        return sorted(shares, key=lambda value: (-shares[value].share, value))[:most]

    def has_already(self, brand: str, reference: str) -> bool:
        """Return whether the same piece is there already, or is not to be shown; one brand may be unknown."""
        brands = self._brands_of_references.get(reference) if reference else None
        return brands is not None and (not brand or brand in brands or "" in brands)

    @cached_property
    def _brands_of_references(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for brand, reference in self.withheld | {(piece.brand, piece.reference) for piece in self.owned}:
            found.setdefault(reference, set()).add(brand)
        return found


def band_of(pieces: Sequence[Owned]) -> PriceBand | None:
    """Return the middle half of what pieces cost, wider for a single one; None where no price is known."""
    paid = sorted(
        piece.unit_minor for piece in pieces if piece.unit_minor is not None and piece.unit_minor > 0
    )
    return middle_half(paid)


def middle_half(paid: Sequence[int]) -> PriceBand | None:
    """Return the band between the quartiles of sorted amounts."""
    if not paid:
        return None
    if len(paid) == 1:
        return PriceBand(paid[0] // 2, paid[0] * 2)
    return PriceBand(paid[(len(paid) - 1) // 4], paid[-1 - (len(paid) - 1) // 4])
