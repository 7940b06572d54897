"""Which of the clients who are due come on a queue: its best, and where the chain explores, some that were drawn.

Must not know why anybody is due. A draw depends on chain, day and client alone, so a repeated ranking chooses the same
ones and any slice of a chain draws as the whole does.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from outreach.signals.book import NEVER, Integers

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """A client who is due: number, queue, score, and the id that settles ties."""

    client: int
    queue: int
    score: float
    client_id: str


def choose(
    entries: Sequence[Entry],
    keep: int,
    *,
    chain_id: str,
    as_of: date,
    exploration_share: float,
    always: Collection[int] = (),
) -> dict[int, bool]:
    """Return who comes on a queue, by number, and whether by exploration.

    Of each queue the best `keep` by score, ties by client id. Where the chain explores and more are due than that, the
    last places of an associate's queue go by draw to those behind its best; what is sent by itself is never explored.
    Those of `always` come on top and take no place.
    """
    chosen = {entry.client: False for entry in entries if entry.client in always}
    queues: dict[int, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: (-entry.score, entry.client_id)):
        if entry.client not in chosen:
            queues.setdefault(entry.queue, []).append(entry)
    drawn = explored_places(keep, exploration_share)
    for queue, due in queues.items():
        by_draw = drawn if queue % 2 == 0 and len(due) > keep else 0
        chosen |= {entry.client: False for entry in due[: keep - by_draw]}
        if by_draw:
            behind = due[keep - by_draw :]
            draw = draws(np.array([entry.client for entry in behind], dtype=np.int64), chain_id, as_of)
            chosen |= {behind[at].client: True for at in np.argsort(draw, kind="stable")[:by_draw]}
    return chosen


def explored_places(keep: int, share: float) -> int:
    """Return how many places of a queue of `keep` go by draw."""
    return int(keep * share + 0.5)


def best_of(at: Integers, score: Floats, queue: Integers, keep: int) -> Integers:
    """Return the positions with the `keep` best scores of each queue, and those that tie with the last of them."""
    order = at[np.lexsort((-score[at], queue[at]))]
    owner = queue[order]
    starts = np.flatnonzero(np.diff(owner, prepend=NEVER))
    sizes = np.diff(np.append(starts, len(owner)))
    last = order[starts + np.minimum(sizes, keep) - 1] if len(starts) else order
    return np.sort(order[score[order] >= np.repeat(score[last], sizes)]) if len(order) else order


def least_of(full: Integers, least: Floats, queue: Integers) -> Floats:
    """Return of each entry of `queue` the score to be reached: `least` where the queue is in `full`, else -infinity."""
    if not len(full):
        return np.full(len(queue), -np.inf)
    order = np.argsort(full)
    at = order[np.minimum(np.searchsorted(full, queue, sorter=order), len(full) - 1)]
    return np.where(full[at] == queue, least[at], -np.inf)


def best_or_drawn(at: Integers, score: Floats, queue: Integers, draw: Floats | None, keep: int) -> Integers:
    """Return the best of each queue as `best_of` does and, where there are draws, the first `keep` by them.

    Whoever `choose` can choose is among them, in whatever slices a chain is looked at. What is sent by itself is not
    drawn.
    """
    chosen = best_of(at, score, queue, keep)
    if draw is None:
        return chosen
    return np.union1d(chosen, best_of(at[queue[at] % 2 == 0], -draw, queue, keep))


def draws(number: Integers, chain_id: str, as_of: date) -> Floats:
    """Return a number in [0, 1) for each client, as if at random and the same for chain, day and client."""
    seed = hashlib.blake2b(f"{chain_id} {as_of.isoformat()}".encode(), digest_size=8).digest()
    # splitmix64 (Steele, Lea and Flood 2014); wraps around by design.
    mixed = number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(int.from_bytes(seed))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)
    return mixed.astype(np.float64) * 2.0**-53
