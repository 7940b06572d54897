"""Allocation policies: how a chain weighs candidates, as versioned data. Must not rank."""

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True)
class Policy:
    """Weights of the score's parts, each part being between 0 and 1, and the gate's length in days (0: no gate)."""

    version: int
    waiting_time_weight: float
    history_weight: float
    first_time_buyer_weight: float
    local_store_weight: float
    recent_allocation_days: int
    created_at: datetime
    created_by: str

    def says_the_same_as(self, other: "Policy") -> bool:
        """Return whether both would rank alike."""
        return (
            replace(self, version=other.version, created_at=other.created_at, created_by=other.created_by)
            == other
        )


def default_policy(now: datetime) -> Policy:
    """Return version 1, which a chain has until it says otherwise; the weights sum to 100, so scores read as points.

    Waiting counts most. A first-time buyer outweighs a client with up to six purchases, so that, as houses aim for,
    a good part of the pieces (one reported target is 40 %) goes to people who never bought here.
    """
    return Policy(
        version=1,
        waiting_time_weight=40.0,
        history_weight=30.0,
        first_time_buyer_weight=20.0,
        local_store_weight=10.0,
        recent_allocation_days=365,
        created_at=now,
        created_by="carnet",
    )
