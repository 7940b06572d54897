"""What a contact is worth: contributions add up, the order is always the same, no figure comes without history."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outreach_story import TODAY, book_of, days_ago

from outreach.domain import SIGNALS, Signal
from outreach.purchase_model import BgNbd, GammaGamma
from outreach.scoring.model import ChainModel, ModelState, estimate, fit
from outreach.scoring.ranking import NO_PURCHASES, ORDINAL_VALUE, Candidate, rank
from outreach.signals import READINGS
from outreach.signals.book import Book

MODEL = ChainModel(
    state=ModelState.FITTED,
    note="",
    as_of=TODAY,
    clients=500,
    repeat_clients=200,
    bg_nbd=BgNbd(
        r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=-9582.4, clients=2357, converged=True
    ),
    gamma_gamma=GammaGamma(p=6.25, q=3.74, gamma=15.45, log_likelihood=-4058.0, clients=946, converged=True),
    mean_spend=36.0,
    mean_value_year=80.0,
    vip_minor=100_000,
)


def ranked(book: Book, model: ChainModel | None = MODEL, keep: int = 50) -> list[Candidate]:
    return list(rank(book, model, TODAY, currency="USD", minor_per_unit=100, keep=keep))


def test_a_contribution_is_value_times_prior_times_urgency():
    book = book_of(TODAY, purchases=[(0, days_ago(182), 5_000)])
    (candidate,) = ranked(book)
    value = estimate(MODEL, book, TODAY, minor_per_unit=100).value_year[0]
    (reason,) = candidate.reasons
    assert reason.contribution == pytest.approx(
        value * READINGS[Signal.SILENT_ONE_TIMER].prior * 1.0, abs=1e-4
    )
    assert candidate.score == reason.contribution
    assert reason.facts["expected_value_year"] == f"{value:.2f} USD"
    assert candidate.model_note == ""


def test_without_purchases_the_chain_s_average_stands_in_and_that_is_said():
    book = book_of(TODAY, visits=[(0, TODAY), (0, days_ago(1))])
    (candidate,) = ranked(book)
    assert candidate.score == pytest.approx(80.0 * 0.20)
    assert candidate.model_note == NO_PURCHASES
    assert candidate.reasons[0].facts["value_basis"] == "chain average"


@pytest.mark.parametrize("model", [None, replace(MODEL, bg_nbd=None, mean_value_year=None, note="Too few.")])
def test_without_a_model_the_order_follows_the_reasons_and_no_money_is_claimed(model):
    book = book_of(
        TODAY, purchases=[(0, days_ago(182), 900_000)], visits=[(1, TODAY), (1, days_ago(1))], clients=2
    )
    candidates = ranked(book, model)
    assert [candidate.client for candidate in candidates] == [1, 0]
    assert candidates[0].score == ORDINAL_VALUE * 0.20
    assert all(candidate.reasons[0].facts["value_basis"] == "none" for candidate in candidates)
    assert not any("expected_value_year" in candidate.reasons[0].facts for candidate in candidates)
    assert all("without expected value" in candidate.model_note for candidate in candidates)


def test_without_a_spend_model_the_mean_spend_stands_in_and_that_is_said():
    book = book_of(TODAY, purchases=[(0, days_ago(182), 5_000)])
    model = replace(MODEL, gamma_gamma=None, note="Spend per purchase: not enough history.")
    (candidate,) = ranked(book, model)
    expected = estimate(MODEL, book, TODAY, minor_per_unit=100).purchases_year[0] * 36.0
    assert candidate.reasons[0].facts["expected_value_year"] == f"{expected:.2f} USD"
    assert candidate.model_note.startswith("Spend per purchase is the chain's average.")


def test_the_strongest_reason_comes_first():
    soon = TODAY + timedelta(days=14)
    book = book_of(
        TODAY,
        purchases=[(0, days_ago(500), 5_000)],
        visits=[(0, TODAY), (0, days_ago(1))],
        occasions=[(0, 1, 0, soon.month, soon.day)],
    )
    (candidate,) = ranked(book)
    assert [reason.signal for reason in candidate.reasons] == [Signal.HIGH_INTENT, Signal.OCCASION_AHEAD]
    assert candidate.score == pytest.approx(sum(reason.contribution for reason in candidate.reasons))
    assert candidate.expires_on == TODAY + timedelta(days=30)


def test_an_answered_signal_rests_and_others_do_not():
    facts = {"visits": [(0, TODAY), (0, days_ago(1))], "occasions": [(0, 1, 0, TODAY.month, TODAY.day)]}
    rests = [(0, SIGNALS.index(Signal.HIGH_INTENT))]
    (candidate,) = ranked(book_of(TODAY, rests=rests, **facts))
    assert [reason.signal for reason in candidate.reasons] == [Signal.OCCASION_AHEAD]


@pytest.mark.parametrize(
    ("facts", "is_left_in_peace"),
    [
        ({"texts": [(0, days_ago(6))]}, True),
        ({"texts": [(0, days_ago(7))]}, False),
        ({"texts": [(0, days_ago(-1))]}, False),  # later than the day that is ranked
        ({"texts": [(0, days_ago(3))], "answers": [(0, days_ago(3))]}, False),
        ({"texts": [(0, days_ago(3))], "answers": [(0, days_ago(4))]}, True),
        ({"texts": [(0, days_ago(3))], "visits": [(0, days_ago(2))]}, False),
    ],
)
def test_whom_the_house_wrote_to_is_left_in_peace_for_a_week(facts, is_left_in_peace):
    occasion = [(0, 1, 0, TODAY.month, TODAY.day)]
    assert (ranked(book_of(TODAY, occasions=occasion, **facts)) == []) is is_left_in_peace


def test_the_model_is_fitted_or_says_why_not():
    few = fit(book_of(TODAY, purchases=[(0, days_ago(9), 100)]), TODAY, minor_per_unit=100)
    assert (few.state, few.bg_nbd, few.mean_value_year) == (ModelState.NOT_ENOUGH_HISTORY, None, None)
    assert "not enough history" in few.note
    nobody = fit(book_of(TODAY), TODAY, minor_per_unit=100)
    assert (nobody.state, nobody.clients, nobody.mean_spend) == (ModelState.NOT_ENOUGH_HISTORY, 0, None)


def test_refunds_only_and_foreign_money_only_give_no_figure():
    book = book_of(TODAY, purchases=[(0, days_ago(9), -100)], foreign=[(1, days_ago(9), 500)], clients=2)
    found = estimate(MODEL, book, TODAY, minor_per_unit=100)
    assert np.isnan(found.alive[0])
    assert found.alive[1] == 1.0
    assert book.total_minor.tolist() == [-100, 0]


@settings(max_examples=60, deadline=None)
@given(
    purchases=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 900), st.integers(-5_000, 400_000)), max_size=40
    ),
    visits=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 60)), max_size=20),
    keep=st.integers(1, 9),
    seed=st.randoms(),
)
def test_the_order_of_facts_does_not_matter_and_parts_add_up(purchases, visits, keep, seed):
    bought = [(client, days_ago(ago), minor) for client, ago, minor in purchases]
    came = [(client, days_ago(ago)) for client, ago in visits]
    first = ranked(book_of(TODAY, purchases=bought, visits=came, clients=8), keep=keep)
    seed.shuffle(bought)
    seed.shuffle(came)
    assert ranked(book_of(TODAY, purchases=bought, visits=came, clients=8), keep=keep) == first
    every = ranked(book_of(TODAY, purchases=bought, visits=came, clients=8), keep=8)
    assert first == [
        c for c in every if len(every) < keep or c.score >= every[min(keep, len(every)) - 1].score
    ]
    for candidate in every:
        assert candidate.score == pytest.approx(sum(r.contribution for r in candidate.reasons), abs=1e-6)
        assert len({reason.signal for reason in candidate.reasons}) == len(candidate.reasons)
        assert candidate.expires_on >= TODAY


@settings(max_examples=40, deadline=None)
@given(
    facts=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900), st.integers(-900, 9_000)), max_size=30)
)
def test_one_client_alone_is_judged_as_among_all(facts):
    """What an event re-evaluates one by one must agree with what the night ranks as a whole."""
    everyone = ranked(book_of(TODAY, purchases=[(c, days_ago(a), m) for c, a, m in facts], clients=4))
    alone = [
        replace(candidate, client=client)
        for client in range(4)
        for candidate in ranked(
            book_of(TODAY, purchases=[(0, days_ago(a), m) for c, a, m in facts if c == client])
        )
    ]
    assert sorted(alone, key=lambda c: (-c.score, c.client)) == everyone
