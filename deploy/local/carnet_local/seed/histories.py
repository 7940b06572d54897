"""Believable lives with a jeweler: who came when, bought what, and which days matter. Pure, and equal for equal seeds.

Everything is told relative to one day, so that a demo is as fresh in ten years as today. The shares follow the trade:
most buy once, engagement is followed by wedding bands and anniversaries, few come often, and many look without buying.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from carnet_local.seed.people import Person, people
from carnet_local.seed.pieces import Piece, Taste, engagement_ring, gift, watch, wedding_bands

CLIENTS_PER_STORE = 150
_SEED = 20_170_301
_RELATIVES = (
    "his wife",
    "her husband",
    "her mother",
    "his mother",
    "their daughter",
    "her sister Ana",
    "his partner",
)


@dataclass(frozen=True)
class Bought:
    """One purchase."""

    on: date
    piece: Piece


@dataclass(frozen=True)
class Looked:
    """One visit without buying; `days_ago` from the day that everything is told for."""

    days_ago: int
    hour: int
    pieces: Sequence[Piece]
    liked: int
    for_whom: str = ""
    need_by: date | None = None
    note: str = ""


@dataclass(frozen=True)
class Day:
    """A day that returns every year."""

    kind: str
    on: date
    for_whom: str = ""
    is_year_known: bool = True


@dataclass
class Life:
    """One client with everything that happened."""

    person: Person
    taste: Taste
    story: str
    days: list[Day] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)
    looked: list[Looked] = field(default_factory=list)
    agrees: bool = True
    wants_offers: bool = True


def lives(city: str, time_zone: str, today: date) -> list[Life]:
    """Tell the lives of a store's clients as of a day."""
    chance = random.Random(f"{_SEED} {city}")  # noqa: S311 - a story, not a secret
    crowd = people(chance, city, time_zone)
    told: list[Life] = []
    for story, count in _SHARES:
        for number in range(count):
            life = Life(next(crowd), Taste.of(chance, _band(chance, story)), story)
            _STORIES[story](chance, life, today, number)
            _remember_days(chance, life, today)
            life.agrees = chance.random() < 0.7
            life.wants_offers = chance.random() < 0.8
            told.append(life)
    _put_days_ahead(told, today)
    return told


def _once(chance: random.Random, life: Life, today: date, number: int) -> None:
    del number
    made = engagement_ring if chance.random() < 0.3 else gift
    _buy(chance, life, today - timedelta(days=chance.randint(25, 1_900)), made)


def _couple(chance: random.Random, life: Life, today: date, number: int) -> None:
    # The first few are engaged and not married yet: their bands are still to be sold.
    engaged = today - timedelta(days=chance.randint(90, 240) if number < 4 else chance.randint(420, 3_200))
    _buy(chance, life, engaged, engagement_ring)
    life.days.append(Day("ENGAGEMENT", engaged, ""))
    married = engaged + timedelta(days=chance.randint(210, 420))
    if married >= today:
        return
    _buy(chance, life, married - timedelta(days=chance.randint(20, 70)), wedding_bands)
    life.days.append(Day("ANNIVERSARY", married, ""))
    for year in range(1, 10):
        anniversary = add_years(married, year)
        if anniversary < today and chance.random() < 0.35:
            _buy(chance, life, anniversary - timedelta(days=chance.randint(3, 20)), gift)


def _giver(chance: random.Random, life: Life, today: date, number: int) -> None:
    del number
    birthday = _some_day(chance, today)
    life.days.append(Day("BIRTHDAY", birthday, chance.choice(_RELATIVES), is_year_known=False))
    for years_ago in range(chance.randint(2, 6), -1, -1):
        day = add_years(birthday, today.year - years_ago - birthday.year) - timedelta(
            days=chance.randint(2, 25)
        )
        if day < today and chance.random() < 0.75:
            _buy(chance, life, day, gift)
    if not life.bought:
        _buy(chance, life, today - timedelta(days=chance.randint(200, 500)), gift)


def _vip(chance: random.Random, life: Life, today: date, number: int) -> None:
    # Every other one used to come like clockwork and has not been seen for long.
    last = today - timedelta(days=chance.randint(300, 480) if number % 2 else chance.randint(12, 60))
    rhythm = chance.randint(45, 100)
    for step in range(chance.randint(9, 18)):
        day = last - timedelta(days=round(step * rhythm * chance.uniform(0.85, 1.15)))
        _buy(chance, life, day, watch if chance.random() < 0.2 else gift)
    life.days.append(Day("ANNIVERSARY", _some_day(chance, today), ""))


def _lapsed(chance: random.Random, life: Life, today: date, number: int) -> None:
    del number
    # Came often for a while and then no more: moved away, separated, or went to another house.
    last = today - timedelta(days=chance.randint(500, 1_800))
    times = chance.choices((2, 3, 4, 6), (6, 4, 2, 1))[0]
    for step in range(times):
        _buy(chance, life, last - timedelta(days=round(step * chance.randint(20, 110))), gift)


def _collector(chance: random.Random, life: Life, today: date, number: int) -> None:
    del number
    for _ in range(chance.randint(1, 4)):
        _buy(chance, life, today - timedelta(days=chance.randint(40, 2_400)), watch)


def _looker(chance: random.Random, life: Life, today: date, number: int) -> None:
    # The first half came twice within a month: they mean it.
    ago = sorted(chance.sample(range(2, 27), 2), reverse=True) if number < 7 else [chance.randint(3, 300)]
    whom = chance.choice((*_RELATIVES, "", ""))
    for days_ago in ago:
        made = engagement_ring if chance.random() < 0.4 else gift
        shown = [made(chance, life.taste) for _ in range(chance.randint(1, 3))]
        need_by = today + timedelta(days=chance.randint(15, 80)) if chance.random() < 0.5 else None
        note = chance.choice(
            ("", "", "Wants to think about it.", "Will come back with a friend.", "Asked about sizing.")
        )
        life.looked.append(
            Looked(days_ago, chance.randint(11, 17), shown, chance.randint(0, 1), whom, need_by, note)
        )


_SHARES = (
    ("once", 58), ("couple", 24), ("giver", 16), ("lapsed", 22), ("vip", 6), ("collector", 8), ("looker", 16),
)  # fmt: skip
_STORIES: dict[str, Callable[[random.Random, Life, date, int], None]] = {
    "once": _once,
    "couple": _couple,
    "giver": _giver,
    "lapsed": _lapsed,
    "vip": _vip,
    "collector": _collector,
    "looker": _looker,
}


def _band(chance: random.Random, story: str) -> int:
    if story == "vip":
        return 4
    return chance.choices((1, 2, 3, 4), (3, 5, 2, 0.5))[0]


def _buy(chance: random.Random, life: Life, on: date, made: Callable[[random.Random, Taste], Piece]) -> None:
    life.bought.append(Bought(on, made(chance, life.taste)))


def _remember_days(chance: random.Random, life: Life, today: date) -> None:
    # Half of all clients have told their birthday, some without the year.
    if chance.random() < 0.5:
        born = add_years(_some_day(chance, today), -chance.randint(22, 70))
        life.days.append(Day("BIRTHDAY", born, "", is_year_known=chance.random() < 0.8))
    if chance.random() < 0.06:
        life.days.append(Day("GRADUATION", _some_day(chance, today), "their daughter"))
    life.bought.sort(key=lambda bought: bought.on)


def _put_days_ahead(told: list[Life], today: date) -> None:
    """Give six clients a day within three weeks, and one a birthday on 29 February."""
    for ahead, life in zip((3, 6, 9, 13, 17, 20), told[::23], strict=False):
        years = 7 + ahead
        life.days.append(Day("ANNIVERSARY", add_years(today + timedelta(days=ahead), -years), ""))
    told[40].days.append(Day("BIRTHDAY", date(1988, 2, 29), ""))


def _some_day(chance: random.Random, today: date) -> date:
    return date(today.year - 1, 1, 1) + timedelta(days=chance.randrange(365))


def add_years(day: date, years: int) -> date:
    """Return the same day of another year; 29 February is 28 February there in common years."""
    year = day.year + years
    last = calendar.monthrange(year, day.month)[1]
    return date(year, day.month, min(day.day, last))
