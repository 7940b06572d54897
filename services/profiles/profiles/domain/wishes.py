"""What a client wishes for, and what became of it."""

import enum
from dataclasses import dataclass, replace
from datetime import date, datetime

from chassis.errors import Kind, ServiceError, invalid
from profiles.domain.pieces import Piece


class WishState(enum.StrEnum):
    """What became of a wish."""

    WANTED = "wanted"
    BOUGHT = "bought"
    BOUGHT_BY_SOMEBODY = "bought_by_somebody"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A state with what is known of it; while `is_surprise`, until `ends_on`, the client must not learn of it."""

    state: WishState = WishState.WANTED
    bought_by_client_id: str = ""
    is_surprise: bool = False
    ends_on: date | None = None

    def is_hidden(self, today: date) -> bool:
        """Return whether the client must not learn of it on that day."""
        return self.is_surprise and (self.ends_on is None or today <= self.ends_on)


WANTED = Outcome()


@dataclass(frozen=True, slots=True)
class Wish:
    """A piece on a client's list; `version` counts every change."""

    wish_id: str
    client_id: str
    piece: Piece
    note: str
    for_whom: str
    created_at: datetime
    outcome: Outcome = WANTED
    version: int = 1

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    def require_etag(self, etag: str) -> None:
        """Refuse an etag of an older version; an empty one accepts any."""
        if etag and etag != self.etag:
            raise WishChanged(self.wish_id)

    def as_the_client_may_see_it(self, today: date) -> "Wish":
        """Return the wish as it stood before somebody granted it as a surprise."""
        return replace(self, outcome=WANTED) if self.outcome.is_hidden(today) else self


class WishChanged(ServiceError):
    """The etag is older than the wish."""

    def __init__(self, wish_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "WISH_CHANGED",
            "Somebody changed this wish since it was read. Read it again.",
            metadata={"wish_id": wish_id},
        )


def require_outcome(outcome: Outcome) -> None:
    """Refuse who bought it, and a surprise, where nobody else bought it; and an end of what is no surprise."""
    if outcome.state is not WishState.BOUGHT_BY_SOMEBODY:
        if outcome.bought_by_client_id:
            raise invalid("bought_by_client_id", "is only for BOUGHT_BY_SOMEBODY")
        if outcome.is_surprise:
            raise invalid("is_surprise", "is only for BOUGHT_BY_SOMEBODY")
    if outcome.ends_on is not None and not outcome.is_surprise:
        raise invalid("surprise_end_date", "is only for a surprise")


def wish_summary(piece: Piece) -> str:
    """Say a wish in one line."""
    return f"Wished for a {piece.category}" if piece.category else "Wished for a piece"


def outcome_summary(state: WishState) -> str:
    """Say in one line what became of a wish; empty while it is open."""
    return {
        WishState.WANTED: "",
        WishState.BOUGHT: "Bought what was wished for",
        WishState.BOUGHT_BY_SOMEBODY: "Somebody bought what was wished for",
    }[state]
