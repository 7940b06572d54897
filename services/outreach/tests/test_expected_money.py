"""What a client is expected to bring: by her own purchases, else clients alike, else the chain; never by nothing."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outreach_story import TODAY, book_of, days_ago

from outreach.purchase_model import BgNbd, GammaGamma, summarise, thin
from outreach.scoring import model as models
from outreach.scoring.model import (
    YEAR_WEEKS,
    Basis,
    ChainModel,
    ModelState,
    basis_words,
    estimate,
    fit,
    fit_and_estimate,
    missing_words,
)
from outreach.scoring.segments import POOLED_DAYS, Segment, pool_segments
from outreach.signals.book import Book
from outreach.signals.finding import day_number

RHYTHM = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=-9582.4, clients=2357, converged=True)
SPEND = GammaGamma(p=6.25, q=3.74, gamma=15.45, log_likelihood=-4058.0, clients=946, converged=True)
MODEL = ChainModel(
    state=ModelState.FITTED,
    note="",
    as_of=TODAY,
    clients=500,
    repeat_clients=200,
    bg_nbd=RHYTHM,
    gamma_gamma=SPEND,
    mean_spend=36.0,
    mean_value_year=80.0,
    segments=(Segment(0, 400, 20.0), Segment(10_000, 400, 90.0), Segment(50_000, 3, 40.0)),
)

Purchases = list[tuple[int, date, int]]


def expected(book: Book, model: ChainModel = MODEL) -> tuple[float, float, float, Basis]:
    found = estimate(model, book, TODAY, minor_per_unit=100)
    return (
        float(found.alive[0]), float(found.purchases_year[0]), float(found.value_year[0]), Basis(int(found.basis[0])),
    )  # fmt: skip


def chain_of(clients: int) -> Purchases:
    """Return purchases of clients who come back and leave as BG/NBD has it, each in a way of her own."""
    rng = np.random.default_rng(3)
    made: Purchases = []
    for client in range(clients):
        ago, rate, leaving = rng.uniform(30, 1_500), rng.gamma(0.8, 1 / 150), rng.beta(0.8, 2.4)
        dear = 1 / rng.gamma(3.7, 1 / 15_000)
        made.append((client, days_ago(int(ago)), int(dear * rng.gamma(6))))
        while (ago := ago - 1 - rng.exponential(1 / rate)) > 0:
            made.append((client, days_ago(int(ago)), int(dear * rng.gamma(6))))
            if rng.random() < leaving:
                break
    return made


def test_a_client_who_came_back_is_valued_by_her_own_history():
    book = book_of(TODAY, purchases=[(0, days_ago(300), 5_000), (0, days_ago(100), 7_000)])
    alive, purchases, value, basis = expected(book)
    assert basis is Basis.OWN
    assert alive == pytest.approx(float(RHYTHM.probability_alive(1, 200 / 7, 300 / 7)))
    assert value == pytest.approx(purchases * float(SPEND.expected_value(1, 70.0)))


@pytest.mark.parametrize(
    ("first_minor", "spend", "basis"),
    [(5_000, 20.0, Basis.SEGMENT), (20_000, 90.0, Basis.SEGMENT), (90_000, 40.0, Basis.CHAIN)],
)
def test_a_client_who_bought_once_spends_as_clients_alike_do(first_minor, spend, basis):
    alive, purchases, value, found = expected(book_of(TODAY, purchases=[(0, days_ago(90), first_minor)]))
    assert (alive, found) == (1.0, basis)
    assert value == pytest.approx(purchases * spend)


def test_one_who_bought_in_another_currency_only_gets_the_chain_s_mean_spend():
    _, purchases, value, basis = expected(book_of(TODAY, foreign=[(0, days_ago(9), 500)]))
    assert basis is Basis.CHAIN
    assert value == pytest.approx(purchases * 36.0)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"purchases": [(0, days_ago(9), -5_000)]},  # a refund of something that nobody knows
        {"purchases": [(0, TODAY + timedelta(days=9), 5_000)]},  # not bought yet
        {"visits": [(0, days_ago(2))]},
    ],
    ids=["nothing", "refunds only", "days to come only", "visits only"],
)
def test_without_a_purchase_there_is_no_figure(facts):
    alive, purchases, value, basis = expected(book_of(TODAY, **facts))
    assert np.isnan([alive, purchases, value]).all()
    assert basis is Basis.NONE


def test_a_purchase_on_the_day_itself_counts_and_breaks_nothing():
    alive, purchases, value, _ = expected(book_of(TODAY, purchases=[(0, TODAY, 5_000)]))
    assert alive == 1.0
    assert 0 < purchases < np.inf
    assert 0 < value < np.inf


def test_more_came_back_than_was_bought_keeps_a_client_out_of_the_spend_not_of_the_rhythm():
    book = book_of(
        TODAY,
        purchases=[(0, days_ago(300), 5_000), (0, days_ago(100), 7_000), (0, days_ago(90), -9_000)],
    )
    alive, purchases, value, basis = expected(book)
    assert 0 < alive < 1
    assert basis is Basis.SEGMENT
    assert value == pytest.approx(purchases * 20.0)


def test_without_gamma_gamma_her_own_mean_is_pooled_with_that_of_clients_alike():
    book = book_of(TODAY, purchases=[(0, days_ago(300), 5_000), (0, days_ago(100), 8_000)])
    _, purchases, value, basis = expected(book, replace(MODEL, gamma_gamma=None))
    assert basis is Basis.OWN
    assert value == pytest.approx(purchases * (80.0 + 20.0) / 2)


def test_where_gamma_gamma_has_no_mean_for_a_client_the_pooled_one_stands_in():
    wide = replace(SPEND, q=0.2, p=0.3)  # px + q <= 1: its expectation is infinite
    book = book_of(TODAY, purchases=[(0, days_ago(300), 5_000), (0, days_ago(100), 8_000)])
    _, purchases, value, _ = expected(book, replace(MODEL, gamma_gamma=wide))
    assert value == pytest.approx(purchases * 50.0)


def test_a_chain_with_little_history_has_no_figure_and_says_so():
    book = book_of(TODAY, purchases=chain_of(60), clients=60)
    model, estimates = fit_and_estimate(book, TODAY, minor_per_unit=100)
    assert model.state is ModelState.NOT_ENOUGH_HISTORY
    assert (
        model.note
        == "Purchase rhythm: not enough history: 60 clients with a purchase, at least 200 are needed."
    )
    assert model.mean_value_year is None
    assert np.isnan(estimates.value_year).all()
    assert not estimates.basis.any()


def test_a_rhythm_that_runs_to_its_bounds_falls_back_to_the_chain_s_own_and_says_so():
    """Everybody buys every 70 days and nobody leaves: the likelihood has no inner maximum."""
    regular: Purchases = [
        (client, days_ago(700 - 70 * step), 10_000 + client) for client in range(300) for step in range(11)
    ]
    book = book_of(TODAY, purchases=regular, clients=300)
    model, estimates = fit_and_estimate(book, TODAY, minor_per_unit=100)
    assert (model.state, model.bg_nbd) == (ModelState.NOT_FITTED, None)
    assert "did not converge" in model.note
    assert "ran to its bound" in model.note
    assert model.note.endswith("the chain's own average stands in.")
    assert np.isnan(estimates.alive).all()
    assert estimates.purchases_year == pytest.approx(np.full(300, 10 * 365 / 700))
    assert set(estimates.basis.tolist()) == {Basis.CHAIN}
    assert model.mean_value_year == pytest.approx(estimates.value_year.mean())


def test_spend_without_spread_falls_back_and_says_so():
    """Equal clients who always pay the same: nothing for Gamma-Gamma to tell apart, so it runs to its bounds."""
    made = [(client, day, 12_000) for client, day, _ in chain_of(400)]
    model = fit(book_of(TODAY, purchases=made, clients=400), TODAY, minor_per_unit=100)
    assert model.bg_nbd is not None
    assert (model.state, model.gamma_gamma) == (ModelState.NOT_FITTED, None)
    assert "Gamma-Gamma did not converge" in model.note
    found = estimate(model, book_of(TODAY, purchases=made, clients=400), TODAY, minor_per_unit=100)
    assert found.value_year == pytest.approx(found.purchases_year * 120.0, rel=1e-9)


def test_every_basis_has_words():
    assert len({basis_words(basis) for basis in Basis}) == len(Basis)


def test_a_band_with_few_repeat_days_says_little_more_than_the_chain():
    first = np.repeat(np.array([100, 200, 300, 400, 500], dtype=np.int64), 100)
    days = np.where(first == 500, 1, 0)
    segments = pool_segments(first, days, days * 9_000, minor_per_unit=100)
    assert [segment.from_minor for segment in segments] == [0, 200, 300, 400, 500]
    assert [segment.mean_spend for segment in segments] == pytest.approx([90.0] * 5)
    assert [segment.says_enough for segment in segments] == [False] * 4 + [True]
    days[:10] = 1  # ten repeat days of a tenth of that below
    few = pool_segments(first, days, np.where(first == 500, 9_000, 900) * days, minor_per_unit=100)
    chain = (100 * 90.0 + 10 * 9.0) / 110
    assert few[0].mean_spend == pytest.approx((10 * 9.0 + POOLED_DAYS * chain) / (10 + POOLED_DAYS))


def test_chains_without_repeat_money_have_no_segments():
    nothing = np.empty(0, dtype=np.int64)
    assert pool_segments(nothing, nothing, nothing, minor_per_unit=100) == ()
    once = np.array([100, 200], dtype=np.int64)
    assert pool_segments(once, once * 0, once * 0, minor_per_unit=100) == ()


@settings(max_examples=80, deadline=None)
@given(
    facts=st.lists(
        st.tuples(st.integers(0, 5), st.integers(-20, 900), st.integers(-4_000, 90_000), st.booleans()),
        max_size=40,
    )
)
def test_summary_columns_say_what_the_raw_purchases_do(facts):
    """The published convention, from raw rows, is what the columns that are kept for each client must come to."""
    rows = [(client, day_number(days_ago(ago)), minor, is_home) for client, ago, minor, is_home in facts]
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    until = day_number(TODAY)
    every = summarise(table[:, 0], table[:, 1], table[:, 2], observed_until=until)
    ours = table[table[:, 3] == 1]
    home = summarise(ours[:, 0], ours[:, 1], ours[:, 2], observed_until=until)
    book = book_of(
        TODAY,
        purchases=[(c, days_ago(ago), minor) for c, ago, minor, is_home in facts if is_home],
        foreign=[(c, days_ago(ago), minor) for c, ago, minor, is_home in facts if not is_home],
        clients=6,
    )
    history = models._history(book, TODAY)
    assert history.rhythm.client.tolist() == every.client.tolist()
    for column in ("frequency", "recency", "tenure"):
        assert getattr(history.rhythm, column) == pytest.approx(getattr(every, column))
    assert history.home.tolist() == home.client.tolist()
    assert (history.home_days - 1).tolist() == home.frequency.tolist()
    assert history.repeat_minor == pytest.approx(home.mean_value * home.frequency)


def test_fitting_folded_columns_is_fitting_every_client():
    made = chain_of(800)
    book = book_of(TODAY, purchases=made, clients=800)
    days = np.array([day_number(day) for _, day, _ in made])
    raw = summarise(
        np.array([client for client, _, _ in made]), days, np.array([minor / 100 for _, _, minor in made]),
        observed_until=day_number(TODAY),
    )  # fmt: skip
    model = fit(book, TODAY, minor_per_unit=100)
    rhythm = BgNbd.fit(raw.frequency, raw.recency, raw.tenure)
    spend = GammaGamma.fit(raw.frequency, raw.mean_value)
    assert model.bg_nbd is not None
    assert model.gamma_gamma is not None
    found, wanted = model.bg_nbd, rhythm
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx(
        (wanted.r, wanted.alpha, wanted.a, wanted.b)
    )
    assert found.log_likelihood == pytest.approx(wanted.log_likelihood)
    assert (model.gamma_gamma.p, model.gamma_gamma.q) == pytest.approx((spend.p, spend.q))


def test_the_order_of_clients_does_not_change_a_bit_of_the_model():
    made = chain_of(500)
    turned = [(499 - client, day, minor) for client, day, minor in made]
    one = fit(book_of(TODAY, purchases=made, clients=500), TODAY, minor_per_unit=100)
    other = fit(book_of(TODAY, purchases=turned, clients=500), TODAY, minor_per_unit=100)
    assert (one.bg_nbd, one.gamma_gamma, one.segments) == (other.bg_nbd, other.gamma_gamma, other.segments)


def test_one_client_alone_is_estimated_as_among_all():
    made = chain_of(300)
    book = book_of(TODAY, purchases=made, clients=300)
    model, every = fit_and_estimate(book, TODAY, minor_per_unit=100)
    for client in range(0, 300, 37):
        own = [(0, day, minor) for who, day, minor in made if who == client]
        alone = estimate(model, book_of(TODAY, purchases=own), TODAY, minor_per_unit=100)
        assert (alone.value_year[0], alone.alive[0], alone.basis[0]) == (
            every.value_year[client], every.alive[client], every.basis[client],
        )  # fmt: skip


def test_half_a_year_is_expected_to_bring_less_than_a_year():
    book = book_of(TODAY, purchases=chain_of(50), clients=50)
    year = estimate(MODEL, book, TODAY, minor_per_unit=100)
    half = estimate(MODEL, book, TODAY, minor_per_unit=100, weeks=YEAR_WEEKS / 2)
    assert (half.purchases_year < year.purchases_year).all()
    assert (half.purchases_year > year.purchases_year / 2).all()


def test_a_thinned_list_of_histories_stands_for_as_many_clients():
    clients = np.random.default_rng(1).integers(1, 9, 5_000).astype(np.float64)
    thinned = thin(clients, 1_000)
    assert np.count_nonzero(thinned) <= 1_000
    assert thinned.sum() == pytest.approx(clients.sum())
    for part in (slice(0, 2_500), slice(1_000, 1_500)):
        assert thinned[part].sum() == pytest.approx(clients[part].sum(), rel=0.02)
    assert thin(clients, 5_000) is clients


def test_a_thinned_fit_says_nearly_the_same(monkeypatch):
    book = book_of(TODAY, purchases=chain_of(6_000), clients=6_000)
    whole = fit_and_estimate(book, TODAY, minor_per_unit=100)[1].value_year
    monkeypatch.setattr(models, "MOST_HISTORIES", 1_000)
    thinned = fit_and_estimate(book, TODAY, minor_per_unit=100)[1].value_year
    assert thinned.sum() == pytest.approx(whole.sum(), rel=0.05)
    assert np.corrcoef(thinned, whole)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("model", "basis", "words"),
    [
        (MODEL, Basis.SEGMENT, ""),
        (
            replace(MODEL, gamma_gamma=None, note="Why."),
            Basis.OWN,
            "Spend per purchase is the client's own mean",
        ),
        (
            replace(MODEL, gamma_gamma=None, note="Why."),
            Basis.SEGMENT,
            "Spend per purchase is that of clients whose",
        ),
        (
            replace(MODEL, gamma_gamma=None, note="Why."),
            Basis.CHAIN,
            "Spend per purchase is the chain's average.",
        ),
        (replace(MODEL, gamma_gamma=None, note="Why."), Basis.NONE, ""),
        (
            replace(MODEL, bg_nbd=None, repeats_year=1.0, note="Why."),
            Basis.CHAIN,
            "Purchases a year are the chain's",
        ),
    ],
)
def test_what_a_figure_does_without_is_said(model, basis, words):
    said = missing_words(model, basis)
    assert said.startswith(words)
    assert bool(said) == bool(words) == said.endswith("Why.")
