"""Opaque, prefixed, time-ordered ids such as `cli_01jd...`. Must not carry meaning beyond prefix and order."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def new_id(prefix: str) -> str:
    """Return `<prefix>_` and 26 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout)."""
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    return f"{prefix}_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
