"""The feed of changes: every record once, where it changed last."""

import enum
from dataclasses import dataclass

from profiles.domain.clients import Client
from profiles.domain.pieces import Purchase, Visit


class ChangeKind(enum.StrEnum):
    """What changed."""

    CLIENT = "client"
    PURCHASE = "purchase"
    VISIT = "visit"
    CLIENT_MERGED = "client_merged"
    CLIENT_REMOVED = "client_removed"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a reader is: the transaction of the last change read, then its kind and id."""

    changed_in: int
    kind: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One record that changed, not read yet; `successor_id` is whom a merged client's id leads to."""

    position: Position
    client_id: str
    successor_id: str = ""

    @property
    def kind(self) -> ChangeKind:
        """Return what changed."""
        return ChangeKind(self.position.kind)


@dataclass(frozen=True, slots=True)
class Change:
    """A record as it is now. Exactly what its kind says is set."""

    kind: ChangeKind
    client_id: str
    client: Client | None = None
    purchase: Purchase | None = None
    visit: Visit | None = None
    successor_id: str = ""
