"""Which purchases count, from when, and what refunds do."""

from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.purchase_model import UnusableInput, summarise

unhurried = settings(deadline=None)  # a busy machine is not a fault of the model
transactions = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 60), st.integers(-500, 5000)), min_size=1, max_size=60
)


def of_one_client(*rows: tuple[int, float], until: int = 70):
    days, amounts = zip(*rows, strict=True)
    return summarise([0] * len(rows), days, amounts, observed_until=until)


def row(summary, at: int = 0) -> tuple[float, ...]:
    columns = (summary.frequency, summary.recency, summary.tenure, summary.mean_value)
    return tuple(float(column[at]) for column in columns)


def test_the_first_day_opens_the_history_and_is_not_counted():
    assert row(of_one_client((0, 50), (7, 30), (28, 10))) == (2, 4, 10, 20)


def test_a_client_who_bought_once_has_a_tenure_only():
    assert row(of_one_client((7, 50))) == (0, 0, 9, 0)


def test_several_purchases_in_a_day_count_once_and_add_up():
    assert row(of_one_client((0, 50), (0, 5), (7, 30), (7, 10))) == (1, 1, 10, 40)


def test_a_purchase_of_nothing_counts_as_a_day():
    assert row(of_one_client((0, 50), (7, 0), (14, 20))) == (2, 2, 10, 10)


def test_a_refund_lowers_the_latest_purchase_day_and_makes_no_day():
    assert row(of_one_client((0, 50), (7, 30), (10, -12), (28, 10))) == (2, 4, 10, 14)


def test_a_refund_of_the_first_purchase_leaves_the_repeat_value_alone():
    assert row(of_one_client((0, 50), (3, -50), (7, 30))) == (1, 1, 10, 30)


def test_a_refund_before_any_purchase_is_left_out():
    assert row(of_one_client((0, -50), (7, 30), (14, 20))) == (1, 1, 9, 20)


def test_a_refund_never_falls_on_the_client_before():
    summary = summarise([0, 0, 1, 1], [0, 7, 3, 9], [50, 30, -20, 10], observed_until=70)
    assert (row(summary, 0), row(summary, 1)) == ((1, 1, 10, 30), (0, 0, 61 / 7, 0))


def test_a_fully_returned_repeat_purchase_counts_but_has_no_value():
    assert row(of_one_client((0, 50), (7, 30), (9, -30))) == (1, 1, 10, 0)


def test_clients_with_refunds_only_or_purchases_later_only_have_no_row():
    assert len(summarise([0, 1], [3, 80], [-5, 10], observed_until=70)) == 0


def test_no_transactions_give_no_rows():
    assert len(summarise([], [], [], observed_until=70)) == 0


def test_what_happens_after_the_last_observed_day_is_left_out():
    rows = (0, 50), (70, 30)
    assert row(of_one_client(*rows, (71, 99), (72, -99))) == row(of_one_client(*rows))


def test_clients_keep_their_numbers_and_come_in_order():
    summary = summarise([9, 2, 9], [0, 7, 7], [5, 5, 5], observed_until=70)
    assert (summary.client.tolist(), summary.frequency.tolist()) == ([2, 9], [0, 1])


def test_calendar_days_and_day_numbers_agree():
    days = [date(1997, 1, 1), date(1997, 1, 18), date(1997, 8, 2)]
    by_date = summarise([0, 0, 0], days, [1, 2, 3], observed_until=date(1997, 9, 30))
    as_numpy = summarise([0, 0, 0], np.array(days, dtype="datetime64[D]"), [1, 2, 3], observed_until=days[2])
    by_number = summarise([0, 0, 0], [0, 17, 213], [1, 2, 3], observed_until=272)
    assert row(by_date) == row(by_number)
    assert row(as_numpy)[:2] == row(by_number)[:2]


def test_amounts_near_the_end_of_float_are_summed_or_refused():
    assert row(of_one_client((0, 1), (7, 1e300)))[3] == 1e300
    with pytest.raises(UnusableInput, match="amount adds up"):
        of_one_client((0, 1), (7, 1.7e308), (7, 1.7e308))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([0], [0], [np.nan]), "amount holds NaN"),
        (([0], [0], [np.inf]), "amount holds an infinite"),
        (([0], [0], ["ten"]), "amount must hold numbers"),
        (([0], [np.nan], [1]), "day holds NaN"),
        (([0], [0.5], [1]), "day must hold whole numbers"),
        (([0], [object()], [1]), "day must hold whole numbers or calendar days"),
        (([0], np.array(["NaT"], dtype="datetime64[D]"), [1]), "day holds NaT"),
        (([-1], [0], [1]), "client holds a negative"),
        (([0.5], [0], [1]), "client must hold whole numbers"),
        (([0, 1], [0], [1]), "client, day, amount differ in length: 2, 1, 1"),
        (([[0]], [0], [1]), "client must have one dimension"),
        (([2**62], [0], [1]), "client, day reach too far"),
        (
            ([0], np.array(["1997-01-01"], dtype="datetime64[D]"), [1]),
            "observed_until must be a calendar day",
        ),
    ],
)
def test_what_cannot_be_placed_is_refused_by_name(arguments, says):
    with pytest.raises(UnusableInput, match=says):
        summarise(*arguments, observed_until=70)


def test_a_period_without_length_is_refused():
    with pytest.raises(UnusableInput, match="days_per_period"):
        summarise([0], [0], [1], observed_until=70, days_per_period=0)


def test_a_moment_within_the_last_day_still_counts_that_day():
    days = [date(1997, 1, 1), date(1997, 1, 8)]
    summary = summarise([0, 0], days, [1, 1], observed_until=datetime(1997, 1, 8, 12))
    assert row(summary)[:3] == (1, 1, 1)


@unhurried
@given(transactions, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    one = summarise(*zip(*rows, strict=True), observed_until=50)
    other = summarise(*zip(*shuffled, strict=True), observed_until=50)
    for name in ("client", "frequency", "recency", "tenure", "mean_value"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@unhurried
@given(transactions)
def test_a_summary_is_always_a_history_the_models_accept(rows):
    summary = summarise(*zip(*rows, strict=True), observed_until=50)
    assert (summary.recency <= summary.tenure).all()
    assert ((summary.frequency > 0) == (summary.recency > 0)).all()
    assert (summary.mean_value[summary.frequency == 0] == 0).all()


@unhurried
@given(transactions)
def test_the_summary_equals_a_plain_loop(rows):
    expected = {}
    for client in {c for c, day, amount in rows if day <= 50 and amount >= 0}:
        value: dict[int, float] = {}
        for c, day, amount in sorted(rows, key=lambda t: (t[1], t[2] < 0)):
            if c != client or day > 50:
                continue
            if amount >= 0:
                value[day] = value.get(day, 0) + amount
            elif value:
                value[max(value)] += amount
        first, *later = sorted(value)
        mean = sum(value[day] for day in later) / len(later) if later else 0
        expected[client] = (len(later), (max(value) - first) / 7, (50 - first) / 7, mean)
    summary = summarise(*zip(*rows, strict=True), observed_until=50)
    assert {int(client): row(summary, at) for at, client in enumerate(summary.client)} == expected
