"""Interests: a client waits for a reference. Must not decide who is offered a piece."""

import enum
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError


class InterestState(enum.StrEnum):
    """Where an interest stands; WAITING and OFFERED are live, and a client has one live interest in a reference."""

    WAITING = "WAITING"
    OFFERED = "OFFERED"
    FULFILLED = "FULFILLED"
    WITHDRAWN = "WITHDRAWN"


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

    def needs_withdrawal(self) -> bool:
        """Return whether withdrawing changes anything: withdrawing twice is harmless.

        Raises InterestHasOffer while a piece is held for it and InterestFulfilled when the client got one.
        """
        if self.state is InterestState.OFFERED:
            raise InterestHasOffer(self.interest_id)
        if self.state is InterestState.FULFILLED:
            raise InterestFulfilled(self.interest_id)
        return self.state is InterestState.WAITING


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
