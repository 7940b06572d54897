"""Count what is known of clients into one row each, from the facts behind it; note whose row is to be counted anew.

A row is never moved on by what an event adds: it is counted again whole, so no order or repetition can leave a wrong
one. Who counts holds the client's row in `clients`, as every event of the client does.
"""

import hashlib
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from outreach.signals.book import MARKS, NEVER, Book, Integers, Mark, Places
from outreach.signals.finding import day_number, day_of
from outreach.store import tastes
from outreach.store.chains import Chain
from outreach.store.histories import Rests, read_histories_of

VISIT, GIFT = 100, 101  # client_days.what, beside the positions of marks
# Counts up whenever rows are counted in another way, so that all are counted anew.
_WAY = 1
# Of facts that change on no day ahead.
_NOT_AHEAD = date(9999, 12, 31)
# Of each table the rows that are not to stand any more go and those that are missing come; the others are left alone. A
# row may stand there several times, as of two visits on a day: `copy` counts them.
_REPLACE_ROWS = """
    old_{table} as materialized (
        select ctid as place, {columns}, row_number() over (partition by {columns}) as copy
        from client_{table} where chain_id = $1 and number = any(array(select number from given))
    ), new_{table} as materialized (
        select {columns}, row_number() over (partition by {columns}) as copy from unnest({arrays}) as u ({columns})
    ), gone_{table} as (
        delete from client_{table} where chain_id = $1 and ctid = any(array(select place from old_{table} o
            where not exists (select 1 from new_{table} n where ({n_columns}, n.copy) = ({o_columns}, o.copy))))
    ), added_{table} as (
        insert into client_{table} (chain_id, {columns}) select $1, {columns} from new_{table} n
        where not exists (select 1 from old_{table} o where ({n_columns}, n.copy) = ({o_columns}, o.copy))
    )
"""


def _replace_rows(table: str, columns: Sequence[str], arrays: str) -> str:
    return _REPLACE_ROWS.format(
        table=table,
        columns=", ".join(columns),
        arrays=arrays,
        n_columns=", ".join(f"n.{column}" for column in columns),
        o_columns=", ".join(f"o.{column}" for column in columns),
    )


_DAYS = _replace_rows(
    "days", ("number", "what", "day", "value"), "$3::bigint[], $4::smallint[], $5::int[], $6::int[]"
)
_OCCASIONS = _replace_rows(
    "occasions",
    ("number", "kind", "year", "season", "recurrence", "lead_days", "relationship"),
    "$7::bigint[], $8::smallint[], $9::smallint[], $10::smallint[], $11::smallint[], $12::smallint[], $13::smallint[]",
)
_REPLACE = f"""
    with given as materialized (
        select number from clients where chain_id = $1 and client_id = any($2::text[])
    ), {_DAYS}, {_OCCASIONS}
    delete from client_facts where chain_id = $1 and client_id = any($2::text[]) and number <> all($14::bigint[])
"""  # noqa: S608 - fixed text only


def basis_of(chain: Chain) -> int:
    """Return the number that says of which zone and currency, and in which way, a row was counted."""
    digest = hashlib.sha256(f"{_WAY} {chain.zone.key} {chain.currency}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


async def refresh_client_facts(
    tx: Transaction,
    chain: Chain,
    client_ids: Collection[str],
    *,
    tastes_of: Collection[str] | None = None,
    now: datetime,
) -> None:
    """Count clients anew as of today at the chain; who is deleted or merged into somebody has no row.

    What they prefer is counted of `tastes_of`, of all where it is None, and of whoever's row is out of date.
    """
    ids = sorted(set(client_ids))
    if not ids:
        return
    with_tastes = ids if tastes_of is None else await _whose_tastes_change(tx, chain, ids, tastes_of, now=now)
    today = chain.today(now)
    as_of = day_number(today)
    histories, changes = await read_histories_of(tx, chain, ids, as_of=today, rests=Rests(now, now))
    book = Book.of(histories, as_of)
    low, high = tastes.price_bands(histories, book.number, as_of)
    days, occasions = _days(book), histories.occasions
    place = Places(book.number)
    changing, at = place(changes)
    changes_on = np.full(len(book), day_number(_NOT_AHEAD), dtype=np.int64)
    np.minimum.at(changes_on, at, changing[:, 1])
    figures = (
        book.number, book.associate, book.store, book.last_text, book.last_answer, book.purchase_days,
        book.first_purchase, book.last_purchase, book.last_visit, book.earlier_visit, book.home_days,
        book.mark(Mark.TOUCHED), book.total_minor, book.home_repeat_minor, low, high,
    )  # fmt: skip
    connection = await tx.driver()
    await connection.execute(
        _REPLACE,
        tx.chain_id,
        ids,
        *(column.tolist() for column in days),
        occasions[:, 0].tolist(),
        occasions[:, 1].tolist(),
        occasions[:, 2].tolist(),
        (occasions[:, 3] * 100 + occasions[:, 4]).tolist(),
        *(occasions[:, at].tolist() for at in (5, 6, 7)),
        book.number.tolist(),
    )
    await connection.execute(
        """
        insert into client_facts (chain_id, client_id, number, associate, store, last_text, last_answer, purchase_days,
            first_purchase, last_purchase, last_visit, earlier_visit, home_days, touched, total_minor,
            home_repeat_minor, price_low_minor, price_high_minor, changes_on, basis)
        select $1, c.client_id, u.*, $2
        from unnest($3::bigint[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[], $10::int[],
            $11::int[], $12::int[], $13::int[], $14::int[], $15::bigint[], $16::bigint[], $17::bigint[],
            $18::bigint[], $19::date[])
            as u (number, associate, store, last_text, last_answer, purchase_days, first_purchase, last_purchase,
                last_visit, earlier_visit, home_days, touched, total_minor, home_repeat_minor, low, high, changes_on)
        join clients c on c.chain_id = $1 and c.number = u.number
        on conflict (chain_id, number) do update set
            associate = excluded.associate, store = excluded.store, last_text = excluded.last_text,
            last_answer = excluded.last_answer, purchase_days = excluded.purchase_days,
            first_purchase = excluded.first_purchase, last_purchase = excluded.last_purchase,
            last_visit = excluded.last_visit, earlier_visit = excluded.earlier_visit,
            home_days = excluded.home_days, touched = excluded.touched, total_minor = excluded.total_minor,
            home_repeat_minor = excluded.home_repeat_minor, price_low_minor = excluded.price_low_minor,
            price_high_minor = excluded.price_high_minor, changes_on = excluded.changes_on, basis = excluded.basis
        """,
        tx.chain_id,
        basis_of(chain),
        *(column.tolist() for column in figures),
        [day_of(int(day)) for day in changes_on],
    )
    if with_tastes:
        await tastes.refresh_affinities(tx, chain, with_tastes, as_of=today)


async def _whose_tastes_change(
    tx: Transaction, chain: Chain, client_ids: Sequence[str], tastes_of: Collection[str], *, now: datetime
) -> Sequence[str]:
    """Return `tastes_of` and whoever has no row, or one that says something else today without anything said."""
    others = sorted(set(client_ids) - set(tastes_of))
    if not others:
        return client_ids
    connection = await tx.driver()
    rows = await connection.fetch(
        "select u from unnest($2::text[]) as u where not exists (select 1 from client_facts f"
        " where f.chain_id = $1 and f.client_id = u and f.basis = $3 and f.changes_on > $4)",
        tx.chain_id,
        others,
        basis_of(chain),
        chain.today(now),
    )
    return sorted({*tastes_of, *(row[0] for row in rows)})


def _days(book: Book) -> tuple[Integers, ...]:
    """Return the columns of client_days: number, what, day, value."""
    parts = [
        (book.visit_client, VISIT, book.visit_day, np.zeros(len(book.visit_day), dtype=np.int64)),
        (book.gift_client, GIFT, book.gift_day, book.gift_kind),
    ]
    for mark, column in book.marks.items():
        at = np.flatnonzero(column != NEVER)
        if mark is not Mark.TOUCHED:
            parts.append((at, MARKS.index(mark), column[at], np.zeros(len(at), dtype=np.int64)))
    return (
        np.concatenate([book.number[client] for client, *_ in parts]),
        np.concatenate([np.full(len(client), what, dtype=np.int64) for client, what, *_ in parts]),
        np.concatenate([day for _, _, day, _ in parts]),
        np.concatenate([value for *_, value in parts]),
    )


async def drop_rows(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Remove what was counted of clients who are forgotten."""
    parameters = {"chain_id": tx.chain_id, "ids": list(client_ids)}
    for table in ("client_days", "client_occasions"):
        await tx.execute(
            f"delete from {table} where chain_id = :chain_id and number in"  # noqa: S608 - fixed text only
            " (select number from clients where chain_id = :chain_id and client_id = any(:ids))",
            parameters,
        )
    for table in ("client_facts", "client_affinities", "uncounted_clients", "due_clients"):
        await tx.execute(
            f"delete from {table} where chain_id = :chain_id and client_id = any(:ids)",  # noqa: S608 - fixed text
            parameters,
        )


async def queue_clients(
    tx: Transaction, client_ids: Collection[str], *, tastes: bool = True, now: datetime
) -> None:
    """Note that clients are to be counted anew; whoever is queued already is there twice, so that nobody waits.

    Without `tastes` nothing was said that bears on what they prefer.
    """
    connection = await tx.driver()
    await connection.execute(
        "insert into uncounted_clients (chain_id, client_id, queued_at, tastes)"
        " select $1, c, $2, $4 from unnest($3::text[]) as c",
        tx.chain_id,
        now,
        sorted(set(client_ids)),
        tastes,
    )


async def queue_chain(tx: Transaction, *, now: datetime) -> None:
    """Note that every client of the chain is to be counted anew."""
    await tx.execute(
        "insert into uncounted_clients (chain_id, client_id, queued_at)"
        " select chain_id, client_id, :now from clients where chain_id = :chain_id and not is_deleted",
        {"chain_id": tx.chain_id, "now": now},
    )


async def queue_changed(tx: Transaction, chain: Chain, *, now: datetime) -> None:
    """Note whose row says something else today though nothing was said: a day came, or the chain counts otherwise."""
    connection = await tx.driver()
    await connection.execute(
        "insert into uncounted_clients (chain_id, client_id, queued_at) select $1, f.client_id, $4 from ("
        " select client_id from client_facts where chain_id = $1 and basis = $2 and changes_on <= $3 union all"
        " select client_id from client_facts where chain_id = $1 and basis < $2 union all"
        " select client_id from client_facts where chain_id = $1 and basis > $2) as f",
        tx.chain_id,
        basis_of(chain),
        chain.today(now),
        now,
    )


async def take_queued(tx: Transaction, *, most: int) -> dict[str, bool]:
    """Take clients off the queue, in the order of their ids, leaving out those whom somebody else is taking.

    Each with whether what she prefers is to be counted as well.
    """
    connection = await tx.driver()
    rows = await connection.fetch(
        # An array, not a join: by what the planner knew when the table was empty it would choose anew for every row.
        "delete from uncounted_clients where position = any(array(select position from uncounted_clients"
        "  where chain_id = $1 and client_id <= (select max(client_id) from (select distinct client_id"
        "   from uncounted_clients where chain_id = $1 order by client_id limit $2) as least)"
        "  for update skip locked)) returning client_id, tastes",
        tx.chain_id,
        most,
    )
    return whose_tastes(rows)


def whose_tastes(rows: Sequence[Sequence[Any]]) -> dict[str, bool]:
    """Return clients who were queued, in the order of their ids; what she prefers counts if it does once."""
    found: dict[str, bool] = {}
    for client_id, counts in sorted((row[0], row[1]) for row in rows):
        found[client_id] = found.get(client_id, False) or counts
    return found


async def hold_clients(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Wait until nobody else writes facts of these clients, and keep others waiting until the transaction ends."""
    connection = await tx.driver()
    await connection.execute(
        "select 1 from clients where chain_id = $1 and client_id = any($2::text[]) order by client_id"
        " for no key update",
        tx.chain_id,
        list(client_ids),
    )


async def chains_left_behind(
    platform: AsyncConnection, *, quiet_since: datetime, waiting_since: datetime
) -> list[str]:
    """Return the chains whose queue had nobody added since a moment, or somebody waiting since before another one."""
    found = await platform.execute(
        # From chain to chain by the index, not through every row of an import.
        text(
            "with recursive queued as (select min(chain_id) as chain_id from uncounted_clients union all"
            "  select (select min(u.chain_id) from uncounted_clients u where u.chain_id > q.chain_id)"
            "  from queued q where q.chain_id is not null)"
            " select q.chain_id from queued q where q.chain_id is not null"
            " and ((select max(u.queued_at) from uncounted_clients u where u.chain_id = q.chain_id) < :quiet_since"
            "  or (select min(u.queued_at) from uncounted_clients u where u.chain_id = q.chain_id) < :waiting_since)"
            " order by 1"
        ),
        {"quiet_since": quiet_since, "waiting_since": waiting_since},
    )
    return list(found.scalars())
