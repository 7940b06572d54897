"""Opaque, prefixed, time-ordered ids such as `cli_01jd...`. Must not carry meaning beyond prefix and order."""

import os
import time
from functools import lru_cache

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # of each ten bits


def new_id(prefix: str) -> str:
    """Return `<prefix>_` and 26 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout).

    Imports make several a line: written out, it takes a third of the time that a loop over the digits does.
    """
    chance, pairs = int.from_bytes(os.urandom(10)), _PAIRS
    high, low = chance >> 40, chance & 0xFF_FFFF_FFFF
    return (
        f"{prefix}_{_moment(time.time_ns() // 1_000_000)}"
        f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
        f"{pairs[low >> 30]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"
    )


@lru_cache(maxsize=8)
def _moment(milliseconds: int) -> str:
    return "".join([_PAIRS[milliseconds >> shift & 1023] for shift in range(40, -1, -10)])
