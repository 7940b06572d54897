"""Allocations and their pieces: what a brand sent to a store, and where each piece stands."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError


class PieceState(enum.StrEnum):
    """Where a piece stands: AVAILABLE -> HELD -> PROMISED -> SOLD, HELD -> AVAILABLE, AVAILABLE -> RETURNED."""

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    PROMISED = "PROMISED"
    SOLD = "SOLD"
    RETURNED = "RETURNED"


@dataclass(frozen=True)
class Piece:
    """One piece; `offer_id` is the offer that holds it or won it, `version` counts its moves from 1."""

    piece_id: str
    allocation_id: str
    serial: str
    state: PieceState
    offer_id: str
    version: int

    def needs_sale(self) -> bool:
        """Return whether selling changes anything: selling twice is harmless. Raises PieceNotPromised."""
        if self.state not in (PieceState.PROMISED, PieceState.SOLD):
            raise PieceNotPromised(self.piece_id, self.state)
        return self.state is PieceState.PROMISED

    def needs_return(self) -> bool:
        """Return whether sending back changes anything: twice is harmless. Raises PieceNotAvailable."""
        if self.state not in (PieceState.AVAILABLE, PieceState.RETURNED):
            raise PieceNotAvailable(self.piece_id, self.state)
        return self.state is PieceState.AVAILABLE


@dataclass(frozen=True)
class Allocation:
    """Pieces of one reference that a brand sent to one store."""

    allocation_id: str
    reference_id: str
    reference_code: str
    brand_id: str
    store_id: str
    received_at: datetime
    pieces: tuple[Piece, ...] = ()


class SerialTaken(ServiceError):
    """A serial is in already and was not sent back."""

    def __init__(self, serials: Sequence[str]) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "SERIAL_TAKEN",
            "A piece with this serial is booked in already.",
            metadata={"serials": ", ".join(serials)},
        )


class PieceNotPromised(ServiceError):
    """Only a piece that a client accepted can be sold from the waitlist."""

    def __init__(self, piece_id: str, state: PieceState) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "PIECE_NOT_PROMISED",
            "Nobody has accepted this piece.",
            metadata={"piece_id": piece_id, "state": state},
        )


class PieceNotAvailable(ServiceError):
    """Only a free piece can go back to the brand."""

    def __init__(self, piece_id: str, state: PieceState) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "PIECE_NOT_AVAILABLE",
            "The piece is held, promised or sold.",
            metadata={"piece_id": piece_id, "state": state},
        )
