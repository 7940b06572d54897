"""Which contacts an outcome is credited to: shares add up to one whatever the contacts, and windows have an end."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.attribution import PARTS, Contact, Happening, OutcomeKind, credits_of, split, window_days
from outreach.domain.holdouts import is_held_out, period_of
from outreach.domain.intervals import newcombe, wilson
from outreach.domain.settings import AttributionRule, CreditShare

NOON = datetime(2026, 3, 10, 16, tzinfo=UTC)
BUILT_IN = AttributionRule().in_force()


def contact(days: float, touch_id: str = "tch_1") -> Contact:
    at = NOON - timedelta(days=days)
    return Contact(touch_id, at, at.date())


def happening(kind: OutcomeKind = OutcomeKind.PURCHASE, **fields) -> Happening:
    return Happening(kind, NOON, NOON.date(), **fields)


def shares(rule: AttributionRule, *days: float, **fields) -> list[int]:
    found = credits_of(rule, happening(**fields), [contact(d, f"tch_{n}") for n, d in enumerate(days)])
    return [credit.parts for credit in found]


def rule(share: CreditShare, **fields) -> AttributionRule:
    return AttributionRule(share=share, **fields).in_force()


def test_built_in_windows_and_share() -> None:
    assert {kind: window_days(BUILT_IN, kind) for kind in OutcomeKind} == {
        OutcomeKind.REPLY: 7,
        OutcomeKind.VISIT: 30,
        OutcomeKind.APPOINTMENT: 30,
        OutcomeKind.PURCHASE: 60,
    }
    assert BUILT_IN.share is CreditShare.DECAY


@given(
    days=st.lists(st.floats(-5, 400), max_size=40),
    order=st.randoms(use_true_random=False),
    share=st.sampled_from(CreditShare),
    amount=st.integers(0, 10**15),
)
def test_shares_and_amounts_add_up_exactly_in_any_order(days, order, share, amount) -> None:
    contacts = [contact(day, f"tch_{n}") for n, day in enumerate(days)]
    outcome = happening(amount_minor=amount)
    found = credits_of(rule(share, purchase_days=365), outcome, contacts)
    order.shuffle(contacts)
    assert credits_of(rule(share, purchase_days=365), outcome, contacts) == found
    if found:
        assert sum(credit.parts for credit in found) == PARTS
        assert sum(credit.amount_minor for credit in found) == amount
        assert all(0 < credit.parts <= PARTS and credit.amount_minor >= 0 for credit in found)
    else:
        assert not any(0 <= (NOON.date() - one.day).days <= 365 and one.at <= NOON for one in contacts)


@given(total=st.integers(0, 10**15), weights=st.lists(st.integers(0, 10**12), min_size=1).filter(any))
def test_whole_parts_are_within_one_of_their_proportion(total, weights) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part * sum(weights) - total * weight) < sum(weights)
        for part, weight in zip(parts, weights, strict=True)
    )


def test_the_last_takes_all_even_takes_the_same_and_decay_halves_by_the_week() -> None:
    assert shares(rule(CreditShare.LAST), 14, 7, 0) == [PARTS]
    assert shares(rule(CreditShare.EVEN), 14, 7, 0) == [333_333, 333_333, 333_334]
    assert shares(rule(CreditShare.DECAY), 14, 7, 0) == [142_857, 285_714, 571_429]


def test_a_window_ends_with_its_last_day_and_what_came_after_the_outcome_is_no_reason() -> None:
    assert shares(BUILT_IN, 60) == [PARTS]
    assert shares(BUILT_IN, 61) == []
    assert shares(BUILT_IN, -0.01) == []
    assert shares(BUILT_IN, 0) == [PARTS]


def test_contacts_far_back_share_as_those_nearby_do() -> None:
    wide = rule(CreditShare.DECAY, purchase_days=365)
    assert shares(wide, 365, 358) == shares(wide, 7, 0)


def test_a_reply_answers_what_was_said_since_the_client_last_wrote() -> None:
    reply = {"kind": OutcomeKind.REPLY, "after": NOON - timedelta(days=2)}
    assert len(shares(BUILT_IN, 3, 1, **reply)) == 1
    assert shares(BUILT_IN, 3, 2, **reply) == []


def test_newcombe_as_published() -> None:
    # Newcombe 1998, table II, method 10: (a) 56/70 - 48/80, (c) 6/7 - 2/7, (e) 0/10 - 0/20, (h) 10/10 - 0/10.
    for one, of_one, other, of_other, low, high in (
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0000),
    ):
        found = newcombe(one, of_one, other, of_other)
        assert found.value == pytest.approx(one / of_one - other / of_other)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson_as_published() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    for successes, trials, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(successes, trials)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(trials=st.integers(1, 10**7), share=st.floats(0, 1))
def test_an_interval_holds_its_value_and_stays_a_share(trials, share) -> None:
    found = wilson(share * trials, trials)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_same_clients_are_held_out_by_everybody_and_about_as_many_as_asked_for() -> None:
    clients = [f"cli_{n}" for n in range(20_000)]
    held = {one for one in clients if is_held_out("chn_1", one, "2026Q1", share=0.1)}
    assert 1_850 < len(held) < 2_150
    assert held == {one for one in clients if is_held_out("chn_1", one, "2026Q1", share=0.1)}
    assert held < {one for one in clients if is_held_out("chn_1", one, "2026Q1", share=0.2)}
    assert held != {one for one in clients if is_held_out("chn_1", one, "2026Q2", share=0.1)}
    assert not any(is_held_out("chn_1", one, "2026Q1", share=0) for one in clients)


def test_a_period_is_a_quarter() -> None:
    days = [datetime(2026, month, 1, tzinfo=UTC).date() for month in range(1, 13)]
    assert [period_of(day) for day in days] == [
        f"2026Q{quarter}" for quarter in (1, 2, 3, 4) for _ in range(3)
    ]
