"""What is bought once: an engagement ring, and the wedding bands that go with it."""

import enum
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

from outreach.recommendations.likings import Owned

ONCE = timedelta(days=5 * 365)
"""For so long whoever bought one is shown no other one."""
BANDS_WITHIN = timedelta(days=540)
"""For so long after the ring bands are spoken of; most are bought in the year before the wedding."""

# Categories by which a shelf is looked up.
BANDS = (
    "wedding band", "wedding bands", "wedding ring", "wedding rings", "alliance", "alliances", "alianza", "alianzas",
    "trauring", "trauringe", "ehering", "eheringe",
)  # fmt: skip
_ENGAGEMENT_WORDS = ("engagement", "fiancailles", "compromiso", "verlobung")
_WEDDING_WORDS = ("wedding", "alliance", "alianza", "trauring", "ehering")


class Bridal(enum.Enum):
    """What a piece is for."""

    ENGAGEMENT = enum.auto()
    WEDDING = enum.auto()


@lru_cache(maxsize=8192)
def kind_of(category_key: str) -> Bridal | None:
    """Return what a folded category is for, in English, French, Spanish or German; None for any other day."""
    for kind, words in ((Bridal.ENGAGEMENT, _ENGAGEMENT_WORDS), (Bridal.WEDDING, _WEDDING_WORDS)):
        if any(word in category_key for word in words):
            return kind
    return None


def is_done(category_key: str, owned: Sequence[Owned], as_of: date) -> bool:
    """Return whether a piece is of a kind that is bought once, and one of it, or what follows it, was."""
    kind = kind_of(category_key)
    if kind is None:
        return False
    had = {kind_of(one.category) for one in owned if as_of - one.day < ONCE}
    return kind in had or (kind is Bridal.ENGAGEMENT and Bridal.WEDDING in had)


def ring_without_bands(owned: Sequence[Owned], as_of: date) -> Owned | None:
    """Return the newest engagement ring that is new enough and has no bands since."""
    rings = [
        one for one in owned if kind_of(one.category) is Bridal.ENGAGEMENT and as_of - one.day <= BANDS_WITHIN
    ]
    if not rings:
        return None
    ring = max(rings, key=lambda one: one.day)
    has_bands = any(kind_of(one.category) is Bridal.WEDDING and one.day >= ring.day for one in owned)
    return None if has_bands else ring
