"""The ledger of who agreed to what, the reviews of what may be a revocation, and their errors. Pure."""

import enum
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import Kind, ServiceError
from messaging.domain.senders import Channel


class Purpose(enum.StrEnum):
    """Why a text is written; permission is given and taken back per purpose."""

    CONVERSATIONAL = "CONVERSATIONAL"
    SERVICE = "SERVICE"
    MARKETING = "MARKETING"


class Change(enum.StrEnum):
    """What a line of the permission ledger says."""

    GRANTED = "GRANTED"
    REVOKED = "REVOKED"
    SUSPENDED = "SUSPENDED"
    LIFTED = "LIFTED"
    REQUESTED = "REQUESTED"


@dataclass(frozen=True)
class PermissionEntry:
    """One line of the ledger. `phone` is an e-mail address on EMAIL; `cause_id` is the consent, message or call."""

    entry_id: str
    phone: str
    purpose: Purpose
    change: Change
    evidence: str = field(repr=False)
    source: str
    actor: str
    cause_id: str
    occurred_at: datetime
    position: int = 0
    channel: Channel = Channel.SMS


# Sources of entries. What a client revoked in writing, here or at the carrier, a keyword of the client may undo.
CONSENT, KEYWORD, ASSOCIATE, CARRIER = "consent", "keyword", "associate", "carrier"
PLAIN_LANGUAGE, REVIEW, UNSUBSCRIBED = "plain_language", "review", "unsubscribe"
CONFIRMATION = "confirmation"
# Somebody else has the number now: what was said before is another person's.
REASSIGNED = "reassigned"
_IN_WRITING = frozenset({KEYWORD, CARRIER, PLAIN_LANGUAGE, REVIEW})


def restored_by_keyword(entries: Iterable[PermissionEntry]) -> list[Purpose]:
    """Return the purposes that START gives back, from a number's entries, the deciding one of each purpose first.

    What the client's own words took away and had been granted before; and conversation, which START is in itself. Of a
    number that belongs to somebody else now, what was granted before that was granted by another person.
    While somebody has yet to look at those words, nothing: a "yes" may well mean them.
    """
    by_purpose: dict[Purpose, list[PermissionEntry]] = {purpose: [] for purpose in Purpose}
    for entry in entries:
        by_purpose[entry.purpose].append(entry)
    restored: list[Purpose] = []
    for purpose, all_lines in by_purpose.items():
        latest_first = _of_this_owner(all_lines)
        if latest_first and latest_first[0].change is Change.SUSPENDED:
            continue
        before = list(itertools.dropwhile(_is_undone_by_keyword, latest_first))
        if len(before) == len(latest_first):
            continue  # a keyword was not the last to say something
        was_granted = bool(before) and before[0].change is Change.GRANTED
        if was_granted or (not before and purpose is Purpose.CONVERSATIONAL):
            restored.append(purpose)
    return restored


def _of_this_owner(latest_first: list[PermissionEntry]) -> list[PermissionEntry]:
    since = next((index for index, entry in enumerate(latest_first) if entry.source == REASSIGNED), None)
    return latest_first if since is None else latest_first[: since + 1]


def _is_undone_by_keyword(entry: PermissionEntry) -> bool:
    if entry.change is Change.SUSPENDED:
        return True  # what stands above it has settled it
    return entry.change is Change.REVOKED and entry.source in {*_IN_WRITING, REASSIGNED}


class Likelihood(enum.StrEnum):
    """How sure it is that a text asks for silence; the number is silent either way until somebody has looked."""

    CLEAR = "CLEAR"
    POSSIBLE = "POSSIBLE"


class ReviewState(enum.StrEnum):
    """What became of a suspension."""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    LIFTED = "LIFTED"


@dataclass(frozen=True)
class Review:
    """A number that is silent because of what was written, and what a person made of it.

    `message_id`, `finding` and `suspended_at` are those of the latest such text. A number has one open review at most.
    """

    review_id: str
    phone: str
    store_id: str
    conversation_id: str
    message_id: str
    likelihood: Likelihood
    finding: str = field(repr=False)
    state: ReviewState
    suspended_at: datetime
    created_at: datetime
    decided_by: str = ""
    note: str = field(default="", repr=False)
    decided_at: datetime | None = None
    body: str = field(default="", repr=False)
    client_ids: tuple[str, ...] = ()

    def decided(self, state: ReviewState, *, by: str, note: str, now: datetime) -> "Review":
        """Return the review as decided. Raises PERMISSION_REVIEW_DECIDED when it was decided otherwise before."""
        if self.state is state:
            return self
        if self.state is not ReviewState.OPEN:
            raise PermissionReviewDecided(self)
        return replace(self, state=state, decided_by=by, note=note, decided_at=now)


class PermissionReviewDecided(ServiceError):
    """What one person decided, another does not silently overturn."""

    def __init__(self, review: Review) -> None:
        super().__init__(
            Kind.PRECONDITION, "PERMISSION_REVIEW_DECIDED",
            f"Somebody has decided this already: it is {review.state}.",
            metadata={"permission_review_id": review.review_id, "state": review.state.value},
        )  # fmt: skip
