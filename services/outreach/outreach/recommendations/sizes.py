"""Ring and wrist sizes of different systems, made comparable as millimetres.

ISO 8653 counts the inner circumference of a ring in millimetres. By the usual conversions US size n is 36.5 + 2.55 n,
Japanese size n is 39.9 + 1.05 n, and UK letters follow each other by 1.25 from A, 37.8.
"""

import re
from functools import lru_cache

from outreach.domain.words import fold

# The numbers of carnet.profiles.v1.SizeSystem.
US, UK, ISO, JP, MILLIMETRES, INCHES = range(1, 7)
_NAMED = {
    "us": US,
    "uk": UK,
    "iso": ISO,
    "eu": ISO,
    "jp": JP,
    "jis": JP,
    "mm": MILLIMETRES,
    "in": INCHES,
    "inch": INCHES,
    '"': INCHES,
    "cm": 100,
}
_SIZE = re.compile(
    r"^(?:(us|uk|iso|eu|jp|jis)\s*)?(?:(\d{1,3}(?:[.,]\d{1,2})?)(?:\s*(1/4|1/2|3/4))?|([a-z])(?:\s*(1/4|1/2|3/4))?)"
    r"\s*(mm|cm|inch|in|\")?$"
)
_PARTS = {None: 0.0, "1/4": 0.25, "1/2": 0.5, "3/4": 0.75}
_LARGEST_US, _SMALLEST_ISO = 16, 38


@lru_cache(maxsize=8192)
def millimetres(value: str, *, system: int = 0, is_ring: bool) -> float | None:
    """Return a size in millimetres; None for one that is not understood.

    Without a system, what is written with the value counts; a bare ring size up to 16 is US, from 38 on ISO.
    """
    found = _SIZE.match(fold(value))
    if found is None:
        return None
    named, number, fraction, letter, letter_fraction, unit = found.groups()
    system = _NAMED.get(unit or named or "", 0) or system
    if letter is not None:
        is_letter = is_ring and system in (0, UK)
        return 37.8 + 1.25 * (ord(letter) - ord("a") + _PARTS[letter_fraction]) if is_letter else None
    size = float(number.replace(",", ".")) + _PARTS[fraction]
    if system == MILLIMETRES:
        return size
    if system == INCHES:
        return size * 25.4
    if system == _NAMED["cm"]:
        return size * 10
    return _ring(size, system) if is_ring else None


def _ring(size: float, system: int) -> float | None:
    if system == US or (system == 0 and size <= _LARGEST_US):
        return 36.5 + 2.55 * size
    if system == ISO or (system == 0 and size >= _SMALLEST_ISO):
        return size
    return 39.9 + 1.05 * size if system == JP else None
