"""Bought once, then nothing for six months."""

import pytest
from outreach_story import TODAY, book_of, days_ago

from outreach.signals import silent_one_timer
from outreach.signals.finding import day_number

NOW = day_number(TODAY)


def found(**facts: object) -> list[int]:
    return silent_one_timer.find(book_of(TODAY, **facts), NOW).client.tolist()


@pytest.mark.parametrize(("ago", "holds"), [(181, False), (182, True), (183, True)])
def test_six_months_are_182_days(ago, holds):
    assert found(purchases=[(0, days_ago(ago), 100)]) == ([0] if holds else [])


def test_two_purchases_on_one_day_are_one_purchase_day():
    assert found(purchases=[(0, days_ago(200), 100), (0, days_ago(200), 300)]) == [0]


def test_a_second_purchase_day_ends_it():
    assert found(purchases=[(0, days_ago(400), 100), (0, days_ago(300), 100)]) == []


def test_a_refund_is_no_second_purchase():
    assert found(purchases=[(0, days_ago(200), 100), (0, days_ago(190), -100)]) == [0]


def test_nobody_is_silent_who_never_bought_or_only_returned_things():
    assert found() == []
    assert found(purchases=[(0, days_ago(200), -100)]) == []


@pytest.mark.parametrize(("ago", "holds"), [(181, False), (182, True)])
def test_a_visit_breaks_the_silence(ago, holds):
    assert found(purchases=[(0, days_ago(500), 100)], visits=[(0, days_ago(ago))]) == ([0] if holds else [])


def test_a_purchase_to_come_is_not_known_yet():
    assert found(purchases=[(0, days_ago(200), 100), (0, days_ago(-1), 100)]) == [0]


def test_urgency_falls_over_a_year_and_stops():
    ages = [182, 182 + 365, 3000]
    urgency = [
        float(silent_one_timer.find(book_of(TODAY, purchases=[(0, days_ago(a), 1)]), NOW).urgency[0])
        for a in ages
    ]
    assert urgency == pytest.approx([1.0, 0.2, 0.2])


def test_it_is_told_as_an_associate_would():
    assert silent_one_timer.tell({"days_silent": 214, "days_since_purchase": 214}) == (
        "Bought once, 214 days ago, and has not been back.",
        {"days_silent": "214", "days_since_purchase": "214"},
    )
    sentence, _ = silent_one_timer.tell({"days_silent": 190, "days_since_purchase": 400})
    assert sentence == "Bought once, 400 days ago; last in the store 190 days ago."
