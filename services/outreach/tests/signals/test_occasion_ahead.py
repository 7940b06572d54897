"""A day that matters comes within three weeks: at the edges of the window, of February and of the year."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outreach_story import TODAY, book_of

from outreach.signals import occasion_ahead
from outreach.signals.calendar import days_until
from outreach.signals.finding import day_number


def found(as_of: date, *occasions: tuple[int, int, int, int]) -> list[int]:
    """Return how many days ahead the nearest of (kind, year, month, day) is, if it is near."""
    book = book_of(as_of, occasions=[(0, *occasion) for occasion in occasions])
    return occasion_ahead.find(book, day_number(as_of)).figures["days_ahead"].tolist()


@pytest.mark.parametrize(("ahead", "holds"), [(-1, False), (0, True), (21, True), (22, False)])
def test_the_window_is_from_today_to_21_days_ahead(ahead, holds):
    day = TODAY + timedelta(days=ahead)
    assert found(TODAY, (1, 0, day.month, day.day)) == ([ahead] if holds else [])


@pytest.mark.parametrize(
    ("as_of", "ahead"),
    [
        (date(2027, 2, 20), 8),  # a common year: kept on the 28th
        (date(2027, 2, 28), 0),
        (date(2028, 2, 20), 9),  # a leap year: on its own day
        (date(2028, 2, 28), 1),
        (date(2028, 2, 29), 0),
    ],
)
def test_29_february_is_kept_on_the_28th_in_common_years(as_of, ahead):
    assert found(as_of, (1, 1992, 2, 29)) == [ahead]


def test_29_february_is_over_on_1_march():
    assert found(date(2027, 3, 1), (1, 1992, 2, 29)) == []


def test_the_window_reaches_over_the_end_of_the_year():
    assert found(date(2026, 12, 20), (2, 2001, 1, 10)) == [21]
    assert found(date(2026, 12, 20), (2, 2001, 1, 11)) == []
    assert found(date(2026, 12, 31), (2, 2001, 1, 1)) == [1]


def test_a_dated_occasion_does_not_come_before_its_first_date():
    assert found(date(2026, 6, 1), (4, 2026, 6, 10)) == [9]
    assert found(date(2026, 6, 1), (4, 2027, 6, 10)) == []


def test_the_nearest_of_several_counts():
    assert found(date(2026, 6, 1), (2, 0, 6, 20), (1, 0, 6, 5), (5, 0, 6, 5)) == [4]


@given(
    as_of=st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    month=st.integers(1, 12),
    day=st.integers(1, 28),
)
def test_the_next_return_is_the_first_such_day_from_today(as_of, month, day):
    ahead = days_until(np.array([0]), np.array([month]), np.array([day]), day_number(as_of))
    expected = next(
        n for n in range(367) if ((on := as_of + timedelta(days=n)).month, on.day) == (month, day)
    )
    assert ahead.tolist() == [expected]


def test_urgency_is_highest_at_two_weeks():
    def urgency(ahead: int) -> float:
        day = TODAY + timedelta(days=ahead)
        book = book_of(TODAY, occasions=[(0, 1, 0, day.month, day.day)])
        return float(occasion_ahead.find(book, day_number(TODAY)).urgency[0])

    assert [urgency(0), urgency(14), urgency(21)] == pytest.approx([0.4, 1.0, 0.7])


def test_it_is_told_as_an_associate_would():
    sentence, facts = occasion_ahead.tell(
        {"kind": 2, "relationship": 0, "days_ahead": 12, "day": day_number(date(2026, 6, 14))}
    )
    assert sentence == "Anniversary on 14 June, in 12 days."
    assert facts == {"occasion": "anniversary", "occasion_date": "2026-06-14", "days_ahead": "12"}
    assert (
        occasion_ahead.tell({"kind": 6, "relationship": 0, "days_ahead": 0, "day": 0})[0]
        == "An occasion on 1 January, today."
    )
    assert (
        occasion_ahead.tell({"kind": 1, "relationship": 0, "days_ahead": 1, "day": 0})[0]
        == "Birthday on 1 January, tomorrow."
    )
