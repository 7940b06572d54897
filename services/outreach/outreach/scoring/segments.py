"""What clients alike spend, for those whose own purchases say too little. Must not read a table or a clock.

Clients are alike when their first purchase day brought about as much: the chain's clients are cut into bands of that,
equally full, and a band's spend is what its repeat days brought, pooled with the chain's:

    spend = (repeat days of the band x its mean + POOLED_DAYS x mean of the chain) / (repeat days + POOLED_DAYS)

so that a band with few repeat days says little more than the chain, and one without says the chain's mean. Repeat
days, not first ones, because a repeat purchase is what is to be expected.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BANDS = 5
POOLED_DAYS = 50
# Below that the pooled figure is the chain's rather than the band's, and is called so.
LEAST_DAYS = 30


@dataclass(frozen=True)
class Segment:
    """Clients whose first purchase day brought at least `from_minor`, up to the next segment's.

    `mean_spend` is what a repeat day of theirs brings, pooled, in units of the chain's currency.
    """

    from_minor: int
    repeat_days: int
    mean_spend: float

    @property
    def says_enough(self) -> bool:
        """Return whether the figure is the segment's own rather than the chain's."""
        return self.repeat_days >= LEAST_DAYS


def pool_segments(
    first_minor: Integers, repeat_days: Integers, repeat_minor: Integers, *, minor_per_unit: int
) -> tuple[Segment, ...]:
    """Return the segments of a chain, the least first purchase first; none without a repeat day that brought money.

    One row a client who bought in the chain's currency: what the first day brought, the days after it, and theirs.
    """
    days, minor = int(repeat_days.sum()), int(repeat_minor.sum())
    if not days or minor <= 0:
        return ()
    chain = minor / days / minor_per_unit
    ordered = np.sort(first_minor)
    starts = ordered[(np.arange(BANDS) * len(ordered)) // BANDS]
    starts[0] = min(int(starts[0]), 0)
    edges = np.unique(starts)
    at = place(first_minor, edges)
    days_of = np.bincount(at, weights=repeat_days, minlength=len(edges))
    minor_of = np.bincount(at, weights=repeat_minor, minlength=len(edges))
    pooled = (np.maximum(minor_of, 0) / minor_per_unit + POOLED_DAYS * chain) / (days_of + POOLED_DAYS)
    return tuple(
        Segment(from_minor=int(edge), repeat_days=int(count), mean_spend=float(mean))
        for edge, count, mean in zip(edges, days_of, pooled, strict=True)
    )


def spend_of(segments: Sequence[Segment], first_minor: Integers) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return what a repeat day of clients like these brings, and for whom that is more than the chain's mean."""
    edges = np.array([segment.from_minor for segment in segments], dtype=np.int64)
    at = place(first_minor, edges)
    mean = np.array([segment.mean_spend for segment in segments])
    says = np.array([segment.says_enough for segment in segments])
    return mean[at], says[at]


def place(first_minor: Integers, edges: Integers) -> Integers:
    """Return the segment of each client, the first one for what is below all edges (more came back than was bought)."""
    return np.maximum(np.searchsorted(edges, first_minor, side="right") - 1, 0)
