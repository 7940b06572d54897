"""Two visits within 30 days and no purchase since the first of them."""

import pytest
from outreach_story import TODAY, book_of, days_ago

from outreach.signals import high_intent
from outreach.signals.finding import day_number

NOW = day_number(TODAY)


def found(**facts: object) -> list[int]:
    return high_intent.find(book_of(TODAY, **facts), NOW).client.tolist()


@pytest.mark.parametrize(("apart", "holds"), [(30, True), (31, False)])
def test_the_visits_lie_at_most_30_days_apart(apart, holds):
    assert found(visits=[(0, TODAY), (0, days_ago(apart))]) == ([0] if holds else [])


@pytest.mark.parametrize(("ago", "holds"), [(30, True), (31, False)])
def test_the_latest_visit_is_at_most_30_days_old(ago, holds):
    assert found(visits=[(0, days_ago(ago)), (0, days_ago(ago + 5))]) == ([0] if holds else [])


def test_one_visit_is_not_enough_and_two_on_a_day_are():
    assert found(visits=[(0, days_ago(1))]) == []
    assert found(visits=[(0, days_ago(1)), (0, days_ago(1))]) == [0]


@pytest.mark.parametrize(
    ("bought_ago", "holds"), [(11, True), (10, False), (5, False), (2, False), (0, False)]
)
def test_a_purchase_since_the_first_visit_ends_it(bought_ago, holds):
    visits = [(0, days_ago(10)), (0, days_ago(2))]
    assert found(visits=visits, purchases=[(0, days_ago(bought_ago), 100)]) == ([0] if holds else [])


def test_a_purchase_in_between_leaves_the_visits_after_it():
    visits = [(0, days_ago(20)), (0, days_ago(8)), (0, days_ago(2))]
    book = book_of(TODAY, visits=visits, purchases=[(0, days_ago(15), 100)])
    finding = high_intent.find(book, NOW)
    assert finding.client.tolist() == [0]
    assert finding.figures["visits"].tolist() == [2]


def test_a_visit_to_come_is_not_known_yet():
    assert found(visits=[(0, days_ago(2)), (0, days_ago(-1))]) == []


def test_it_holds_until_30_days_after_the_latest_visit():
    finding = high_intent.find(book_of(TODAY, visits=[(0, days_ago(9)), (0, days_ago(2))]), NOW)
    assert finding.until.tolist() == [NOW + 28]


def test_clients_are_kept_apart():
    visits = [(0, days_ago(9)), (1, days_ago(2)), (2, days_ago(3)), (2, days_ago(2))]
    assert found(visits=visits, clients=3) == [2]


def test_it_is_told_as_an_associate_would():
    figures = {"visits": 2, "first_visit": day_number(days_ago(9)), "days_since_visit": 0}
    assert high_intent.tell(figures)[0] == "Came in twice since 1 March without buying, last today."
    figures = {"visits": 3, "first_visit": day_number(days_ago(9)), "days_since_visit": 1}
    assert high_intent.tell(figures)[0] == "Came in 3 times since 1 March without buying, last 1 day ago."
