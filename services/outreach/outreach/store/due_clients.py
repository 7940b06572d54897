"""Clients who wait to be looked at again in sets. Must not look at them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from outreach.store.histories import KnownClient
from outreach.store.history_parts import IS_SOMEBODY
from outreach.store.refresh import whose_tastes

# An array, not a join: by what the planner knew when the table was empty it would choose anew for every row. The others
# are those of a moment ago, when nobody noted numbers yet, and those whom one leads to by now.
_TAKE_DUE = """
    with taken as materialized (
        delete from due_clients where position = any(array(select position from due_clients where chain_id = $1
            order by position limit $2 for update skip locked)) returning client_id, number
    ), other as (
        select client_id from taken where number is null
        union
        select a.current_id from identity_aliases a
        where a.chain_id = $1 and a.alias_id = any(array(select client_id from taken))
    )
    select client_id, number from taken where number is not null
    union all
    select c.client_id, c.number from other cross join lateral (select client_id, number from clients c
        where c.chain_id = $1 and c.client_id = other.client_id offset 0) as c
"""


async def mark_due(tx: Transaction, client_ids: Collection[str], *, now: datetime) -> None:
    """Have clients looked at again soon, all that wait in one go."""
    connection = await tx.driver()
    await connection.execute(
        "insert into due_clients (chain_id, client_id, number, marked_at) select $1, client_id, number, $3"
        " from clients where chain_id = $1 and client_id = any($2::text[]) order by client_id",
        tx.chain_id,
        sorted(set(client_ids)),
        now,
    )


async def take_due(tx: Transaction, *, most: int) -> dict[str, int]:
    """Return up to `most` clients who wait, the longest first, with their numbers; they do not wait any more.

    Whoever one of them was merged into is among them.
    """
    connection = await tx.driver()
    rows = await connection.fetch(_TAKE_DUE, tx.chain_id, most)
    return {row[0]: row[1] for row in rows}


async def take_uncounted(tx: Transaction, client_ids: Collection[str]) -> dict[str, bool]:
    """Return who of these clients is still to be counted, as `refresh.take_queued` does; whoever asks counts them.

    To be called before their rows are held, as everybody does who counts.
    """
    connection = await tx.driver()
    rows = await connection.fetch(
        "delete from uncounted_clients where chain_id = $1 and client_id = any($2::text[]) returning client_id, tastes",
        tx.chain_id,
        sorted(client_ids),
    )
    return whose_tastes(rows)


async def forget_due(tx: Transaction, client_ids: Collection[str]) -> None:
    """Let go of clients who are nobody's any more."""
    await tx.execute(
        "delete from due_clients where chain_id = :chain_id and client_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )


async def waiting_chains(platform: AsyncConnection) -> Sequence[tuple[str, int, datetime]]:
    """Return the chains with clients who wait, how many, and when the last of them began to."""
    found = await platform.execute(
        text(
            "select chain_id, count(*) as clients, max(marked_at) as marked_at from due_clients group by chain_id"
        )
    )
    return [(row.chain_id, row.clients, row.marked_at) for row in found]


async def hold_known(tx: Transaction, client_ids: Collection[str]) -> Sequence[KnownClient]:
    """Hold clients as `refresh.hold_clients` does, and return who they are; unknown, deleted and merged ones are left
    out.

    Whoever calls keeps merges out. What is returned is what stands there once they are held, whoever was waited for.
    """
    connection = await tx.driver()
    rows = await connection.fetch(
        f"select number, client_id, associate_id, store_id, {IS_SOMEBODY} as is_somebody from clients c"  # noqa: S608
        " where c.chain_id = $1 and c.client_id = any($2::text[]) order by c.client_id for no key update of c",
        tx.chain_id,
        list(client_ids),
    )
    return [
        KnownClient(row["number"], row["client_id"], row["associate_id"], row["store_id"])
        for row in rows
        if row["is_somebody"]
    ]
