"""How much a client matters: recency, frequency and money of those who bought, parted into shares.

Jewelry is sparse: nearly all bought once, so frequency alone parts nobody, and fixed bands of each part would leave
most of the chain in one of them. Each part is instead the share of the chain's buyers that the client is ahead of, and
the three together, weighed, are parted at the shares that the chain asks for: the best fifth is top.
Where buyers stand is kept as a scale of quantiles, so that one client alone is judged as among all.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from outreach.domain import Tier
from outreach.domain.settings import TierBands
from outreach.signals.book import Book, Integers

Floats = npt.NDArray[np.float64]
Tiers = npt.NDArray[np.int8]

TIERS: tuple[Tier, ...] = tuple(Tier)
_TOP, _MIDDLE, _BASE, _PROSPECT = (np.int8(TIERS.index(tier)) for tier in TIERS)

# A single piece may be worth ten of another, so money weighs most; with one purchase each, frequency says least.
RECENCY_WEIGHT = 0.3
FREQUENCY_WEIGHT = 0.2
MONEY_WEIGHT = 0.5
LEAST_CLIENTS = 10  # fewer cannot be parted: all who bought are top
MOST_CLIENTS = 100_000  # of more, every so many-th says the same
GRID = 100
CUTS = 200


@dataclass(frozen=True)
class TierScale:
    """Quantiles over the clients of a chain who bought: last purchase days, purchase days, minor units, and the sum.

    The first three have GRID points from the least up, the sum CUTS + 1.
    """

    last_purchase: tuple[int, ...]
    purchase_days: tuple[int, ...]
    total_minor: tuple[int, ...]
    standing: tuple[float, ...]

    @classmethod
    def read(cls, document: dict[str, Any]) -> "TierScale":
        """Return the scale that `document` wrote."""
        return cls(**{name: tuple(points) for name, points in document.items()})

    def document(self) -> dict[str, Any]:
        """Return the scale as JSON holds it."""
        return asdict(self)


def scale_of(book: Book) -> TierScale | None:
    """Return where the buyers of a chain stand; None with fewer than LEAST_CLIENTS of them."""
    at = np.flatnonzero(book.purchase_days > 0)
    if len(at) < LEAST_CLIENTS:
        return None
    at = at[:: -(-len(at) // MOST_CLIENTS)]
    bare = TierScale(
        last_purchase=_points(book.last_purchase[at]),
        purchase_days=_points(book.purchase_days[at]),
        total_minor=_points(book.total_minor[at]),
        standing=(),
    )
    standing = np.sort(_standing(bare, book, at))
    cuts = np.minimum(np.arange(CUTS + 1) * len(at) // CUTS, len(at) - 1)
    return replace(bare, standing=tuple(standing[cuts].tolist()))


def tiers_of(book: Book, at: Integers, scale: TierScale | None, bands: TierBands) -> Tiers:
    """Return the tiers of clients at some positions, as positions in TIERS."""
    bands = bands.in_force()
    if scale is None:
        return np.where(book.purchase_days[at] > 0, _TOP, _PROSPECT)
    standing = _standing(scale, book, at)
    top = scale.standing[round((1 - bands.top_share) * CUTS)]
    middle = scale.standing[max(round((1 - bands.top_share - bands.middle_share) * CUTS), 0)]
    tier = np.where(standing >= top, _TOP, np.where(standing >= middle, _MIDDLE, _BASE))
    return np.where(book.purchase_days[at] > 0, tier, _PROSPECT)


def tier_of_one(book: Book, scale: TierScale | None, bands: TierBands) -> Tier:
    """Return the tier of the only client of a book."""
    return TIERS[int(tiers_of(book, np.zeros(1, dtype=np.int64), scale, bands)[0])]


def _points(column: Integers) -> tuple[int, ...]:
    return tuple(np.sort(column)[np.arange(GRID) * len(column) // GRID].tolist())


def _standing(scale: TierScale, book: Book, at: Integers) -> Floats:
    """Return the weighed share of buyers that each client is ahead of, from 0 to 1."""
    total = np.zeros(len(at))
    for points, column, weight in (
        (scale.last_purchase, book.last_purchase, RECENCY_WEIGHT),
        (scale.purchase_days, book.purchase_days, FREQUENCY_WEIGHT),
        (scale.total_minor, book.total_minor, MONEY_WEIGHT),
    ):
        ahead = np.searchsorted(np.asarray(points, dtype=np.int64), column[at], side="left")
        total += ahead * (weight / len(points))
    return np.round(total, 6)
