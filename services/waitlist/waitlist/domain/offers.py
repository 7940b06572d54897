"""Offers: a piece held for one client until a moment. Must not choose the client; ranking does."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import Kind, ServiceError
from waitlist.domain.policies import Policy
from waitlist.domain.ranking import Ranked

DEFAULT_HOLD = timedelta(hours=48)


class OfferState(enum.StrEnum):
    """Where an offer stands; all but OPEN are final."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


class Step(enum.Enum):
    """What an answer leads to."""

    TAKE_ANSWER = "take answer"
    NOTHING_NEW = "nothing new"
    EXPIRE = "expire"


@dataclass(frozen=True)
class Offer:
    """A piece held for a client; it lapses at `expires_at` whether or not anybody has written that down."""

    offer_id: str
    allocation_id: str
    reference_id: str
    reference_code: str
    brand_id: str
    store_id: str
    piece_id: str
    serial: str
    interest_id: str
    client_id: str
    state: OfferState
    made_at: datetime
    expires_at: datetime
    answered_at: datetime | None
    policy_version: int

    def is_overdue(self, now: datetime) -> bool:
        """Return whether an open offer's time is up; at `expires_at` itself it is."""
        return self.state is OfferState.OPEN and now >= self.expires_at

    def step_for(self, answer: OfferState, now: datetime) -> Step:
        """Return what ACCEPTED or DECLINED at `now` leads to; the same answer again leads to nothing new.

        Raises OfferAlreadyAnswered for the other answer and OfferExpired for an offer that was closed unanswered.
        """
        if self.state is answer:
            return Step.NOTHING_NEW
        if self.state is OfferState.EXPIRED:
            raise OfferExpired(self)
        if self.state is not OfferState.OPEN:
            raise OfferAlreadyAnswered(self)
        return Step.EXPIRE if self.is_overdue(now) else Step.TAKE_ANSWER


@dataclass(frozen=True)
class Decision:
    """Why an offer went to whom: all that went into the ranking and what came out, so that it can be replayed."""

    formula_version: int
    policy: Policy
    store_id: str
    decided_at: datetime
    candidates: tuple[Ranked, ...]


class OfferAlreadyAnswered(ServiceError):
    """The client said the opposite before."""

    def __init__(self, offer: Offer) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "OFFER_ALREADY_ANSWERED",
            "The offer has been answered already.",
            metadata={"offer_id": offer.offer_id, "state": offer.state},
        )


class OfferExpired(ServiceError):
    """Nobody answered in time; the piece is free for the next client."""

    def __init__(self, offer: Offer) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "OFFER_EXPIRED",
            "The offer was not answered in time.",
            metadata={"offer_id": offer.offer_id, "expire_time": offer.expires_at.isoformat()},
        )


class NoPieceAvailable(ServiceError):
    """Every piece of the allocation is held, promised, sold or sent back."""

    def __init__(self, allocation_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "NO_PIECE_AVAILABLE",
            "No piece of this allocation is free.",
            metadata={"allocation_id": allocation_id},
        )


class NoCandidate(ServiceError):
    """Nobody who waits for the reference is eligible under the policy in force."""

    def __init__(self, allocation_id: str, policy_version: int) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "NO_CANDIDATE",
            "Nobody who waits for this reference is eligible.",
            metadata={"allocation_id": allocation_id, "policy_version": str(policy_version)},
        )
