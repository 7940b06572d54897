"""The buying rhythm: likelihood, fit, P(alive) and expectations against slower ways to the same numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta

from outreach.purchase_model import BgNbd, FitDidNotConverge, NotEnoughHistory, UnusableInput
from outreach.purchase_model.bg_nbd import FoldedHistories

unhurried = settings(deadline=None)  # a busy machine is not a fault of the model
positive = st.floats(0.05, 20)


def model(r: float, alpha: float, a: float, b: float) -> BgNbd:
    return BgNbd(r, alpha, a, b, log_likelihood=0.0, clients=0, converged=False)


models = st.builds(model, positive, positive, positive, positive)
CDNOW = model(0.243, 4.414, 0.793, 2.426)


@st.composite
def histories(draw, most: int = 30):
    x = draw(st.integers(0, most))
    t = draw(st.floats(0.2, 200))
    return x, (t * draw(st.floats(0.01, 1)) if x else 0.0), t


def simulate(clients: int, r: float, alpha: float, a: float, b: float, seed: int):
    """Draw histories from the model itself, purchase by purchase."""
    rng = np.random.default_rng(seed)
    rate, leaving = rng.gamma(r, 1 / alpha, clients), rng.beta(a, b, clients)
    t = rng.uniform(20, 60, clients)
    x, t_x, is_alive = np.zeros(clients), np.zeros(clients), np.ones(clients, dtype=bool)
    while is_alive.any():
        with np.errstate(divide="ignore"):
            following = t_x + rng.exponential(1, clients) / rate
        is_alive &= following <= t
        x, t_x = x + is_alive, np.where(is_alive, following, t_x)
        is_alive &= rng.random(clients) >= leaving
    return x, t_x, t


# P(alive)


@unhurried
@given(models, histories())
def test_the_probability_of_being_alive_is_a_probability(model, history):
    assert 0 <= model.probability_alive(*history) <= 1


@unhurried
@given(models, st.floats(0, 500))
def test_nobody_without_a_repeat_purchase_has_left(model, t):
    assert model.probability_alive(0, 0, t) == 1


@unhurried
@given(models, histories(), st.floats(0, 100))
def test_silence_never_makes_a_client_more_alive(model, history, silence):
    x, t_x, t = history
    assert model.probability_alive(x, t_x, t + silence) <= model.probability_alive(x, t_x, t)


def test_a_frequent_client_gone_silent_is_less_alive_than_a_rare_one():
    frequent, rare = CDNOW.probability_alive([20, 1], 20, 39)
    assert frequent < 0.01
    assert rare > 0.5


def test_a_very_frequent_client_does_not_overflow():
    assert CDNOW.probability_alive([1e6, 1e6], [39, 10], 39).tolist() == pytest.approx([1, 0], abs=1e-5)


# expected purchases


def numerically(m: BgNbd, horizon: float, x: float, t_x: float, t: float) -> float:
    """Average (1 - E[exp(-rate leaving horizon)]) / leaving over what the history says of her leaving."""

    def given_leaving(p: float) -> float:
        if p == 0:
            return (m.r + x) * horizon / (m.alpha + t)
        return -np.expm1(-(m.r + x) * np.log1p(p * horizon / (m.alpha + t))) / p

    integral, _ = quad(given_leaving, 0, 1, weight="alg", wvar=(m.a - 1, m.b + x - 1), epsabs=0)
    return float(integral / beta(m.a, m.b + x) * m.probability_alive(x, t_x, t))


@unhurried
@given(models, histories(), st.floats(0.01, 100))
def test_expected_purchases_equal_the_integral_they_stand_for(model, history, horizon):
    expected = model.expected_purchases(horizon, *history)
    assert expected == pytest.approx(numerically(model, horizon, *history), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("nearby", [0, 1e-12, 3e-6, 1.1e-5, -1e-12, -3e-6])
@pytest.mark.parametrize(("a", "b"), [(1, 2.4), (0.5, 0.5), (0.2, 0.8)])
@pytest.mark.parametrize("x", [0, 1, 7])
def test_the_removable_poles_of_the_formula_are_removed(nearby, a, b, x):
    near = model(0.3, 4, a + nearby, b)
    history = x, (10 if x else 0), 30
    assert near.expected_purchases(13, *history) == pytest.approx(numerically(near, 13, *history), rel=1e-7)


@unhurried
@given(models, histories(), st.floats(0, 100), st.floats(0, 100))
def test_a_longer_horizon_never_expects_less(model, history, horizon, more):
    shorter, longer = model.expected_purchases([horizon, horizon + more], *history)
    assert 0 <= shorter <= longer + 1e-9


@unhurried
@given(models, histories())
def test_no_horizon_expects_nothing(model, history):
    assert model.expected_purchases(0, *history) == 0


@pytest.mark.parametrize("x", [1e3, 1e5, 1e7])
def test_a_very_frequent_client_is_expected_to_go_on_without_overflow(x):
    steady = model(0.243, 4.414, 1e-3, 50)
    expected = steady.expected_purchases(1, x, 39, 39)
    assert expected == pytest.approx(x / (39 + 4.414), rel=0.01)


def test_arguments_broadcast():
    grid = CDNOW.expected_purchases([[4], [13]], [0, 1, 2], [0, 5, 20], 39)
    assert grid.shape == (2, 3)
    assert grid[1, 2] == CDNOW.expected_purchases(13, 2, 20, 39)


# likelihood and fit


def sample(seed: int = 7, clients: int = 60):
    x, t_x, t = simulate(clients, 0.6, 4, 0.8, 2.4, seed)
    return np.tile(x, 3), np.tile(t_x, 3), np.tile(t, 3)


logs = st.floats(-3, 3)


@unhurried
@given(st.tuples(logs, logs, logs, logs))
def test_the_gradient_equals_finite_differences(log_parameters):
    at, folded = np.array(log_parameters), FoldedHistories.fold(*sample())
    _, gradient = folded.average_log_likelihood(at)
    for i, step in enumerate(np.eye(4) * 1e-5):
        up, down = (folded.average_log_likelihood(at + sign * step)[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


@unhurried
@given(st.tuples(logs, logs, logs, logs))
def test_folding_does_not_change_the_likelihood(log_parameters):
    columns, at = sample(), np.array(log_parameters)
    folded = FoldedHistories.fold(*columns)
    one_by_one = [
        FoldedHistories.fold(*(column[i : i + 1] for column in columns)).average_log_likelihood(at)[0]
        for i in range(len(columns[0]))
    ]
    assert len(folded.x) <= np.count_nonzero(columns[0]) / 3
    assert folded.average_log_likelihood(at)[0] == pytest.approx(np.mean(one_by_one), rel=1e-12)


def test_the_order_of_clients_does_not_change_a_bit_of_the_fit():
    columns = simulate(2_000, 0.6, 4, 0.8, 2.4, seed=1)
    order = np.random.default_rng(0).permutation(2_000)
    assert BgNbd.fit(*columns) == BgNbd.fit(*(column[order] for column in columns))


def test_the_parameters_that_made_the_data_are_recovered():
    fitted = BgNbd.fit(*simulate(60_000, 0.5, 4, 0.8, 2.4, seed=20))
    assert (fitted.r, fitted.alpha, fitted.a, fitted.b) == pytest.approx((0.5, 4, 0.8, 2.4), rel=0.08)
    assert fitted.converged


def test_the_likelihood_is_that_of_the_time_unit_given():
    columns = simulate(2_000, 0.6, 4, 0.8, 2.4, seed=1)
    fitted = BgNbd.fit(*columns)
    at = np.log([fitted.r, fitted.alpha, fitted.a, fitted.b])
    direct, _ = FoldedHistories.fold(*columns).average_log_likelihood(at)
    assert fitted.log_likelihood == pytest.approx(direct * 2_000, rel=1e-12)


# what is refused


@pytest.mark.parametrize("clients", [0, 1, 199])
def test_too_few_clients_are_not_enough_history(clients):
    with pytest.raises(NotEnoughHistory, match=f"{clients} clients with a purchase, at least 200"):
        BgNbd.fit(np.ones(clients), np.ones(clients), np.full(clients, 9))


def test_too_few_repeaters_are_not_enough_history():
    x = np.repeat([0, 1], [1_000, 49])
    with pytest.raises(NotEnoughHistory, match="49 clients with a repeat purchase, at least 50"):
        BgNbd.fit(x, x * 2.0, np.full(1_049, 9))


def test_nobody_coming_back_is_not_enough_history_however_low_the_limits():
    with pytest.raises(NotEnoughHistory):
        BgNbd.fit([0], [0], [9], minimum_clients=0, minimum_repeaters=0)


def test_clients_who_are_all_alike_have_no_fit():
    with pytest.raises(FitDidNotConverge, match="ran to its bound") as refused:
        BgNbd.fit(np.full(500, 4), np.full(500, 38.0), np.full(500, 39.0))
    assert set(refused.value.stopped_at) == {"r", "alpha", "a", "b"}


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ((np.nan, 1, 2), "frequency holds NaN"),
        ((1, np.nan, 2), "recency holds NaN"),
        ((1, 1, np.nan), "tenure holds NaN"),
        ((1, 1, np.inf), "tenure holds an infinite"),
        ((-1, 0, 2), "frequency holds -1"),
        ((1.5, 1, 2), "frequency holds a fraction"),
        ((1, 3, 2), "recency is longer than tenure"),
        ((0, 1, 2), "recency must be above zero exactly where"),
        ((1, 0, 2), "recency must be above zero exactly where"),
        (([1, 1], [1, 1, 1], 2), "differ in shape"),
    ],
)
def test_an_impossible_history_is_refused_by_name(history, says):
    for score in (CDNOW.probability_alive, lambda *h: CDNOW.expected_purchases(1, *h), BgNbd.fit):
        with pytest.raises(UnusableInput, match=says):
            score(*history)


def test_an_impossible_horizon_is_refused_by_name():
    for horizon, says in ((np.nan, "horizon holds NaN"), (-1, "horizon holds -1")):
        with pytest.raises(UnusableInput, match=says):
            CDNOW.expected_purchases(horizon, 1, 1, 2)
    with pytest.raises(UnusableInput, match="differ in shape"):
        CDNOW.expected_purchases([1, 2, 3], [1, 1], [1, 1], 2)


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(UnusableInput, match="one dimension"):
        BgNbd.fit(np.ones(300), np.ones(300), 9)


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf])
def test_parameters_are_positive_numbers(wrong):
    with pytest.raises(UnusableInput, match="alpha"):
        model(1, wrong, 1, 1)
