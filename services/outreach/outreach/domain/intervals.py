"""What shares of few can be told to be: intervals of a proportion, and of the difference between two. Pure."""

from dataclasses import dataclass
from math import sqrt

# Below so many, a share says more about chance than about what was done.
ENOUGH = 30
_Z = 1.959963984540054  # 95 %


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(successes: float, trials: int, *, z: float = _Z) -> Interval:
    """Return a proportion with its score interval (Wilson 1927); `successes` may be a sum of shares."""
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    # Rounding must not put the value outside of its own interval.
    return Interval(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def newcombe(one: float, one_trials: int, other: float, other_trials: int, *, z: float = _Z) -> Interval:
    """Return the difference of two independent proportions with its hybrid score interval.

    Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10, without continuity correction.
    """
    first, second = wilson(one, one_trials, z=z), wilson(other, other_trials, z=z)
    difference = first.value - second.value
    return Interval(
        difference,
        difference - sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2),
        difference + sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2),
    )
