"""Rows of both feeds: the only file about them that says SQL.

A feed's positions come from its head row, whose lock is held until commit: they rise without gaps in commit order, so a
reader that has seen position n has seen everything below it.
"""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from gateway.feeds.domain import FeedRow, PartnerRow


async def add_to_feed(
    tx: Transaction,
    *,
    event_id: str,
    event_type: str,
    subject: str,
    body: str,
    event_time: datetime,
    now: datetime,
) -> None:
    """Put an event at the end of the chain's feed."""
    await tx.execute(
        "with head as (insert into feed_heads (chain_id, position) values (:chain_id, 1)"
        " on conflict (chain_id) do update set position = feed_heads.position + 1 returning position)"
        " insert into feed (chain_id, position, event_id, event_type, subject, body, event_time, create_time)"
        " select :chain_id, position, :event_id, :event_type, :subject, :body, :event_time, :now from head",
        {
            "chain_id": tx.chain_id,
            "event_id": event_id,
            "event_type": event_type,
            "subject": subject,
            "body": body,
            "event_time": event_time,
            "now": now,
        },
    )


async def feed_ends(tx: Transaction) -> tuple[int, int]:
    """Return the position before the oldest event that is kept, and that of the newest; equal when none is kept."""
    found = await tx.execute(
        "select coalesce((select position from feed_heads where chain_id = :chain_id), 0) as newest,"
        " (select min(position) from feed where chain_id = :chain_id) as oldest",
        {"chain_id": tx.chain_id},
    )
    row = found.one()
    return (row.newest if row.oldest is None else row.oldest - 1), row.newest


async def read_feed(tx: Transaction, *, after: int, most: int) -> list[FeedRow]:
    """Return events after a position, oldest first."""
    found = await tx.execute(
        "select position, event_id, event_type, body from feed where chain_id = :chain_id and position > :after"
        " order by position limit :most",
        {"chain_id": tx.chain_id, "after": after, "most": most},
    )
    return [FeedRow(row.position, row.event_id, row.event_type, row.body) for row in found]


async def chains_with_feeds(connection: AsyncConnection) -> list[str]:
    """Return every chain that has a feed of either kind."""
    found = await connection.execute(
        text("select chain_id from feed_heads union select chain_id from partner_heads")
    )
    return list(found.scalars())


async def drop_old(tx: Transaction, *, feed_before: datetime, partners_before: datetime) -> None:
    """Forget what is older than promised: live events, partners' events, and settled deliveries."""
    await tx.execute("delete from feed where create_time < :before", {"before": feed_before})
    await tx.execute("delete from partner_events where create_time < :before", {"before": partners_before})
    await tx.execute(
        "delete from webhook_deliveries where create_time < :before and state <> 'WAITING'",
        {"before": partners_before},
    )


async def add_partner_event(
    tx: Transaction,
    *,
    brand_id: str,
    event_id: str,
    event_type: str,
    subject: str,
    data: dict[str, Any],
    event_time: datetime,
    now: datetime,
) -> int:
    """Put an event at the end of a brand's feed and return its position."""
    found = await tx.execute(
        "with head as (insert into partner_heads (chain_id, brand_id, position) values (:chain_id, :brand_id, 1)"
        " on conflict (chain_id, brand_id) do update set position = partner_heads.position + 1 returning position)"
        " insert into partner_events (chain_id, brand_id, position, event_id, event_type, subject, data, event_time,"
        " create_time) select :chain_id, :brand_id, position, :event_id, :event_type, :subject, :data, :event_time,"
        " :now from head returning position",
        {
            "chain_id": tx.chain_id,
            "brand_id": brand_id,
            "event_id": event_id,
            "event_type": event_type,
            "subject": subject,
            "data": orjson.dumps(data).decode(),
            "event_time": event_time,
            "now": now,
        },
    )
    return int(found.scalar_one())


_PARTNER = "chain_id, brand_id, position, event_id, event_type, subject, data, event_time"


def _partner_row(row: Row[Any]) -> PartnerRow:
    return PartnerRow(
        row.chain_id,
        row.brand_id,
        row.position,
        row.event_id,
        row.event_type,
        row.subject,
        orjson.loads(row.data),
        row.event_time,
    )


async def read_partner_events(tx: Transaction, brand_id: str, *, after: int, most: int) -> list[PartnerRow]:
    """Return a brand's events after a position, oldest first."""
    found = await tx.execute(
        f"select {_PARTNER} from partner_events where chain_id = :chain_id and brand_id = :brand_id"  # noqa: S608
        " and position > :after order by position limit :most",
        {"chain_id": tx.chain_id, "brand_id": brand_id, "after": after, "most": most},
    )
    return [_partner_row(row) for row in found]


async def get_partner_event(tx: Transaction, brand_id: str, position: int) -> PartnerRow | None:
    """Return one event of a brand; None when it is no longer kept."""
    found = await tx.execute(
        f"select {_PARTNER} from partner_events where chain_id = :chain_id and brand_id = :brand_id"  # noqa: S608
        " and position = :position",
        {"chain_id": tx.chain_id, "brand_id": brand_id, "position": position},
    )
    row = found.one_or_none()
    return _partner_row(row) if row else None
