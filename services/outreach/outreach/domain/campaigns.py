"""A campaign and its rules: what it may become, who is left alone, how fast it goes. Pure; must not know SQL or texts.

DRAFT -> AWAITING_APPROVAL -> SCHEDULED -> RUNNING -> FINISHED
start skips what is not needed; an update leads back to DRAFT before the beginning; cancel ends it from anywhere.
"""

import enum
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import Kind, ServiceError, invalid
from outreach.domain.suggestions import Signal, Tier

BUILT_IN_PACE = 600  # texts an hour
_HOUR = timedelta(hours=1)


class CampaignState(enum.StrEnum):
    """Where a campaign stands; the order is the contract's."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class RecipientState(enum.StrEnum):
    """What became of a recipient; SENDING is waiting to everybody outside."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    EXCLUDED = "excluded"
    HELD_OUT = "held_out"


_NOT_BEGUN = (CampaignState.DRAFT, CampaignState.AWAITING_APPROVAL, CampaignState.SCHEDULED)
_ENDED = (CampaignState.FINISHED, CampaignState.CANCELLED)


class CampaignChanged(ServiceError):
    """The etag is older than the campaign."""

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "CAMPAIGN_CHANGED",
            "Somebody changed this campaign since it was read. Read it again.",
            metadata={"campaign_id": campaign_id},
        )


class CampaignBegun(ServiceError):
    """What is being sent, or was, is not rewritten."""

    def __init__(self, campaign_id: str, state: CampaignState) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CAMPAIGN_BEGUN",
            f"This campaign has begun: it is {state}.",
            metadata={"campaign_id": campaign_id, "state": state.upper()},
        )


class CampaignEnded(ServiceError):
    """The campaign is through."""

    def __init__(self, campaign_id: str, state: CampaignState) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CAMPAIGN_ENDED",
            f"This campaign is {state} already.",
            metadata={"campaign_id": campaign_id, "state": state.upper()},
        )


class CampaignNotWaiting(ServiceError):
    """Only a campaign that waits for another person can be agreed to."""

    def __init__(self, campaign_id: str, state: CampaignState) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CAMPAIGN_NOT_WAITING",
            "This campaign does not wait for anybody's agreement.",
            metadata={"campaign_id": campaign_id, "state": state.upper()},
        )


class CampaignEmpty(ServiceError):
    """Nobody would get it."""

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CAMPAIGN_EMPTY",
            "Nobody would get this campaign today. Its preview says why.",
            metadata={"campaign_id": campaign_id},
        )


class SecondPersonNeeded(ServiceError):
    """Whoever starts a large campaign does not approve it."""

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            Kind.FORBIDDEN,
            "SECOND_PERSON_NEEDED",
            "You started this campaign: another person has to agree to it.",
            metadata={"campaign_id": campaign_id},
        )


class SegmentTooLarge(ServiceError):
    """A segment is read in pages; one of so many clients is counted only when the campaign begins."""

    def __init__(self, segment_id: str, clients: int, most: int) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "SEGMENT_TOO_LARGE",
            f"The segment has {clients} clients; a preview looks at {most} at most. Narrow the segment, or start the"
            " campaign: it is counted before anything is sent.",
            metadata={"segment_id": segment_id, "clients": str(clients), "most": str(most)},
        )


@dataclass(frozen=True)
class Audience:
    """Whom a campaign is for: every condition that is said must hold."""

    store_ids: tuple[str, ...] = ()
    associate_ids: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ()
    brand_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    segment_id: str = ""
    bought_within_days: int = 0
    not_bought_within_days: int = 0

    def require_sense(self) -> None:
        """Refuse conditions that nobody can meet at once."""
        if self.bought_within_days and self.not_bought_within_days >= self.bought_within_days:
            raise invalid(
                "audience.not_bought_within_days",
                f"leaves nobody who bought within {self.bought_within_days} days",
            )


@dataclass(frozen=True)
class CampaignText:
    """The text in one language."""

    language: str
    body: str


@dataclass(frozen=True)
class Starter:
    """Who does something to a campaign; one person may have two ways to sign in but one associate."""

    actor_id: str
    associate_id: str = ""


@dataclass(frozen=True)
class Plan:
    """What whoever writes a campaign decides."""

    display_name: str
    audience: Audience
    texts: tuple[CampaignText, ...]
    holdout_share: float
    pace_per_hour: int
    start_at: datetime | None

    def require_ahead(self, now: datetime) -> None:
        """Refuse a beginning that has passed."""
        if self.start_at is not None and self.start_at <= now:
            raise invalid("start_time", "has passed; leave it out to begin at once")


@dataclass(frozen=True)
class Campaign:
    """One campaign; `version` counts its changes."""

    campaign_id: str
    plan: Plan
    state: CampaignState
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    started_by: Starter | None = None
    approved_by: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    is_frozen: bool = False
    frozen_until: str = ""
    paced_at: datetime | None = None

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    @property
    def has_ended(self) -> bool:
        """Return whether nothing more will be sent."""
        return self.state in _ENDED

    def updated(self, plan: Plan, *, etag: str, now: datetime) -> "Campaign":
        """Return it with another plan, a draft again: an approval was for what was read."""
        if etag and etag != self.etag:
            raise CampaignChanged(self.campaign_id)
        if self.state not in _NOT_BEGUN:
            raise CampaignBegun(self.campaign_id, self.state)
        plan.require_ahead(now)
        return self._changed(
            now,
            plan=plan,
            state=CampaignState.DRAFT,
            started_by=None,
            approved_by="",
            is_frozen=False,
            frozen_until="",
        )

    def require_startable(self, now: datetime) -> bool:
        """Return whether starting changes anything; refuses what has ended, and a beginning that has passed."""
        if self.has_ended:
            raise CampaignEnded(self.campaign_id, self.state)
        if self.state is not CampaignState.DRAFT:
            return False
        self.plan.require_ahead(now)
        return True

    def started(self, by: Starter, *, needs_approval: bool, now: datetime) -> "Campaign":
        """Return it on its way, or waiting for another person."""
        state = CampaignState.AWAITING_APPROVAL if needs_approval else self._on_its_way(now)
        return self._changed(now, state=state, started_by=by)

    def approved(self, by: Starter, *, now: datetime) -> "Campaign":
        """Return it on its way; the same person again changes nothing.

        Raises SECOND_PERSON_NEEDED, CAMPAIGN_NOT_WAITING, and CAMPAIGN_ENDED.
        """
        if self.has_ended:
            raise CampaignEnded(self.campaign_id, self.state)
        if self.state is not CampaignState.AWAITING_APPROVAL:
            if self.approved_by and self.approved_by == by.actor_id:
                return self
            raise CampaignNotWaiting(self.campaign_id, self.state)
        first = self.started_by
        if first is not None and (
            first.actor_id == by.actor_id or (first.associate_id and first.associate_id == by.associate_id)
        ):
            raise SecondPersonNeeded(self.campaign_id)
        return self._changed(now, state=self._on_its_way(now), approved_by=by.actor_id)

    def begun(self, *, now: datetime) -> "Campaign":
        """Return it running: its time has come."""
        return self._changed(now, state=CampaignState.RUNNING)

    def grown(self, *, now: datetime) -> "Campaign":
        """Return it waiting for another person: its audience was found larger than it was when it was started."""
        return self._changed(now, state=CampaignState.AWAITING_APPROVAL)

    def cancelled(self, *, now: datetime) -> "Campaign":
        """Return it stopped; one that is stopped stays as it is. Raises CAMPAIGN_ENDED for one that is through."""
        if self.state is CampaignState.CANCELLED:
            return self
        if self.state is CampaignState.FINISHED:
            raise CampaignEnded(self.campaign_id, self.state)
        return self._changed(now, state=CampaignState.CANCELLED, ended_at=now)

    def finished(self, *, now: datetime) -> "Campaign":
        """Return it through."""
        return self._changed(now, state=CampaignState.FINISHED, ended_at=now)

    def _on_its_way(self, now: datetime) -> CampaignState:
        start_at = self.plan.start_at
        is_ahead = start_at is not None and start_at > now
        return CampaignState.SCHEDULED if is_ahead else CampaignState.RUNNING

    def _changed(self, now: datetime, **fields: object) -> "Campaign":
        changed = replace(self, version=self.version + 1, updated_at=now, **fields)  # type: ignore[arg-type]
        if changed.state is CampaignState.RUNNING and changed.began_at is None:
            return replace(changed, began_at=now)
        return changed


@dataclass(frozen=True)
class Progress:
    """How far a campaign is; `excluded` by reason."""

    recipients: int
    held_out: int
    waiting: int
    sent: int
    excluded: Mapping[str, int]
    replies: int


NO_PROGRESS = Progress(0, 0, 0, 0, {}, 0)


def is_held_out(campaign_id: str, client_id: str, share: float) -> bool:
    """Return whether a client is left alone to compare with: the same for ever, and independent between campaigns."""
    digest = hashlib.sha256(f"{campaign_id}:{client_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < round(share * 2**32)


@dataclass(frozen=True)
class Pace:
    """At most `per_hour` texts in any hour, spread over it.

    A minute's worth may go out at once; what is left of the hour's is spread evenly, so that both together never make
    more. `free_at` is the moment from which on a text may go out, None before the first.
    """

    per_hour: int
    free_at: datetime | None

    @property
    def _at_once(self) -> int:
        return max(1, self.per_hour // 60)

    @property
    def _interval(self) -> timedelta:
        return _HOUR / (self.per_hour - self._at_once + 1)

    def slots(self, now: datetime) -> int:
        """Return how many texts may go out now."""
        since = self._since(now)
        return 0 if since > now else min(self._at_once, math.floor((now - since) / self._interval) + 1)

    def next_at(self, now: datetime) -> datetime:
        """Return when the next text may go out."""
        return max(now, self._since(now))

    def after(self, texts: int, now: datetime) -> "Pace":
        """Return the pace when so many have gone out now."""
        return Pace(self.per_hour, self._since(now) + texts * self._interval)

    def _since(self, now: datetime) -> datetime:
        earliest = now - (self._at_once - 1) * self._interval
        return earliest if self.free_at is None else max(self.free_at, earliest)


def pace_of(requested: int) -> int:
    """Return the texts an hour: what was asked for, or the built-in pace for 0."""
    return requested or BUILT_IN_PACE
