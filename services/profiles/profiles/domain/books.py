"""Books of business: who had a client when and why, and how a book is spread over others."""

import enum
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, Violation

BATCH_CLIENTS = 500  # of a reassignment, committed together with their event


class AssignmentReason(enum.StrEnum):
    """What led to a change of a client's associate."""

    CREATED = "created"
    CAPTURED = "captured"
    IMPORTED = "imported"
    ASSIGNED = "assigned"
    REASSIGNED = "reassigned"


@dataclass(frozen=True, slots=True)
class Assignment:
    """One change of a client's associate; `from_associate_id` is empty for the first."""

    assignment_id: str
    client_id: str
    from_associate_id: str
    to_associate_id: str
    reason: AssignmentReason
    actor: str
    assigned_at: datetime


def first_assignment_id(client_id: str) -> str:
    """Return the id of the assignment that a client came with; made from the client's, which an import has already."""
    return f"asg_{client_id.partition('_')[2]}"


@dataclass(frozen=True, slots=True)
class Spreading:
    """What is asked for: whose book goes to whom; `store_id` narrows it to the clients of one home store."""

    associate_id: str
    target_ids: tuple[str, ...]
    store_id: str = ""


@dataclass(frozen=True, slots=True)
class BookExtent:
    """Which clients a spreading is about; `digest` names the set, `last_client_id` is the youngest of it."""

    client_count: int
    digest: str
    last_client_id: str


@dataclass(frozen=True, slots=True)
class Reassignment:
    """A spreading under way: clients up to `done_client_id` are through, `moved` of them went to others."""

    reassignment_id: str
    spreading: Spreading
    last_client_id: str
    done_client_id: str
    moved: int
    created_at: datetime

    @property
    def is_through(self) -> bool:
        """Return whether nothing is left to do."""
        return self.done_client_id >= self.last_client_id


class SecondaryIsPrimary(ServiceError):
    """The second associate must be somebody else than the first."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "SECONDARY_IS_PRIMARY",
            "The client is in this associate's book already.",
            violations=[Violation("associate_id", "is the client's own associate")],
        )


class TargetIsSource(ServiceError):
    """A book cannot be spread over the associate whose it is."""

    def __init__(self, index: int) -> None:
        description = "is whose book it is"
        super().__init__(
            Kind.INVALID,
            "REASSIGNMENT_TARGET_IS_SOURCE",
            "The book cannot go to the associate whose it is.",
            violations=[Violation(f"target_associate_ids[{index}]", description)],
        )


class BookChanged(ServiceError):
    """The book, or what is asked for, is not what was previewed."""

    def __init__(self, associate_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "BOOK_CHANGED",
            "This book is not the previewed one any more. Preview the reassignment again.",
            metadata={"associate_id": associate_id},
        )


def require_targets(spreading: Spreading) -> None:
    """Refuse a spreading over the associate whose book it is."""
    for index, target_id in enumerate(spreading.target_ids):
        if target_id == spreading.associate_id:
            raise TargetIsSource(index)


def targets_in_turn(spreading: Spreading, *, moved: int) -> Iterator[str]:
    """Yield who gets the next client, and the next, when `moved` clients have gone already."""
    while True:
        yield spreading.target_ids[moved % len(spreading.target_ids)]
        moved += 1


def shares_of(spreading: Spreading, client_count: int) -> list[tuple[str, int]]:
    """Return how many of `client_count` clients each target gets; nobody more than one above another."""
    each, rest = divmod(client_count, len(spreading.target_ids))
    return [(target_id, each + (index < rest)) for index, target_id in enumerate(spreading.target_ids)]


def preview_etag(spreading: Spreading, extent: BookExtent) -> str:
    """Return what names this set of clients with these targets in this order."""
    parts: Sequence[str] = (spreading.associate_id, spreading.store_id, *spreading.target_ids, extent.digest)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
