"""The ranking: a total order that depends on the candidates and on nothing else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.testing import NOON
from waitlist.domain.interests import InterestState
from waitlist.domain.policies import default_policy
from waitlist.domain.ranking import Candidate, rank

POLICY = default_policy(NOON)
weights = st.floats(0, 100)
policies = st.builds(
    replace,
    st.just(POLICY),
    waiting_time_weight=weights,
    history_weight=weights,
    first_time_buyer_weight=weights,
    local_store_weight=weights,
    recent_allocation_days=st.sampled_from([0, 1, 365]),
)
moments = st.integers(-5, 1200).map(lambda days: NOON - timedelta(days=days))
candidate_lists = st.lists(
    st.builds(
        Candidate,
        interest_id=st.uuids().map(str),
        client_id=st.sampled_from(["cli_a", "cli_b", "cli_c"]),
        store_id=st.sampled_from(["sto_one", "sto_two"]),
        state=st.sampled_from(InterestState),
        registered_at=moments,
        purchase_count=st.integers(0, 60),
        last_piece_at=st.none() | moments,
        holds_offer=st.booleans(),
        had_offer_of_allocation=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.interest_id,
)


def ranking(candidates, policy=POLICY):
    """Rank for the store sto_one at NOON."""
    return rank(candidates, policy=policy, store_id="sto_one", now=NOON)


def candidate(**fields):
    """Return a candidate who registered a year ago in the allocation's store and never bought."""
    return Candidate(
        **{
            "interest_id": "int_1",
            "client_id": "cli_1",
            "store_id": "sto_one",
            "state": InterestState.WAITING,
            "registered_at": NOON - timedelta(days=365),
            "purchase_count": 0,
            **fields,
        }
    )


@given(candidate_lists, policies, st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_candidates(candidates, policy, random) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert ranking(shuffled, policy) == ranking(candidates, policy)


@given(candidate_lists, policies)
def test_ranks_count_from_one_without_a_gap_and_scores_never_rise(candidates, policy) -> None:
    ranked = ranking(candidates, policy)
    eligible = [one for one in ranked if one.rank]
    assert [one.rank for one in eligible] == list(range(1, len(eligible) + 1))
    assert ranked[: len(eligible)] == tuple(eligible)
    scores = [one.score for one in eligible]
    assert scores == sorted(scores, reverse=True)
    assert {one.candidate.interest_id for one in ranked} == {one.interest_id for one in candidates}


@given(candidate_lists, policies)
def test_parts_lie_between_nothing_and_their_weight_and_add_up_to_the_score(candidates, policy) -> None:
    most = (
        policy.waiting_time_weight,
        policy.history_weight,
        policy.first_time_buyer_weight,
        policy.local_store_weight,
    )
    for one in ranking(candidates, policy):
        assert one.score == pytest.approx(sum(part.contribution for part in one.parts), abs=1e-6)
        for part, weight in zip(one.parts, most, strict=True):
            assert 0 <= part.contribution <= weight + 1e-6
            assert part.sentence.endswith(".")


@given(candidate_lists, policies)
def test_who_does_not_wait_or_has_a_reason_never_ranks(candidates, policy) -> None:
    for one in ranking(candidates, policy):
        assert (one.rank == 0) == bool(one.ineligible_reason)
        if one.candidate.state is not InterestState.WAITING or one.candidate.had_offer_of_allocation:
            assert one.rank == 0


@given(candidate_lists, st.integers(1, 400))
def test_waiting_longer_never_ranks_lower(candidates, days) -> None:
    for one in ranking(candidates):
        if not one.rank:
            continue
        longer = replace(one.candidate, registered_at=one.candidate.registered_at - timedelta(days=days))
        others = [other for other in candidates if other.interest_id != longer.interest_id]
        [again] = [r for r in ranking([longer, *others]) if r.candidate.interest_id == longer.interest_id]
        assert again.rank <= one.rank


def test_a_tie_goes_to_who_registered_earlier_then_to_the_lower_id() -> None:
    capped = NOON - timedelta(days=730)
    tied = [
        candidate(interest_id="int_b", registered_at=capped),
        candidate(interest_id="int_a", registered_at=capped),
        candidate(interest_id="int_c", registered_at=capped - timedelta(seconds=1)),
    ]
    ranked = ranking(tied)
    assert [one.candidate.interest_id for one in ranked] == ["int_c", "int_a", "int_b"]
    assert len({one.score for one in ranked}) == 1


@pytest.mark.parametrize(
    ("fields", "part", "contribution"),
    [
        ({}, "waiting_time", 20.0),
        ({"registered_at": NOON - timedelta(days=731)}, "waiting_time", 40.0),
        ({"registered_at": NOON + timedelta(days=1)}, "waiting_time", 0.0),
        ({"purchase_count": 20}, "history_with_house", 30.0),
        ({"purchase_count": 21}, "history_with_house", 30.0),
        ({"purchase_count": 1}, "history_with_house", 6.830107),
        ({}, "history_with_house", 0.0),
        ({}, "first_time_buyer", 20.0),
        ({"purchase_count": 1}, "first_time_buyer", 0.0),
        ({}, "local_store", 10.0),
        ({"store_id": "sto_two"}, "local_store", 0.0),
    ],
)
def test_a_part_is_what_the_formula_says(fields, part, contribution) -> None:
    [ranked] = ranking([candidate(**fields)])
    assert {one.name: one.contribution for one in ranked.parts}[part] == contribution


@pytest.mark.parametrize(("purchases", "is_first"), [(6, True), (7, False)])
def test_a_first_time_buyer_comes_before_six_purchases_and_after_seven(purchases, is_first) -> None:
    new, old = candidate(interest_id="int_b"), candidate(interest_id="int_a", purchase_count=purchases)
    assert (ranking([new, old])[0].candidate == new) is is_first


def test_without_a_gate_a_recent_piece_or_another_offer_keeps_nobody_out() -> None:
    lucky = candidate(last_piece_at=NOON, holds_offer=True)
    assert ranking([lucky])[0].rank == 0
    assert ranking([lucky], replace(POLICY, recent_allocation_days=0))[0].rank == 1
