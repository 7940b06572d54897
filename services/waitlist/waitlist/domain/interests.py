"""Interests: a client waits for a reference. Must not decide who is offered a piece."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError


class InterestState(enum.StrEnum):
    """Where an interest stands; WAITING and OFFERED are live, and a client has one live interest in a reference.

    MERGED is a live one that another interest of the same client stands for, since two clients were made one.
    """

    WAITING = "WAITING"
    OFFERED = "OFFERED"
    FULFILLED = "FULFILLED"
    WITHDRAWN = "WITHDRAWN"
    MERGED = "MERGED"


@dataclass(frozen=True)
class Interest:
    """A client's interest in a reference, in one store; `wording` is what the client was shown."""

    interest_id: str
    reference_id: str
    brand_id: str
    client_id: str
    store_id: str
    state: InterestState
    wording: str
    purpose: str
    registered_at: datetime
    merged_into_id: str = ""

    def needs_withdrawal(self) -> bool:
        """Return whether withdrawing changes anything: withdrawing twice is harmless.

        Raises InterestHasOffer while a piece is held for it, InterestFulfilled when the client got one, and
        InterestMerged when another interest stands for it.
        """
        if self.state is InterestState.MERGED:
            raise InterestMerged(self.interest_id, self.merged_into_id)
        if self.state is InterestState.OFFERED:
            raise InterestHasOffer(self.interest_id)
        if self.state is InterestState.FULFILLED:
            raise InterestFulfilled(self.interest_id)
        return self.state is InterestState.WAITING


@dataclass(frozen=True)
class Claim:
    """An interest as far as it matters when clients are made one; `client_id` is whose it is to be."""

    interest_id: str
    reference_id: str
    client_id: str
    is_live: bool
    has_offer: bool
    registered_at: datetime
    merged_into_id: str

    @property
    def rank(self) -> tuple[bool, datetime, str]:
        """Return what puts it first: a piece that is held for it, then age."""
        return not self.has_offer, self.registered_at, self.interest_id


def unite(claims: Sequence[Claim]) -> Mapping[str, str]:
    """Return, by interest, the one that stands for it from now on, empty for none; unchanged ones are left out.

    Of several live interests of one client in one reference one stands: the one that a piece is held for, else the
    oldest. One whose stand-in is another client's is on its own again.
    """
    by_id = {claim.interest_id: claim for claim in claims}

    def is_stood_for(claim: Claim) -> bool:
        stand_in = by_id.get(claim.merged_into_id)
        return stand_in is not None and stand_in.client_id == claim.client_id

    standing: dict[tuple[str, str], Claim] = {}
    wanted: dict[str, str] = {}
    for claim in sorted(claims, key=lambda claim: claim.rank):
        if is_stood_for(claim):
            continue
        wanted[claim.interest_id] = ""
        if claim.is_live:
            first = standing.setdefault((claim.client_id, claim.reference_id), claim)
            wanted[claim.interest_id] = "" if first is claim else first.interest_id
    return {
        interest_id: into for interest_id, into in wanted.items() if into != by_id[interest_id].merged_into_id
    }


class InterestMerged(ServiceError):
    """Another interest of the same client stands for it; that one can be withdrawn."""

    def __init__(self, interest_id: str, merged_into_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "INTEREST_MERGED",
            "The client waits for this reference with another interest. Withdraw that one.",
            metadata={"interest_id": interest_id, "merged_into_interest_id": merged_into_id},
        )


class InterestAlreadyRegistered(ServiceError):
    """The client waits for this reference already."""

    def __init__(self, client_id: str, reference_id: str) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "INTEREST_ALREADY_REGISTERED",
            "The client has a live interest in this reference already.",
            metadata={"client_id": client_id, "reference_id": reference_id},
        )


class InterestHasOffer(ServiceError):
    """A piece is held for the interest; the offer has to be answered first."""

    def __init__(self, interest_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "INTEREST_HAS_OFFER",
            "A piece is held for this client. Decline the offer first.",
            metadata={"interest_id": interest_id},
        )


class InterestFulfilled(ServiceError):
    """The client accepted a piece for the interest; there is nothing left to withdraw."""

    def __init__(self, interest_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "INTEREST_FULFILLED",
            "The client has accepted a piece for this interest.",
            metadata={"interest_id": interest_id},
        )
