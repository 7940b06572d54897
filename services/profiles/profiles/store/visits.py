"""Rows of visits with what was looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import OccasionKind
from profiles.domain.pieces import Budget, Visit, VisitItem
from profiles.domain.surprises import Surprise
from profiles.store.pieces import PIECE_COLUMNS, PIECE_VALUES, piece_of, piece_values
from profiles.store.surprises import SHOWN, Viewer

_COLUMNS = (
    "r.visit_id, r.client_id, r.store_id, r.associate_id, r.visited_at, r.for_whom, r.needed_by, r.note, r.created_at,"
    " r.occasion_kind, r.budget_minimum_minor, r.budget_maximum_minor, r.budget_currency, r.companion,"
    " r.recipient_client_id, r.surprise_for_client_id, r.surprise_ends_on"
)


async def add_visit(tx: Transaction, visit: Visit) -> None:
    """Insert a visit."""
    await tx.execute(
        "insert into visits (visit_id, chain_id, client_id, store_id, associate_id, visited_at, for_whom, needed_by,"
        " note, created_at, occasion_kind, budget_minimum_minor, budget_maximum_minor, budget_currency, companion,"
        " recipient_client_id, surprise_for_client_id, surprise_ends_on) values (:visit_id, :chain_id, :client_id,"
        " :store_id, :associate_id, :visited_at, :for_whom, :needed_by, :note, :created_at, :occasion_kind,"
        " :budget_minimum_minor, :budget_maximum_minor, :budget_currency, :companion, :recipient_client_id,"
        " :surprise_for_client_id, :surprise_ends_on)",
        {
            "visit_id": visit.visit_id,
            "chain_id": tx.chain_id,
            "client_id": visit.client_id,
            "store_id": visit.store_id,
            "associate_id": visit.associate_id,
            "visited_at": visit.visited_at,
            "for_whom": visit.for_whom,
            "needed_by": visit.needed_by,
            "note": visit.note,
            "created_at": visit.created_at,
            "occasion_kind": visit.occasion_kind.value if visit.occasion_kind else "",
            "budget_minimum_minor": visit.budget.minimum_minor,
            "budget_maximum_minor": visit.budget.maximum_minor,
            "budget_currency": visit.budget.currency_code,
            "companion": visit.companion,
            "recipient_client_id": visit.recipient_client_id,
            "surprise_for_client_id": visit.surprise.client_id,
            "surprise_ends_on": visit.surprise.ends_on,
        },
    )
    if visit.items:
        await tx.execute(
            "insert into visit_items (visit_id, position, chain_id, is_liked, is_tried_on,"  # noqa: S608
            f" {PIECE_COLUMNS}) values (:visit_id, :position, :chain_id, :is_liked, :is_tried_on, {PIECE_VALUES})",
            [
                {
                    "visit_id": visit.visit_id,
                    "position": position,
                    "chain_id": tx.chain_id,
                    "is_liked": item.is_liked,
                    "is_tried_on": item.is_tried_on,
                    **piece_values(item.piece),
                }
                for position, item in enumerate(visit.items)
            ],
        )


async def get_visit(tx: Transaction, visit_id: str) -> Visit:
    """Return a visit. Raises VISIT_NOT_FOUND."""
    if not (found := await get_visits(tx, [visit_id])):
        raise not_found("visit", visit_id)
    return found[0]


async def get_visits(tx: Transaction, visit_ids: Sequence[str]) -> list[Visit]:
    """Return visits in no order, in two statements; unknown ones are left out."""
    found = await tx.execute(
        f"select {_COLUMNS} from visits r where r.chain_id = :chain_id and r.visit_id = any(:ids)",  # noqa: S608
        {"chain_id": tx.chain_id, "ids": list(visit_ids)},
    )
    return await _whole(tx, list(found))


@dataclass(frozen=True, slots=True)
class VisitFilter:
    """Which visits are listed: of a client, a store (empty for all), in a span of days as their stores count them."""

    viewer: Viewer | None = None
    include_surprises: bool = False
    store_id: str = ""
    start_on: date | None = None
    end_on: date | None = None


async def list_visits(
    tx: Transaction, wanted: VisitFilter, *, before: tuple[datetime, str] | None, limit: int
) -> list[Visit]:
    """Return visits, the latest first."""
    conditions = ["r.chain_id = :chain_id"]
    parameters: dict[str, Any] = {"chain_id": tx.chain_id, "limit": limit}
    if wanted.viewer:
        conditions += ["r.client_id = :client_id", SHOWN]
        parameters |= wanted.viewer.parameters(include_surprises=wanted.include_surprises)
        parameters["client_id"] = wanted.viewer.client_id
    if wanted.store_id:
        conditions.append("r.store_id = :store_id")
        parameters["store_id"] = wanted.store_id
    # The bound a day wider, at UTC, is what the index is read by; the zone of each visit's store decides.
    if wanted.start_on:
        conditions.append(
            "r.visited_at > cast(:start_on as timestamp) at time zone 'UTC' - interval '1 day'"
            " and cast(r.visited_at at time zone s.time_zone as date) >= :start_on"
        )
        parameters["start_on"] = wanted.start_on
    if wanted.end_on:
        conditions.append(
            "r.visited_at < cast(:end_on as timestamp) at time zone 'UTC' + interval '2 days'"
            " and cast(r.visited_at at time zone s.time_zone as date) <= :end_on"
        )
        parameters["end_on"] = wanted.end_on
    if before:
        conditions.append("(r.visited_at, r.visit_id) < (:before_time, :before_id)")
        parameters |= {"before_time": before[0], "before_id": before[1]}
    order = " order by r.visited_at desc, r.visit_id desc limit :limit"
    if wanted.viewer or wanted.store_id:
        page = (
            f"select {_COLUMNS} from visits r join stores s on s.chain_id = r.chain_id"  # noqa: S608
            f" and s.store_id = r.store_id where {' and '.join(conditions)}{order}"
        )
    else:
        # The newest of each store, and of those the newest, as purchases are listed.
        page = (
            f"select r.* from stores s cross join lateral (select {_COLUMNS} from visits r"  # noqa: S608
            f" where r.store_id = s.store_id and {' and '.join(conditions)}{order}) r"
            f" where s.chain_id = :chain_id{order}"
        )
    found = await tx.execute(page, parameters)
    return await _whole(tx, list(found))


async def _whole(tx: Transaction, rows: Sequence[Row[Any]]) -> list[Visit]:
    """Return the visits of rows with what was looked at, in one statement for all."""
    if not rows:
        return []
    found = await tx.execute(
        f"select {PIECE_COLUMNS}, is_liked, is_tried_on, visit_id from visit_items"  # noqa: S608
        " where chain_id = :chain_id and visit_id = any(:ids) order by visit_id, position",
        {"chain_id": tx.chain_id, "ids": [row.visit_id for row in rows]},
    )
    items: dict[str, list[VisitItem]] = {}
    for item in found:
        items.setdefault(item.visit_id, []).append(VisitItem(piece_of(item), item.is_liked, item.is_tried_on))
    return [
        Visit(
            visit_id=row.visit_id,
            client_id=row.client_id,
            store_id=row.store_id,
            associate_id=row.associate_id,
            visited_at=row.visited_at,
            items=tuple(items.get(row.visit_id, ())),
            for_whom=row.for_whom,
            needed_by=row.needed_by,
            note=row.note,
            created_at=row.created_at,
            occasion_kind=OccasionKind(row.occasion_kind) if row.occasion_kind else None,
            budget=Budget(row.budget_minimum_minor, row.budget_maximum_minor, row.budget_currency),
            companion=row.companion,
            recipient_client_id=row.recipient_client_id,
            surprise=Surprise(row.surprise_for_client_id, row.surprise_ends_on),
        )
        for row in rows
    ]
