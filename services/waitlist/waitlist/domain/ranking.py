"""Who comes first: candidates, a policy and a moment in, a total order with reasons out. Pure.

A score is the sum of its parts; a part is its weight times a value between 0 and 1:

    waiting_time        days since registering / 730, at most 1
    history_with_house  ln(1 + purchases) / ln(1 + 20), at most 1: the tenth purchase says less than the second.
                        Purchases, not money: amounts of several currencies do not add up
    first_time_buyer    1 without any purchase, else 0
    local_store         1 when the interest was registered in the store that has the allocation, else 0

Who is not eligible has rank 0 and a reason. Ties go to who registered earlier, then to the lower interest id.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from waitlist.domain.interests import InterestState
from waitlist.domain.policies import Policy

# Kept with every decision: whoever changes the formula counts it up, so that old decisions are replayed by old rules.
FORMULA_VERSION = 1

_LONGEST_WAIT = timedelta(days=730)
_MOST_PURCHASES = 20
_DIGITS = 6  # of a contribution; finer differences are noise and go to the tie-break


@dataclass(frozen=True)
class Candidate:
    """What the decision may know of one interested client, as it was at the moment of the decision."""

    interest_id: str
    client_id: str
    store_id: str
    state: InterestState
    registered_at: datetime
    purchase_count: int
    # When the client last accepted a piece of any reference; None for never.
    last_piece_at: datetime | None = None
    # Another piece, of any reference, is held for the client.
    holds_offer: bool = False
    # The client declined a piece of this very allocation or let the offer expire.
    had_offer_of_allocation: bool = False


@dataclass(frozen=True)
class Part:
    """One part of a score, in points and in words."""

    name: str
    contribution: float
    sentence: str


@dataclass(frozen=True)
class Ranked:
    """A candidate's place: `rank` counts from 1 and is 0 for whom `ineligible_reason` keeps out."""

    candidate: Candidate
    score: float
    parts: tuple[Part, ...]
    rank: int
    ineligible_reason: str


def rank(
    candidates: Iterable[Candidate], *, policy: Policy, store_id: str, now: datetime
) -> tuple[Ranked, ...]:
    """Return all candidates: the eligible by rank, then the others, oldest first. `store_id` has the allocation."""
    scored = [_scored(candidate, policy=policy, store_id=store_id, now=now) for candidate in candidates]
    eligible = sorted((ranked for ranked in scored if not ranked.ineligible_reason), key=_place)
    others = sorted((ranked for ranked in scored if ranked.ineligible_reason), key=_seniority)
    return (
        *(
            Ranked(one.candidate, one.score, one.parts, number, "")
            for number, one in enumerate(eligible, start=1)
        ),
        *others,
    )


def _place(ranked: Ranked) -> tuple[float, datetime, str]:
    return -ranked.score, *_seniority(ranked)


def _seniority(ranked: Ranked) -> tuple[datetime, str]:
    return ranked.candidate.registered_at, ranked.candidate.interest_id


def _scored(candidate: Candidate, *, policy: Policy, store_id: str, now: datetime) -> Ranked:
    parts = _parts(candidate, policy=policy, store_id=store_id, now=now)
    score = round(sum(part.contribution for part in parts), _DIGITS)
    return Ranked(candidate, score, parts, 0, _ineligible_reason(candidate, policy=policy, now=now))


def _parts(candidate: Candidate, *, policy: Policy, store_id: str, now: datetime) -> tuple[Part, ...]:
    waited = max(now - candidate.registered_at, timedelta())
    purchases = max(candidate.purchase_count, 0)
    is_local = candidate.store_id == store_id
    return (
        _part(
            "waiting_time",
            policy.waiting_time_weight,
            waited / _LONGEST_WAIT,
            f"Has waited {_count(waited.days, 'day')}.",
        ),
        _part(
            "history_with_house",
            policy.history_weight,
            math.log1p(purchases) / math.log1p(_MOST_PURCHASES),
            f"Has bought {_count(purchases, 'time')} in this house."
            if purchases
            else "Has no history with this house yet.",
        ),
        _part(
            "first_time_buyer",
            policy.first_time_buyer_weight,
            0.0 if purchases else 1.0,
            "Has bought here before." if purchases else "Would buy here for the first time.",
        ),
        _part(
            "local_store",
            policy.local_store_weight,
            1.0 if is_local else 0.0,
            "Registered in this store." if is_local else "Registered in another store.",
        ),
    )


def _part(name: str, weight: float, value: float, sentence: str) -> Part:
    return Part(name, round(weight * min(max(value, 0.0), 1.0), _DIGITS), sentence)


def _ineligible_reason(candidate: Candidate, *, policy: Policy, now: datetime) -> str:
    if candidate.state is InterestState.OFFERED:
        return "Has an offer for this reference that is not answered yet."
    if candidate.state is not InterestState.WAITING:
        return "Does not wait for this reference any more."
    if candidate.had_offer_of_allocation:
        return "Was offered a piece of this allocation and did not take it."
    if policy.recent_allocation_days:
        if candidate.holds_offer:
            return "Has an offer for another piece that is not answered yet."
        gate = timedelta(days=policy.recent_allocation_days)
        if candidate.last_piece_at is not None and now - candidate.last_piece_at < gate:
            days = max(now - candidate.last_piece_at, timedelta()).days
            return (
                f"Got a piece {_count(days, 'day')} ago; the policy asks for"
                f" {_count(policy.recent_allocation_days, 'day')} between two."
            )
    return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
