"""What a signal says: to whom it applies, how pressing it is, until when, and the figures behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Figures = Mapping[str, int]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class Finding:
    """Columns of one length: positions in the book, urgency in (0, 1], last day on which it holds, figures."""

    client: Integers
    urgency: Floats
    until: Integers
    figures: Mapping[str, Integers]


def day_number(day: date) -> int:
    """Return a day as the number of days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """Return the day with this number."""
    return _EPOCH + timedelta(days=int(number))


def in_words(day: date) -> str:
    """Return a day as an associate says it, such as `14 June`."""
    return f"{day.day} {day:%B}"


def days(count: int) -> str:
    """Return a number of days in words."""
    return "1 day" if count == 1 else f"{count} days"
