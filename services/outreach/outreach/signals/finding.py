"""What a signal says: to whom it applies, how pressing it is, until when, and the figures behind it."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Figures = Mapping[str, int]

_EPOCH = date(1970, 1, 1)
_MONTHS = tuple(calendar.month_name)


@dataclass(frozen=True, eq=False)
class Finding:
    """Columns of one length: positions in the book, urgency in (0, 1], first and last day on which it holds, figures.

    What was answered before the first day was another reason of the same kind. `since` is None where there is no such
    day: a reason that is always the same one.
    """

    client: Integers
    urgency: Floats
    until: Integers
    figures: Mapping[str, Integers]
    since: Integers | None = None

    def only(self, stays: Flags) -> "Finding":
        """Return the rows that stay."""
        if stays.all():
            return self
        return Finding(
            client=self.client[stays],
            urgency=self.urgency[stays],
            until=self.until[stays],
            figures={name: column[stays] for name, column in self.figures.items()},
            since=None if self.since is None else self.since[stays],
        )


@dataclass(frozen=True)
class Parameter:
    """One rule of a signal that a chain or a store may set otherwise, within bounds; days unless said otherwise."""

    name: str
    built_in: float
    least: float
    most: float
    description: str
    is_whole: bool = True


def falling(age: Integers, over: float, least: float) -> Floats:
    """Return the urgency of windows that are `age` days old: 1 at first, `least` after `over` days, a line between."""
    return 1.0 - (1.0 - least) * np.clip(age / max(over, 1), 0.0, 1.0)


def rising(age: Integers, over: float, least: float) -> Floats:
    """Return the urgency of windows that are `age` days old: `least` at first, 1 after `over` days, a line between."""
    return least + (1.0 - least) * np.clip(age / max(over, 1), 0.0, 1.0)


def day_number(day: date) -> int:
    """Return a day as the number of days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """Return the day with this number."""
    return _EPOCH + timedelta(days=int(number))


def in_words(day: date) -> str:
    """Return a day as an associate says it, such as `14 June`."""
    return f"{day.day} {_MONTHS[day.month]}"


def days(count: int) -> str:
    """Return a number of days in words."""
    return "1 day" if count == 1 else f"{count} days"


def ago(count: int) -> str:
    """Return how long ago something was, in words."""
    return "today" if count == 0 else "yesterday" if count == 1 else f"{count} days ago"


def ahead(count: int) -> str:
    """Return how far off something is, in words."""
    return "today" if count == 0 else "tomorrow" if count == 1 else f"in {count} days"
