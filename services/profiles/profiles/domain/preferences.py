"""What a client prefers, as data: sizes by system, price bands, pieces' attributes; with who says so and since when."""

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from chassis.errors import invalid

MOST_PREFERENCES = 100
_LONGEST_VALUE = 120


class PreferenceKind(enum.StrEnum):
    """What a preference is about."""

    RING_SIZE = "ring_size"
    METAL = "metal"
    STONE = "stone"
    CUT = "cut"
    STYLE = "style"
    BRAND = "brand"
    PRICE_BAND = "price_band"
    DISLIKE = "dislike"
    WRIST_SIZE = "wrist_size"
    DESIGNER = "designer"
    OTHER = "other"


# Those whose values are attributes of a piece; the others may hold words of the client's own.
PIECE_ATTRIBUTES = frozenset(
    {
        PreferenceKind.METAL,
        PreferenceKind.STONE,
        PreferenceKind.CUT,
        PreferenceKind.STYLE,
        PreferenceKind.BRAND,
        PreferenceKind.DESIGNER,
    }
)


class Finger(enum.StrEnum):
    """A finger that wears a ring."""

    LEFT_THUMB = "left_thumb"
    LEFT_INDEX = "left_index"
    LEFT_MIDDLE = "left_middle"
    LEFT_RING = "left_ring"
    LEFT_LITTLE = "left_little"
    RIGHT_THUMB = "right_thumb"
    RIGHT_INDEX = "right_index"
    RIGHT_MIDDLE = "right_middle"
    RIGHT_RING = "right_ring"
    RIGHT_LITTLE = "right_little"


class SizeSystem(enum.StrEnum):
    """How a size is counted."""

    US = "us"
    UK = "uk"
    ISO = "iso"
    JP = "jp"
    MILLIMETRES = "millimetres"
    INCHES = "inches"


_SYSTEMS: Mapping[PreferenceKind, frozenset[SizeSystem]] = {
    PreferenceKind.RING_SIZE: frozenset({SizeSystem.US, SizeSystem.UK, SizeSystem.ISO, SizeSystem.JP}),
    PreferenceKind.WRIST_SIZE: frozenset({SizeSystem.MILLIMETRES, SizeSystem.INCHES}),
}


@dataclass(frozen=True, slots=True)
class Preference:
    """One thing a client prefers, and who says so; prices in minor units of `currency_code`."""

    kind: PreferenceKind
    value: str
    source: str = ""
    noted_on: date | None = None
    preference_id: str = ""
    finger: Finger | None = None
    size_system: SizeSystem | None = None
    minimum_minor: int | None = None
    maximum_minor: int | None = None
    currency_code: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """Return what two sayings of one preference have in common."""
        return (
            self.kind,
            self.value.casefold(),
            self.finger,
            self.size_system,
            self.minimum_minor,
            self.maximum_minor,
            self.currency_code,
        )


def noted(preference: Preference, field: str, *, source: str, today: date) -> Preference:
    """Return a preference with its value as its kind spells it; `source` and `today` hold where nobody said others.

    Raises SIZE_INVALID for no size of the system, PRICE_BAND_INVALID for prices that are none or stand at another
    kind, and INVALID for a value that is missing or too long and a finger without a ring, each below `field`.
    """
    preference = replace(
        preference,
        value=" ".join(preference.value.split()),
        source=preference.source.strip() or source,
        noted_on=preference.noted_on or today,
    )
    if len(preference.value) > _LONGEST_VALUE:
        raise invalid(f"{field}.value", f"is longer than {_LONGEST_VALUE} characters")
    if preference.finger is not None and preference.kind is not PreferenceKind.RING_SIZE:
        raise invalid(f"{field}.finger", "is for ring sizes")
    _require_prices(preference, field)
    if not preference.value and not preference.currency_code:
        raise invalid(f"{field}.value", "is needed")
    if (system := preference.size_system) is None:
        return preference
    if system not in _SYSTEMS.get(preference.kind, frozenset()):
        measured = preference.kind.replace("_", " ")
        raise invalid(f"{field}.size_system", f"does not measure a {measured}", reason="SIZE_INVALID")
    read, description = _SIZES[system]
    if (size := read(preference.value)) is None:
        raise invalid(f"{field}.value", f"is no size of this system: {description}", reason="SIZE_INVALID")
    return replace(preference, value=size)


def _require_prices(preference: Preference, field: str) -> None:
    least, most = preference.minimum_minor, preference.maximum_minor
    if least is None and most is None:
        return
    if preference.kind is not PreferenceKind.PRICE_BAND:
        name = "maximum_price" if least is None else "minimum_price"
        raise invalid(f"{field}.{name}", "is for price bands", reason="PRICE_BAND_INVALID")
    for name, price in (("minimum_price", least), ("maximum_price", most)):
        if price is not None and price < 0:
            raise invalid(f"{field}.{name}", "is below zero", reason="PRICE_BAND_INVALID")
    if least is not None and most is not None and least > most:
        raise invalid(f"{field}.maximum_price", "is below the minimum", reason="PRICE_BAND_INVALID")


def merged(
    there: Sequence[Preference], said: Sequence[Preference], *, new_id: Callable[[], str]
) -> list[Preference]:
    """Return `said` without doubles, the last word on each counting; what is there already keeps its id."""
    ids = {preference.key: preference.preference_id for preference in there}
    kept: dict[tuple[object, ...], Preference] = {}
    for preference in said:
        key = preference.key
        known = kept[key].preference_id if key in kept else ids.get(key)
        kept[key] = replace(preference, preference_id=known or new_id())
    return list(kept.values())


def with_said(there: Sequence[Preference], said: Preference) -> list[Preference]:
    """Return what is there with one preference in the place of the same one, or behind all."""
    places = [preference.preference_id for preference in there]
    if said.preference_id not in places:
        return [*there, said]
    return [said if preference.preference_id == said.preference_id else preference for preference in there]


def require_few(preferences: Sequence[Preference], field: str) -> None:
    """Refuse more preferences than anybody remembers."""
    if len(preferences) > MOST_PREFERENCES:
        raise invalid(field, f"would be more than {MOST_PREFERENCES}")


# What a size may be written as: 6, 6.5, 6 1/2, 6½.
_NUMBER = re.compile(r"(\d{1,3})(?:\.(\d{1,2})|\s+([13])/([24])|\s*([¼½¾]))?", re.ASCII)
_SIGNS = {"¼": Decimal("0.25"), "½": Decimal("0.5"), "¾": Decimal("0.75")}
_UK = re.compile(r"([A-Y]|Z(?:\+[1-5])?)\s*(½|1/2|\.5)?|Z\+6")


def _number(text: str) -> Decimal | None:
    if (found := _NUMBER.fullmatch(text.replace(",", "."))) is None:
        return None
    whole, decimals, numerator, denominator, sign = found.groups()
    number = Decimal(whole)
    if decimals:
        number += Decimal(f"0.{decimals}")
    elif numerator:
        number += Decimal(numerator) / Decimal(denominator)
    elif sign:
        number += _SIGNS[sign]
    return number


def _numbers(least: int, most: int, step: str) -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        number = _number(text)
        if number is None or not least <= number <= most or number % Decimal(step):
            return None
        return f"{number.normalize():f}"

    return read


def _uk(text: str) -> str | None:
    if (found := _UK.fullmatch(text.upper())) is None:
        return None
    letter, half = found.groups()
    return f"{letter or 'Z+6'}{'½' if half else ''}"


# Ring sizes as the contract bounds them; wrists from an infant's to far beyond the largest bracelet that is sold.
_SIZES: Mapping[SizeSystem, tuple[Callable[[str], str | None], str]] = {
    SizeSystem.US: (_numbers(0, 16, "0.25"), "0 to 16, with halves and quarters"),
    SizeSystem.UK: (_uk, "A to Z+6, with halves"),
    SizeSystem.ISO: (_numbers(36, 80, "0.1"), "36 to 80 millimetres around"),
    SizeSystem.JP: (_numbers(1, 30, "1"), "1 to 30"),
    SizeSystem.MILLIMETRES: (_numbers(80, 300, "0.1"), "80 to 300 millimetres"),
    SizeSystem.INCHES: (_numbers(3, 12, "0.01"), "3 to 12 inches"),
}


def size_of(text: str, system: SizeSystem) -> str | None:
    """Return a size as its system spells it, None for what is no size of it."""
    read, _ = _SIZES[system]
    return read(text)
