"""Which way to clients who fit costs least: on through the newest, or through the index of words, and by which of them.

Judged by who fits among the newest few hundred. Only how long a search takes depends on it, never whom it finds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import prod
from typing import NamedTuple

# Microseconds, as measured among a million clients; only what they are to one another matters.
_SCANNED = 1.4  # one of the newest clients is looked at
_FETCHED = 5.0  # a client is looked at who lies apart from the others, half of them not in memory
_A_PAGE = 16  # clients lie together
_COLLECTED = 0.5  # a client is collected who has a word with a given beginning
_PASSED = 0.01  # a client is passed over who has a whole word
_STORE = 700.0  # the clients of one store are gone through
_CHEAP = 4_000.0  # not worth to look for anything less

_UNSEEN = 0.1  # of the newest that a word is taken to fit when it fits none of them
_TELLING = 4  # clients of the newest whom all words fit are enough to go by
_AT_ONCE = 500  # newest clients are looked at whatever else there is
_MOST_SCANNED = 20_000
_SPARE = 4  # times as many may be looked at as should be needed: it ends when the page is full


class Way(Enum):
    """How clients are looked for."""

    NEWEST = auto()  # on through the newest; the index is asked if they were too few
    STORES = auto()  # through the index, of some stores only
    CHAIN = auto()  # through the index, of the whole chain


class Sample(NamedTuple):
    """Whom of the newest clients each word fits and how many all of them, and about how many clients there are."""

    hits: Sequence[int]
    is_beginning: Sequence[bool]  # of words the chain has too many of to name them
    fitting: int
    of_own: int
    looked_at: int
    clients: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The ways to take, in turn, and the places of the words that the index is asked for; the rest is compared."""

    ways: Sequence[Way]
    width: int
    sought: Sequence[int]


def plan(sample: Sample, *, stores: int, limit: int) -> Plan:
    """Return how to find `limit` clients whom all words fit: of so many own `stores`, or of all with 0."""
    looked_at = max(sample.looked_at, 1)
    shares = [min((hits or _UNSEEN) / looked_at, 1.0) for hits in sample.hits]
    # Words of pieces hang together more or less than by chance.
    together = min(prod(shares), (sample.fitting + 2) / looked_at)
    needed = limit / (together if sample.fitting < _TELLING else sample.fitting / looked_at)
    cost, sought = _through_index(sample, shares, among=sample.clients, times=1)
    by_index = Plan([Way.CHAIN], 0, sought)
    scanned = _SCANNED * needed
    if stores:
        share_of_own = (sample.of_own or _UNSEEN) / looked_at
        of_own = share_of_own * sample.clients
        apart = min(stores / (_A_PAGE * share_of_own), 1.0)
        scanned = (_SCANNED + _FETCHED * apart) * min(needed * min(stores, 2), of_own)
        by_stores, sought = _through_index(sample, shares, among=of_own, times=stores)
        by_stores += stores * _STORE
        if by_stores < cost and cost > _CHEAP:
            cost, by_index = by_stores, Plan([Way.STORES], 0, sought)
    if needed > _AT_ONCE and (cost < _CHEAP or scanned > cost or needed > _MOST_SCANNED):
        return by_index
    width = int(min(max(needed * _SPARE, _AT_ONCE), _MOST_SCANNED))
    return Plan([Way.NEWEST, *by_index.ways], width, by_index.sought)


def _through_index(
    sample: Sample, shares: Sequence[float], *, among: float, times: int
) -> tuple[float, list[int]]:
    """Return what it costs to fetch whom the index finds among so many, asked so many times, and by which words.

    A whole word costs little beside a rarer one. A beginning has to spare more than it costs to collect who has it.
    """
    sought: list[int] = []
    found, cost = among, 0.0
    for place in sorted(range(len(shares)), key=lambda place: shares[place]):
        share = shares[place]
        going_through = _COLLECTED if sample.is_beginning[place] else _PASSED
        going_through *= times * share * sample.clients
        if sought and going_through > _FETCHED * found * (1 - share):
            continue
        sought.append(place)
        found *= share
        cost += going_through
    return cost + _FETCHED * found, sought
