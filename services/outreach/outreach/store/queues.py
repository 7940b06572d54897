"""Queues as they are read: an associate's in a view, and how far everybody is. Must not change a suggestion."""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.database import Transaction
from outreach.domain import Signal, Suggestion, SuggestionState
from outreach.store.suggestions import (
    COLUMNS,
    OPEN_SINCE,
    SEEN,
    QueueDay,
    suggestion_of_row,
)


class View(enum.StrEnum):
    """What is asked of a queue, by what it comes to in the end or by a state alone."""

    TODAY = "today"
    UPCOMING = "upcoming"
    OVERDUE = "overdue"
    DONE = "done"
    STATE = "state"


@dataclass(frozen=True)
class _Shape:
    """Which rows belong to a view, and by which number they are in order, the least first."""

    rows: str
    place: str


_LIVE = "state in ('open', 'snoozed')"
_DONE = "state in ('sent', 'logged', 'dismissed')"
# What may be written in a row that is seen in a state. Said as well, because every index is of some states only.
_WRITTEN: Mapping[SuggestionState, str] = {
    SuggestionState.OPEN: _LIVE,
    SuggestionState.SNOOZED: _LIVE,
    SuggestionState.EXPIRED: f"({_LIVE} or state = 'expired')",
    SuggestionState.SENT: _DONE,
    SuggestionState.LOGGED: _DONE,
    SuggestionState.DISMISSED: _DONE,
}
_SHAPES: Mapping[View, _Shape] = {
    View.TODAY: _Shape(f"{_LIVE} and {SEEN} = 'open'", "-score"),
    View.UPCOMING: _Shape(f"{_LIVE} and {SEEN} = 'snoozed'", "(snoozed_until - date '1970-01-01')::float8"),
    View.OVERDUE: _Shape(
        f"{_LIVE} and {SEEN} = 'open' and {OPEN_SINCE} < :overdue_before",
        f"({OPEN_SINCE} - date '1970-01-01')::float8",
    ),
    View.DONE: _Shape(
        f"{_DONE} and answered_at >= :done_since",
        "-extract(epoch from answered_at)::float8",
    ),
    View.STATE: _Shape(f"{SEEN} = :state", "-score"),
}


@dataclass(frozen=True)
class Placed:
    """A suggestion and the number that says where it stands in its view."""

    suggestion: Suggestion
    place: float


async def list_queue(
    tx: Transaction,
    associate_id: str,
    view: View,
    day: QueueDay,
    *,
    state: SuggestionState,
    signal: Signal | None,
    done_since: datetime,
    after: tuple[float, str] | None,
    limit: int,
) -> Sequence[Placed]:
    """Return what a view of an associate's own work holds, in its order, then by id, after a (place, id).

    `state` is of View.STATE, `done_since` of View.DONE. What is left to automated texts is nobody's work.
    """
    shape = _SHAPES[view]
    rows = f"{_WRITTEN[state]} and {shape.rows}" if view is View.STATE else shape.rows
    found = await tx.execute(
        f"select * from (select {COLUMNS}, {SEEN} as state, {OPEN_SINCE} < :overdue_before as waits_long,"  # noqa: S608
        f"  {shape.place} as place from suggestions where chain_id = :chain_id and associate_id = :associate_id"
        f"  and action = 'personal' and {rows} and (:signal = '' or :signal = any(signals))) as seen"
        " where cast(:after_id as text) is null or place > :after_place"
        "  or (place = :after_place and suggestion_id > :after_id)"
        " order by place, suggestion_id limit :limit",
        {
            "chain_id": tx.chain_id,
            "associate_id": associate_id,
            **day.parameters(),
            "state": state,
            "signal": signal or "",
            "done_since": done_since,
            "after_place": after[0] if after else 0.0,
            "after_id": after[1] if after else None,
            "limit": limit,
        },
    )
    return [Placed(suggestion_of_row(row), float(row.place)) for row in found]


@dataclass(frozen=True)
class QueueCounts:
    """How far an associate is."""

    associate_id: str
    store_id: str
    open: int
    overdue: int
    upcoming: int
    done_today: int
    dismissed_today: int


async def list_queue_counts(
    tx: Transaction,
    day: QueueDay,
    *,
    stores: Collection[str],
    day_began_at: datetime,
    after: str,
    limit: int,
) -> Sequence[QueueCounts]:
    """Count the queues of the associates of some stores, of all for none, by associate id, after one.

    Whoever has a queue and was never heard of otherwise counts for the store of the suggestions; who left is there as
    long as the queue is.
    """
    found = await tx.execute(
        f"""
        with counted as (
            select associate_id, min(store_id) as store_id,
                count(*) filter (where {_LIVE} and {SEEN} = 'open') as open,
                count(*) filter (where {_LIVE} and {SEEN} = 'open' and {OPEN_SINCE} < :overdue_before) as overdue,
                count(*) filter (where {_LIVE} and {SEEN} = 'snoozed') as upcoming,
                count(*) filter (where state in ('sent', 'logged') and answered_at >= :day_began_at) as done_today,
                count(*) filter (where state = 'dismissed' and answered_at >= :day_began_at) as dismissed_today
            from suggestions
            where chain_id = :chain_id and action = 'personal' and associate_id > :after
                and ({_LIVE} or ({_DONE} and answered_at >= :day_began_at))
            group by associate_id
        ), everybody as (
            select associate_id, store_id from associates where chain_id = :chain_id and associate_id > :after
                and (is_active or associate_id in (select associate_id from counted))
            union all
            select c.associate_id, c.store_id from counted c where not exists (
                select 1 from associates a where a.chain_id = :chain_id and a.associate_id = c.associate_id)
        )
        select e.associate_id, e.store_id, coalesce(c.open, 0) as open, coalesce(c.overdue, 0) as overdue,
            coalesce(c.upcoming, 0) as upcoming, coalesce(c.done_today, 0) as done_today,
            coalesce(c.dismissed_today, 0) as dismissed_today
        from everybody e left join counted c using (associate_id)
        where cast(:stores as text[]) = '{{}}' or e.store_id = any(cast(:stores as text[]))
        order by e.associate_id limit :limit
        """,  # noqa: S608 - fixed text only
        {
            "chain_id": tx.chain_id,
            **day.parameters(),
            "stores": sorted(stores),
            "day_began_at": day_began_at,
            "after": after,
            "limit": limit,
        },
    )
    return [QueueCounts(**row._asdict()) for row in found]


async def owner_of_client(tx: Transaction, client_id: str) -> str:
    """Return in whose book a client is, empty for nobody's."""
    found = await tx.execute(
        "select associate_id from clients where chain_id = :chain_id and client_id = :client_id",
        {"chain_id": tx.chain_id, "client_id": client_id},
    )
    return str(found.scalar() or "")
