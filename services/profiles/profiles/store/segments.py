"""Rows of segments, and the clients that a filter finds."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import OccasionKind
from profiles.domain.segments import (
    Lifecycle,
    Segment,
    SegmentClient,
    SegmentFilter,
    SegmentNameTaken,
    Thresholds,
)

_COLUMNS = "segment_id, display_name, filter, version, created_at, updated_at"

_DAYS = frozenset(
    {
        "last_purchase_from", "last_purchase_until", "last_visit_from", "last_visit_until",
        "client_since_from", "client_since_until",
    }
)  # fmt: skip


async def add_segment(tx: Transaction, segment: Segment) -> None:
    """Insert a segment. Raises SegmentNameTaken."""
    added = await tx.execute(
        f"insert into segments (chain_id, {_COLUMNS}) values (:chain_id, :segment_id, :display_name,"  # noqa: S608
        " cast(:filter as jsonb), :version, :created_at, :updated_at) on conflict do nothing",
        _values(tx, segment),
    )
    if not added.rowcount:
        raise SegmentNameTaken


async def save_segment(tx: Transaction, segment: Segment) -> None:
    """Write a locked segment. Raises SegmentNameTaken."""
    taken = await tx.execute(
        "select 1 from segments where chain_id = :chain_id and lower(display_name) = lower(:display_name)"
        " and segment_id <> :segment_id for update",
        {"chain_id": tx.chain_id, "display_name": segment.display_name, "segment_id": segment.segment_id},
    )
    if taken.one_or_none() is not None:
        raise SegmentNameTaken
    await tx.execute(
        "update segments set display_name = :display_name, filter = cast(:filter as jsonb), version = :version,"
        " updated_at = :updated_at where chain_id = :chain_id and segment_id = :segment_id",
        _values(tx, segment),
    )


async def get_segment(tx: Transaction, segment_id: str, *, lock: bool = False) -> Segment:
    """Return a segment, locked until the transaction ends when asked for. Raises SEGMENT_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from segments where segment_id = :segment_id{' for update' if lock else ''}",  # noqa: S608
        {"segment_id": segment_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("segment", segment_id)
    return _segment(row)


async def list_segments(tx: Transaction, *, after: tuple[str, str] | None, limit: int) -> list[Segment]:
    """Return segments by name."""
    condition = " and (display_name, segment_id) > (:name, :id)" if after else ""
    found = await tx.execute(
        f"select {_COLUMNS} from segments where chain_id = :chain_id{condition}"  # noqa: S608
        " order by display_name, segment_id limit :limit",
        {"chain_id": tx.chain_id, "limit": limit} | ({"name": after[0], "id": after[1]} if after else {}),
    )
    return [_segment(row) for row in found]


async def delete_segment(tx: Transaction, segment_id: str) -> None:
    """Remove a segment. Raises SEGMENT_NOT_FOUND."""
    removed = await tx.execute(
        "delete from segments where segment_id = :segment_id", {"segment_id": segment_id}
    )
    if not removed.rowcount:
        raise not_found("segment", segment_id)


async def count_clients(
    tx: Transaction, wanted: SegmentFilter, thresholds: Thresholds
) -> dict[Lifecycle, int]:
    """Return how many clients a filter finds, by lifecycle; those without any are left out."""
    query, parameters = _found(tx, wanted, thresholds)
    await _read_as_a_set(tx)
    found = await tx.execute(
        f"select lifecycle, count(*) clients from ({query}) found group by lifecycle",  # noqa: S608
        parameters,
    )
    return {Lifecycle(row.lifecycle): int(row.clients) for row in found}


async def list_clients(
    tx: Transaction, wanted: SegmentFilter, thresholds: Thresholds, *, before: str, limit: int
) -> list[SegmentClient]:
    """Return the clients that a filter finds, newest first."""
    query, parameters = _found(tx, wanted, thresholds)
    found = await tx.execute(
        f"select * from ({query}) found where :before = '' or client_id < :before"  # noqa: S608
        " order by client_id desc limit :limit",
        parameters | {"before": before, "limit": limit},
    )
    return [SegmentClient(**(dict(row._mapping) | {"lifecycle": Lifecycle(row.lifecycle)})) for row in found]


async def _read_as_a_set(tx: Transaction) -> None:
    # After a large import the statistics are old, and a nested loop over a million clients takes minutes.
    await tx.execute("set local enable_nestloop = off")


# Says what Thresholds.lifecycle says.
_LIFECYCLE = """
    case when coalesce(f.purchases, 0) = 0 then 'prospect'
         when f.spent_minor >= :vip_amount_minor and f.last_purchase_on >= :lapsed_before then 'vip'
         when f.purchases = 1 and f.last_purchase_on < :one_timer_before then 'one_timer'
         when f.purchases = 1 then 'first_time'
         when f.last_purchase_on < :lapsed_before then 'lapsed'
         else 'repeat' end
"""


def _found(tx: Transaction, wanted: SegmentFilter, thresholds: Thresholds) -> tuple[str, dict[str, Any]]:
    """Return the query of what SegmentClient holds for a filter's clients, with its parameters."""
    conditions = ["c.chain_id = :chain_id"]
    parameters: dict[str, Any] = {
        "chain_id": tx.chain_id,
        "vip_amount_minor": thresholds.vip_amount_minor,
        "one_timer_before": thresholds.one_timer_before,
        "lapsed_before": thresholds.lapsed_before,
    }
    for name, sql in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value in ((), None):
            continue
        conditions.append(sql(value) if callable(sql) else sql)
        parameters[name] = list(value) if isinstance(value, tuple) else value
    if wanted.occasion_kind is not None:
        months = " and o.month = any(:occasion_months)" if wanted.occasion_months else ""
        conditions.append(
            "exists (select from occasions o where o.chain_id = c.chain_id and o.client_id = c.client_id"
            f" and o.kind = :occasion_kind{months})"
        )
        parameters |= {
            "occasion_kind": wanted.occasion_kind.value,
            "occasion_months": list(wanted.occasion_months),
        }
    return (
        "select c.client_id, c.given_name, c.family_name, c.home_store_id, c.associate_id,"  # noqa: S608
        f" {_LIFECYCLE} lifecycle, coalesce(f.purchases, 0) purchases, coalesce(f.spent_minor, 0) spent_minor,"
        " f.last_purchase_on, f.last_visit_on from clients c"
        " left join client_facts f on f.chain_id = c.chain_id and f.client_id = c.client_id"
        f" where {' and '.join(conditions)}",
        parameters,
    )


def _has_contact(kind: str) -> Callable[[bool], str]:
    def condition(has: bool) -> str:
        return (
            f"{'' if has else 'not '}exists (select from contact_points p where p.chain_id = c.chain_id"
            f" and p.client_id = c.client_id and p.kind = '{kind}')"
        )

    return condition


def _has_wish(has: bool) -> str:
    return (
        f"{'' if has else 'not '}exists (select from wishes w where w.chain_id = c.chain_id"
        " and w.client_id = c.client_id and w.state = 'wanted')"
    )


def _pieces(column: str) -> str:
    return f"f.{column} && array(select searchable(word) from unnest(cast(:{column} as text[])) word)"  # noqa: S608


_CONDITIONS: Mapping[str, str | Callable[[Any], str]] = {
    "lifecycles": f"({_LIFECYCLE}) = any(:lifecycles)",
    "store_ids": "c.home_store_id = any(:store_ids)",
    "associate_ids": "c.associate_id = any(:associate_ids)",
    "tags": "exists (select from unnest(c.tags) tag where searchable(tag) ="
    " any(array(select searchable(word) from unnest(cast(:tags as text[])) word)))",
    "languages": "lower(c.language) = any(array(select lower(word) from unnest(cast(:languages as text[])) word))",
    "minimum_spent_minor": "coalesce(f.spent_minor, 0) >= :minimum_spent_minor",
    "maximum_spent_minor": "coalesce(f.spent_minor, 0) <= :maximum_spent_minor",
    "minimum_purchases": "coalesce(f.purchases, 0) >= :minimum_purchases",
    "maximum_purchases": "coalesce(f.purchases, 0) <= :maximum_purchases",
    "last_purchase_from": "f.last_purchase_on >= :last_purchase_from",
    "last_purchase_until": "f.last_purchase_on <= :last_purchase_until",
    "last_visit_from": "f.last_visit_on >= :last_visit_from",
    "last_visit_until": "f.last_visit_on <= :last_visit_until",
    "brand_ids": "f.brand_ids && cast(:brand_ids as text[])",
    "categories": _pieces("categories"),
    "metals": _pieces("metals"),
    "stones": _pieces("stones"),
    "has_phone": _has_contact("phone"),
    "has_email": _has_contact("email"),
    "has_wish": _has_wish,
    "client_since_from": "c.created_at >= cast(:client_since_from as date)",
    "client_since_until": "c.created_at < cast(:client_since_until as date) + 1",
}


def _values(tx: Transaction, segment: Segment) -> dict[str, Any]:
    return {
        "chain_id": tx.chain_id,
        "segment_id": segment.segment_id,
        "display_name": segment.display_name,
        "filter": json.dumps(_kept(segment.filter)),
        "version": segment.version,
        "created_at": segment.created_at,
        "updated_at": segment.updated_at,
    }


def _kept(wanted: SegmentFilter) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in asdict(wanted).items()
        if value not in ((), None)
    }


def _filter(kept: Mapping[str, Any]) -> SegmentFilter:
    values: dict[str, Any] = {}
    for name, value in kept.items():
        if name in _DAYS:
            values[name] = date.fromisoformat(value)
        elif name == "lifecycles":
            values[name] = tuple(Lifecycle(word) for word in value)
        elif name == "occasion_kind":
            values[name] = OccasionKind(value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return SegmentFilter(**values)


def _segment(row: Row[Any]) -> Segment:
    kept = row.filter if isinstance(row.filter, dict) else json.loads(row.filter)
    return Segment(
        row.segment_id, row.display_name, _filter(kept), row.version, row.created_at, row.updated_at
    )


def sorted_counts(counts: Mapping[Lifecycle, int]) -> Sequence[tuple[Lifecycle, int]]:
    """Return the counts in the order of the lifecycles, with 0 for those without clients."""
    return [(lifecycle, counts.get(lifecycle, 0)) for lifecycle in Lifecycle]
