"""Since when a piece that a client waits for is in the client's store: found anew from the shelf, never moved on.

A wish is met by its reference, else by all that it says when that is more than a category. A favourite brand is one
that makes up half of what a client bought and likes, for a client who said so or bought on two days at least. A wish
that somebody grants as a surprise is met by nothing.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction

FAVOURITE_SHARE = 0.5
_BRAND = 6  # carnet.profiles.v1.PREFERENCE_KIND_BRAND
_OPEN_WISH = """not w.is_removed and w.state = 1
    and not (w.is_surprise and (w.surprise_ends_on is null or w.surprise_ends_on >= {day}))"""
_SAYS_ENOUGH = """w.reference_key = '' and w.category_key <> ''
    and (w.brand_id <> '' or w.metal_key <> '' or w.stone_key <> '')"""
_SAME_REFERENCE = """{row}.reference_key = w.reference_key
    and (w.brand_id = '' or {row}.brand_id = '' or {row}.brand_id = w.brand_id)"""
_LIKE_IT = """{row}.category_key = w.category_key and (w.brand_id = '' or {row}.brand_id = w.brand_id)
    and (w.metal_key = '' or {row}.metal_key = w.metal_key) and (w.stone_key = '' or {row}.stone_key = w.stone_key)"""
_OF_SHELF = "h.chain_id = $1 and h.store_id = c.store_id"
_NEWEST = "order by h.arrived_on desc limit 1"
# Half of what is bought and liked, and more than chance: said, or bought on two days. (Not `exists`, for which the
# planner would read the facts of the whole chain.)
_IS_FAVOURITE = f"""a.kind = 'brand' and a.share >= {{share}}::float8 and (
    c.preferences @> jsonb_build_array(jsonb_build_array({_BRAND}, a.value))
    or (select f.purchase_days from client_facts f
        where f.chain_id = c.chain_id and f.client_id = c.client_id) >= 2)"""  # noqa: S608 - fixed text only

# Whoever waits for nothing that could come, and for whom nothing stands, is not read. The others are, by the key of
# each, whatever the planner thinks of how many there are.
_FOUND = f"""
    with g as materialized (
        select * from unnest($2::text[]) as g (client_id)
    ), w as materialized (
        select w.* from g cross join lateral (select * from wishes w where w.chain_id = $1 and w.client_id = g.client_id
            and {_OPEN_WISH.format(day="$3::date")} and (w.reference_key <> '' or {_SAYS_ENOUGH}) offset 0) as w
    ), a as materialized (
        select a.* from g cross join lateral (select * from client_affinities a
            where a.chain_id = $1 and a.client_id = g.client_id and a.kind = 'brand' and a.share >= $4::float8
            offset 0) as a
    ), c as materialized (
        select c.* from (select client_id from w union select client_id from a) as waiting
        cross join lateral (select client_id, store_id, preferences, chain_id from clients c
            where c.chain_id = $1 and c.client_id = waiting.client_id and not c.is_deleted and c.store_id <> ''
            offset 0) as c
    ), found as (
        select c.client_id, 'wish_arrived' as mark, n.arrived_on
        from c join w using (client_id)
        cross join lateral (select h.arrived_on from shelf h where {_OF_SHELF} and w.reference_key <> ''
            and {_SAME_REFERENCE.format(row="h")} {_NEWEST}) as n
        union all
        select c.client_id, 'wish_arrived', n.arrived_on
        from c join w using (client_id)
        cross join lateral (select h.arrived_on from shelf h where {_OF_SHELF}
            and {_LIKE_IT.format(row="h")} {_NEWEST}) as n
        where {_SAYS_ENOUGH}
        union all
        select c.client_id, 'favourite_arrived', n.arrived_on
        from c join a using (client_id)
        cross join lateral (select h.arrived_on from shelf h where {_OF_SHELF}
            and h.brand_id = a.value {_NEWEST}) as n
        where {_IS_FAVOURITE.format(share="$4")}
    ), newest as (
        select client_id, mark, max(arrived_on) as arrived_on from found group by client_id, mark
    ), stored as (
        select client_id, mark, max(arrived_on) as arrived_on, count(*) as rows from arrivals
        where chain_id = $1 and client_id = any($2::text[]) group by client_id, mark
    )
    select client_id, mark, newest.arrived_on from newest full join stored using (client_id, mark)
    where newest.arrived_on is distinct from stored.arrived_on or stored.rows > 1
"""  # noqa: S608 - fixed text only

_WHOM = f"""
    with n as materialized (
        select * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
            as n (brand_id, reference_key, category_key, metal_key, stone_key)
    ), waiting as (
        select w.client_id from n join wishes w on w.chain_id = $1 and n.reference_key <> ''
            and {_SAME_REFERENCE.format(row="n")} where {_OPEN_WISH.format(day="$8::date")}
        union
        select w.client_id from n join wishes w on w.chain_id = $1 and n.category_key <> ''
            and {_LIKE_IT.format(row="n")} where {_OPEN_WISH.format(day="$8::date")} and {_SAYS_ENOUGH}
    )
    select c.client_id from clients c join waiting on waiting.client_id = c.client_id
    where c.chain_id = $1 and c.store_id = $7 and not c.is_deleted
    union
    select c.client_id from client_affinities a join clients c on c.chain_id = $1 and c.client_id = a.client_id
    where a.chain_id = $1 and a.value in (select brand_id from n where brand_id <> '') and c.store_id = $7
        and not c.is_deleted and {_IS_FAVOURITE.format(share="$9")}
    order by client_id
"""  # noqa: S608 - fixed text only

_AGAIN = timedelta(
    minutes=1
)  # longer than any transaction that was changing a wish while the news was looked at


async def find_behind(tx: Transaction, client_ids: Collection[str], *, today: date) -> list[str]:
    """Return whose arrivals are not what their stores' shelves say; without holding anybody."""
    return sorted({row["client_id"] for row in await _behind(tx, client_ids, today)})


async def follow(tx: Transaction, client_ids: Collection[str], *, today: date) -> list[str]:
    """Bring the arrivals of clients up to their stores' shelves; return for whom they were not.

    Whoever calls holds the clients.
    """
    connection = await tx.driver()
    rows = await _behind(tx, client_ids, today)
    if not rows:
        return []
    await connection.execute(
        "delete from arrivals where chain_id = $1 and (client_id, mark) in"
        " (select * from unnest($2::text[], $3::text[]))",
        tx.chain_id,
        [row["client_id"] for row in rows],
        [row["mark"] for row in rows],
    )
    there = [row for row in rows if row["arrived_on"] is not None]
    await connection.execute(
        "insert into arrivals (chain_id, client_id, mark, arrived_on)"
        " select $1, * from unnest($2::text[], $3::text[], $4::date[])",
        tx.chain_id,
        [row["client_id"] for row in there],
        [row["mark"] for row in there],
        [row["arrived_on"] for row in there],
    )
    return sorted({row["client_id"] for row in rows})


async def _behind(tx: Transaction, client_ids: Collection[str], today: date) -> "list[asyncpg.Record]":
    connection = await tx.driver()
    rows: list[asyncpg.Record] = await connection.fetch(
        _FOUND, tx.chain_id, sorted(set(client_ids)), today, FAVOURITE_SHARE
    )
    return rows


async def hold_free(tx: Transaction, client_ids: Collection[str]) -> list[str]:
    """Hold those of the clients whom nobody else holds until the commit, and return them."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select client_id from clients where chain_id = $1 and client_id = any($2::text[]) order by client_id"
        " for no key update skip locked",
        tx.chain_id,
        list(client_ids),
    )
    return [row[0] for row in rows]


async def find_news(platform: AsyncConnection, *, now: datetime) -> tuple[str, str] | None:
    """Return the chain and the store whose news has waited longest; None when nothing is due."""
    found = await platform.execute(
        text(
            "select chain_id, store_id from shelf_news where due_at <= :now order by due_at, position"
            " limit 1 for update skip locked"
        ),
        {"now": now},
    )
    row = found.one_or_none()
    return None if row is None else (row.chain_id, row.store_id)


async def take_news(
    tx: Transaction, store_id: str, *, today: date, now: datetime, most: int
) -> tuple[int, Sequence[str]]:
    """Take news of a store, and return how much and for which clients it may mean something.

    It comes a second time after a minute: who was being changed at the first look is found then.
    """
    connection = await tx.driver()
    rows = await connection.fetch(
        "select position, is_second, brand_id, reference_key, category_key, metal_key, stone_key from shelf_news"
        " where chain_id = $1 and store_id = $2 and due_at <= $3 order by due_at, position limit $4"
        " for update skip locked",
        tx.chain_id,
        store_id,
        now,
        most,
    )
    if not rows:
        return 0, ()
    first = [row["position"] for row in rows if not row["is_second"]]
    await connection.execute(
        "delete from shelf_news where chain_id = $1 and position = any($2::bigint[])",
        tx.chain_id,
        [row["position"] for row in rows if row["is_second"]],
    )
    await connection.execute(
        "update shelf_news set is_second = true, due_at = $3 where chain_id = $1 and position = any($2::bigint[])",
        tx.chain_id,
        first,
        now + _AGAIN,
    )
    names = ("brand_id", "reference_key", "category_key", "metal_key", "stone_key")
    found = await connection.fetch(
        _WHOM,
        tx.chain_id,
        *([row[name] for row in rows] for name in names),
        store_id,
        today,
        FAVOURITE_SHARE,
    )
    return len(rows), [row[0] for row in found]
