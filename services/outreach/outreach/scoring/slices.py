"""A large chain in slices: where they begin, the best of each and of all. Must not know where they are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
import numpy.typing as npt

from outreach.scoring.choosing import best_or_drawn
from outreach.scoring.ranking import Weighed, best
from outreach.scoring.rules import Rules
from outreach.signals.book import Book, Integers

Floats = npt.NDArray[np.float64]

_LITTLE_INTEGER, _LITTLE_FLOAT = np.dtype("<i8"), np.dtype("<f8")


@dataclass(frozen=True, eq=False)
class Best:
    """The best of a slice: client numbers, numbers of their queues, scores."""

    number: Integers
    queue: Integers
    score: Floats

    @classmethod
    def of(cls, book: Book, weighed: Weighed, keep: int, *, always: Integers) -> Self:
        """Return of a book who may be among the best `keep` of a chain's queues, and those of `always`."""
        chosen = best(book, weighed, keep, always=always)
        return cls(book.number[chosen], weighed.queue[chosen], weighed.score[chosen])

    @classmethod
    def of_bytes(cls, stored: bytes) -> Self:
        """Return what `to_bytes` wrote."""
        rows = len(stored) // (3 * 8)
        number, queue, score = (stored[at * rows * 8 : (at + 1) * rows * 8] for at in range(3))
        return cls(
            np.frombuffer(number, dtype=_LITTLE_INTEGER).astype(np.int64),
            np.frombuffer(queue, dtype=_LITTLE_INTEGER).astype(np.int64),
            np.frombuffer(score, dtype=_LITTLE_FLOAT).astype(np.float64),
        )

    def to_bytes(self) -> bytes:
        """Return the three columns one after the other, eight bytes each, little end first."""
        return (
            self.number.astype(_LITTLE_INTEGER).tobytes()
            + self.queue.astype(_LITTLE_INTEGER).tobytes()
            + self.score.astype(_LITTLE_FLOAT).tobytes()
        )


def best_of_all(parts: Sequence[Best], keep: int, as_of: date, *, always: Integers, rules: Rules) -> Integers:
    """Return the numbers of the best of all slices, as `ranking.best` would of one book; in order of number."""
    number = np.concatenate([part.number for part in parts])
    queue = np.concatenate([part.queue for part in parts])
    score = np.concatenate([part.score for part in parts])
    chosen = best_or_drawn(np.arange(len(number)), score, queue, rules.draws(number, as_of), keep)
    return np.union1d(number[chosen], number[np.isin(number, always)])


def bounds(number: Integers, size: int) -> list[tuple[int, int]]:
    """Return from which to which number, the latter not among them, slices of `size` clients at most reach."""
    if not len(number):
        return []
    ordered = np.sort(number)
    count = -(-len(ordered) // size)
    starts = ordered[np.linspace(0, len(ordered), count, endpoint=False).astype(np.int64)].tolist()
    return list(zip(starts, [*starts[1:], int(ordered[-1]) + 1], strict=True))
