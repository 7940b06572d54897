"""Spend per purchase: likelihood, fit and expected value against slower ways to the same numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import gamma as gamma_distribution

from outreach.purchase_model import FitDidNotConverge, GammaGamma, NotEnoughHistory, UnusableInput
from outreach.purchase_model.gamma_gamma import FoldedSpend

unhurried = settings(deadline=None)  # a busy machine is not a fault of the model
parameter = st.floats(0.1, 30)


def model(p: float, q: float, gamma: float) -> GammaGamma:
    return GammaGamma(p, q, gamma, log_likelihood=0.0, clients=0, converged=False)


CDNOW = model(6.25, 3.74, 15.44)


def simulate(clients: int, p: float, q: float, gamma: float, seed: int):
    rng = np.random.default_rng(seed)
    x = rng.geometric(0.4, clients).astype(float)
    rate = rng.gamma(q, 1 / gamma, clients)
    return x, rng.gamma(p * x) / rate / x


# expected value


def test_the_expectation_equals_the_integral_over_a_clients_own_rate():
    x, m = 3, 42.0
    own_rate = gamma_distribution(CDNOW.p * x + CDNOW.q, scale=1 / (CDNOW.gamma + x * m))
    integral, _ = quad(lambda rate: CDNOW.p / rate * own_rate.pdf(rate), 0, np.inf)
    assert CDNOW.expected_value(x, m) == pytest.approx(integral, rel=1e-8)


@unhurried
@given(parameter, st.floats(1.1, 30), parameter, st.integers(1, 50), st.floats(0.01, 1e6))
def test_the_expectation_lies_between_the_clients_mean_and_the_chains(p, q, gamma, x, m):
    spend = model(p, q, gamma)
    low, high = sorted((m, spend.population_mean))
    assert low * (1 - 1e-9) <= spend.expected_value(x, m) <= high * (1 + 1e-9)


def test_more_purchases_trust_the_clients_own_mean_more():
    few, many = CDNOW.expected_value([1, 1000], 100)
    assert CDNOW.population_mean < few < many == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(("x", "m"), [(0, 0), (0, 80), (3, 0), (3, -5)])
def test_a_client_without_positive_repeat_value_gets_the_population_mean(x, m):
    assert CDNOW.expected_value(x, m) == pytest.approx(CDNOW.population_mean)


def test_a_mean_that_does_not_exist_is_infinite():
    wide = model(0.5, 0.4, 10)
    assert wide.population_mean == np.inf
    assert np.isinf(wide.expected_value([0, 1, 2], [0, 50, 50])).tolist() == [True, True, False]


# likelihood and fit


logs = st.floats(-3, 3)


@unhurried
@given(st.tuples(logs, logs, logs))
def test_the_gradient_equals_finite_differences(log_parameters):
    at, folded = np.array(log_parameters), FoldedSpend.fold(*simulate(80, 5, 4, 3, seed=3))
    _, gradient = folded.average_log_likelihood(at)
    for i, step in enumerate(np.eye(3) * 1e-5):
        up, down = (folded.average_log_likelihood(at + sign * step)[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


@unhurried
@given(st.tuples(logs, logs, logs))
def test_folding_does_not_change_the_likelihood(log_parameters):
    x, m = simulate(60, 5, 4, 3, seed=3)
    at = np.array(log_parameters)
    once, thrice = FoldedSpend.fold(x, m), FoldedSpend.fold(np.tile(x, 3), np.tile(m, 3))
    one_by_one = [
        FoldedSpend.fold(x[i : i + 1], m[i : i + 1]).average_log_likelihood(at)[0] for i in range(60)
    ]
    assert len(thrice.x) == len(once.x)
    assert thrice.average_log_likelihood(at)[0] == pytest.approx(np.mean(one_by_one), rel=1e-12)


def test_the_order_of_clients_does_not_change_a_bit_of_the_fit():
    x, m = simulate(2_000, 6, 4, 15, seed=5)
    order = np.random.default_rng(0).permutation(2_000)
    assert GammaGamma.fit(x, m) == GammaGamma.fit(x[order], m[order])


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e12])
def test_the_parameters_that_made_the_data_are_recovered_in_any_unit(unit):
    fitted = GammaGamma.fit(*simulate(40_000, 6, 4, 15 * unit, seed=9))
    assert (fitted.p, fitted.q, fitted.gamma) == pytest.approx((6, 4, 15 * unit), rel=0.08)


def test_the_likelihood_is_that_of_the_money_unit_given():
    x, m = simulate(2_000, 6, 4, 15, seed=5)
    fitted = GammaGamma.fit(x, m)
    direct, _ = FoldedSpend.fold(x, m).average_log_likelihood(np.log([fitted.p, fitted.q, fitted.gamma]))
    assert fitted.log_likelihood == pytest.approx(direct * 2_000, rel=1e-12)


def test_clients_without_repeat_or_without_value_do_not_enter_the_fit():
    x, m = simulate(500, 6, 4, 15, seed=5)
    padded = GammaGamma.fit(np.append(x, [0, 2, 2]), np.append(m, [9, 0, -3]))
    assert padded == GammaGamma.fit(x, m)


# what is refused


@pytest.mark.parametrize("spenders", [0, 1, 49])
def test_too_few_spenders_are_not_enough_history(spenders):
    x = np.repeat([1, 0], [spenders, 500])
    says = f"{spenders} clients with a repeat purchase of value, at least 50"
    with pytest.raises(NotEnoughHistory, match=says):
        GammaGamma.fit(x, x * 10.0)


def test_refunds_only_are_not_enough_history():
    with pytest.raises(NotEnoughHistory):
        GammaGamma.fit(np.full(500, 2), np.full(500, -10.0))


def test_clients_who_all_spend_the_same_have_no_fit():
    with pytest.raises(FitDidNotConverge) as refused:
        GammaGamma.fit(np.full(500, 2), np.full(500, 10.0))
    assert set(refused.value.stopped_at) == {"p", "q", "gamma"}


@pytest.mark.parametrize(
    ("spend", "says"),
    [
        ((np.nan, 1), "frequency holds NaN"),
        ((1, np.nan), "mean_value holds NaN"),
        ((1, np.inf), "mean_value holds an infinite"),
        ((-1, 1), "frequency holds -1"),
        ((0.5, 1), "frequency holds a fraction"),
    ],
)
def test_impossible_spend_is_refused_by_name(spend, says):
    for use in (CDNOW.expected_value, GammaGamma.fit):
        with pytest.raises(UnusableInput, match=says):
            use(*spend)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UnusableInput, match="differ in shape"):
        CDNOW.expected_value([1, 1], [1, 1, 1])
    with pytest.raises(UnusableInput, match="differ in length"):
        GammaGamma.fit([1, 1], [1, 1, 1])


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf])
def test_parameters_are_positive_numbers(wrong):
    with pytest.raises(UnusableInput, match="gamma"):
        model(1, 1, wrong)
