"""Who is left alone for a while although there is a reason, so that what contact brings can be measured. Pure.

A ranking asks for each client who would have made a queue, before the queue is cut, and writes down those who are held
out (`store.holdouts.add_holdouts`) in place of raising a suggestion. Who is held out depends on nothing but the client
and the period: every run, replica and replay says the same, and neither score nor associate can choose.
"""

import hashlib
from datetime import date

_SCALE = 1 << 64


def period_of(day: date) -> str:
    """Return the period that a day belongs to: a quarter, so that a window of purchases fits into it."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def is_held_out(chain_id: str, client_id: str, period: str, *, share: float) -> bool:
    """Return whether a client is among the `share` of all who are left alone in a period.

    Who is held out at a share is held out at every larger one.
    """
    if share <= 0:
        return False
    digest = hashlib.blake2b(f"{chain_id} {period} {client_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * _SCALE
