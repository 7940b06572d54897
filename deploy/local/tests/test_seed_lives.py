"""The demo chain's people: invented, unique, believable, and the same every time."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta

import pytest

from carnet_local.seed.histories import CLIENTS_PER_STORE, Life, add_years, lives
from carnet_local.seed.people import store_number
from carnet_local.seed.showcase import NEWS, showcase

ANY_DAYS = [date(2026, 3, 10), date(2028, 2, 29), date(2027, 12, 31)]


def everybody(today: date) -> list[Life]:
    return lives("New York", "America/New_York", today) + lives("Los Angeles", "America/Los_Angeles", today)


@pytest.fixture(params=ANY_DAYS, ids=str)
def today(request: pytest.FixtureRequest) -> date:
    day: date = request.param
    return day


def test_the_same_day_tells_the_same_lives(today: date) -> None:
    assert everybody(today) == everybody(today)


def test_there_are_about_three_hundred_people_and_no_two_share_a_contact(today: date) -> None:
    told = everybody(today)
    assert len(told) == 2 * CLIENTS_PER_STORE
    numbers = [life.person.phone for life in told] + [store_number("New York"), store_number("Los Angeles")]
    assert len(set(numbers)) == len(numbers)
    assert len({life.person.email for life in told}) == len(told)


def test_every_number_and_address_is_kept_for_fiction(today: date) -> None:
    for life in everybody(today):
        assert re.fullmatch(r"\+1\d{3}55501\d\d", life.person.phone)
        assert life.person.email.endswith("@example.com")


def test_most_buy_once_some_come_again_and_many_only_look(today: date) -> None:
    times = Counter(min(len(life.bought), 5) for life in everybody(today))
    assert times[0] >= 30
    assert times[1] > times[2] + times[3] + times[4]
    assert times[5] >= 12


def test_nothing_is_bought_in_the_future(today: date) -> None:
    assert all(bought.on < today for life in everybody(today) for bought in life.bought)


def test_bands_follow_the_engagement_ring(today: date) -> None:
    for life in everybody(today):
        made = [bought.piece.category for bought in life.bought]
        if "wedding band" in made:
            assert made.index("engagement ring") < made.index("wedding band")


def test_several_days_come_within_three_weeks_and_one_is_the_29th_of_february(today: date) -> None:
    days = [day.on for life in everybody(today) for day in life.days]
    ahead = [
        d
        for d in days
        if any(0 <= (add_years(d, year - d.year) - today).days <= 21 for year in (today.year, today.year + 1))
    ]
    assert len(ahead) >= 12
    assert any((d.month, d.day) == (2, 29) for d in days)


def test_somebody_came_twice_within_a_month_without_buying(today: date) -> None:
    twice = [life for life in everybody(today) if len([x for x in life.looked if x.days_ago <= 30]) >= 2]
    assert len(twice) >= 10
    assert not [life for life in twice if life.bought]


def test_a_vip_has_gone_quiet(today: date) -> None:
    quiet = [
        life
        for life in everybody(today)
        if len(life.bought) >= 9 and life.bought[-1].on < today - timedelta(days=250)
    ]
    assert len(quiet) >= 4


def test_each_store_has_pieces_of_every_kind_and_no_two_have_one_code() -> None:
    shown = showcase(2)
    assert showcase(2) == shown
    assert len({one.code for one in shown}) == len(shown)
    for store in range(2):
        here = {one.piece.category for one in shown if one.stock[store]}
        assert here == {"engagement ring", "wedding band", "earrings", "pendant", "bracelet", "ring", "watch"}
    assert all(any(one.stock) for one in shown)
    assert {one.piece.brand for one in shown if one.collection} == {NEWS}
