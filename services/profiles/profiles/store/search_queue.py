"""Rows of clients who bought something in an import and are neither found by it nor counted with it yet."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction


async def add(tx: Transaction, client_ids: Sequence[str], *, now: datetime) -> None:
    """Queue clients; whoever is queued already is there twice, so that this waits for nobody who takes clients off."""
    driver = await tx.driver()
    await driver.execute(
        "insert into search_queue (chain_id, client_id, queued_at) select $1, c, $2 from unnest($3::text[]) c",
        tx.chain_id,
        now,
        sorted(set(client_ids)),
    )


async def take(tx: Transaction, *, most: int) -> list[str]:
    """Take clients off the queue, in the order of their ids, leaving out those whom somebody else is taking."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "delete from search_queue q using (select client_id, position from search_queue where chain_id = $1"
        " and client_id <= (select max(client_id) from (select distinct client_id from search_queue"
        " where chain_id = $1 order by client_id limit $2) least) for update skip locked) t"
        " where q.chain_id = $1 and q.client_id = t.client_id and q.position = t.position returning q.client_id",
        tx.chain_id,
        most,
    )
    return sorted({row[0] for row in rows})


async def chains_left_behind(connection: AsyncConnection, *, before: datetime) -> list[str]:
    """Return the chains with clients who were queued before a moment: whose import did not come to its end."""
    found = await connection.execute(
        text("select distinct chain_id from search_queue where queued_at < :before"), {"before": before}
    )
    return list(found.scalars())
