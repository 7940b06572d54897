"""The rows of store hours."""

import json

from appointments.domain.hours import OpeningSpan, StoreHours
from chassis.clock import Clock
from chassis.database import Transaction
from chassis.errors import not_found


async def put(tx: Transaction, hours: StoreHours, clock: Clock) -> None:
    """Write a store's hours over what was there."""
    await tx.execute(
        "insert into store_hours (chain_id, store_id, time_zone, spans, updated_at)"
        " values (:chain_id, :store_id, :time_zone, cast(:spans as jsonb), :now)"
        " on conflict (chain_id, store_id) do update set time_zone = excluded.time_zone, spans = excluded.spans,"
        " updated_at = excluded.updated_at",
        {
            "chain_id": tx.chain_id,
            "store_id": hours.store_id,
            "time_zone": hours.time_zone,
            "spans": json.dumps([vars(span) for span in hours.spans]),
            "now": clock.now(),
        },
    )


async def get(tx: Transaction, store_id: str) -> StoreHours:
    """Read a store's hours. Raises NOT_FOUND for a store whose hours nobody has set."""
    found = await tx.execute(
        "select time_zone, spans from store_hours where chain_id = :chain_id and store_id = :store_id",
        {"chain_id": tx.chain_id, "store_id": store_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("store_hours", store_id)
    spans = json.loads(row.spans) if isinstance(row.spans, str) else row.spans
    return StoreHours(store_id, row.time_zone, tuple(OpeningSpan(**span) for span in spans))
