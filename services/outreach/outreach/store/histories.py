"""What happened, as columns: of a whole chain by binary COPY, of some clients by one query. Must not judge any of it.

Both read the same parts, so what a part says holds for both; `Book.of` makes a book of them for any day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO

import numpy as np

from chassis.database import Transaction
from outreach.domain import SIGNALS
from outreach.signals.book import MARKS, NEVER, Histories, Integers, Mark, table
from outreach.store.chains import Chain
from outreach.store.history_parts import (
    ALL_RETURNS,
    CHANGES,
    IS_SOMEBODY,
    PARTS,
    SLICE,
    SOME,
    SOME_RETURNS,
    Part,
)

# A row of the binary format has a fixed size where every value has, so numpy reads it without a loop.
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
_WIDEST = max(part.columns for part in PARTS.values())


def _one_query(parts: Mapping[str, Part]) -> str:
    """Return the query of all parts at once, of some clients: number of the part, then its columns.

    Without the white space: the driver keeps no statement prepared that is longer than 15 kB.
    """
    query = " union all ".join(
        f"select {position}, part.*{', null::bigint' * (_WIDEST - part.columns)} from (\n"  # noqa: S608
        f"{part.query.format(scope=SOME, returns=SOME_RETURNS)}) as part"
        for position, part in enumerate(parts.values())
    )
    return " ".join(query.split())


_SOME_QUERY = _one_query({**PARTS, "changes": CHANGES})


@dataclass(frozen=True)
class Rests:
    """From when on an answer keeps its signals away from a client: after a sent text, after a dismissal."""

    sent_since: datetime
    dismissed_since: datetime


@dataclass(frozen=True)
class KnownClient:
    """What a suggestion needs of a client beside the figures."""

    number: int
    client_id: str
    associate_id: str
    store_id: str


async def read_histories(
    tx: Transaction,
    chain: Chain,
    *,
    as_of: date,
    rests: Rests,
    from_number: int = 0,
    until_number: int | None = None,
) -> Histories:
    """Return what happened to every client of the chain, or of a slice of numbers, up to `as_of`."""
    # The planner's statistics do not know a chain that was imported a moment ago: it expects one row and joins by
    # nested loops, which takes minutes for 70,000 purchases. A whole chain is never read that way with profit.
    await tx.execute("set local enable_nestloop = off")
    arguments = _arguments(tx, chain, as_of, rests)
    until = 2**62 if until_number is None else until_number
    found = {
        name: await copy_columns(
            tx,
            [8] * part.columns,
            part.query.format(scope=SLICE, returns=ALL_RETURNS),
            *arguments,
            from_number,
            until,
        )
        for name, part in PARTS.items()
    }
    await tx.execute("set local enable_nestloop = on")
    return _histories({name: np.stack(columns, axis=1) for name, columns in found.items()})


async def read_histories_of(
    tx: Transaction, chain: Chain, client_ids: Sequence[str], *, as_of: date, rests: Rests
) -> tuple[Histories, Integers]:
    """Return what happened to some clients, in one query, and the days ahead on which something changes of itself.

    Unknown, deleted and merged clients are left out.
    """
    connection = await tx.driver()
    # Planning it takes many times as long as running it for one client, and would be done every time: for a list of
    # one the planner thinks better of its plan than of the one it kept.
    await connection.execute("set local plan_cache_mode = force_generic_plan")
    rows = await connection.fetch(_SOME_QUERY, *_arguments(tx, chain, as_of, rests), list(client_ids))
    await connection.execute("set local plan_cache_mode = auto")
    found: dict[str, list[tuple[int, ...]]] = {name: [] for name in (*PARTS, "changes")}
    lists = list(found.values())
    for row in rows:
        lists[row[0]].append(row[1:])
    tables = {
        name: table([row[: part.columns] for row in found[name]], part.columns)
        for name, part in (*PARTS.items(), ("changes", CHANGES))
    }
    changes = tables.pop("changes")
    return _histories(tables), changes


def _arguments(tx: Transaction, chain: Chain, as_of: date, rests: Rests) -> tuple[object, ...]:
    return (
        tx.chain_id,
        chain.zone.key,
        as_of,
        chain.currency,
        rests.sent_since,
        rests.dismissed_since,
        [str(signal) for signal in SIGNALS],
    )


def _histories(found: Mapping[str, Integers]) -> Histories:
    clients, contacts, purchases = found["clients"], found["contacts"], found["purchases"]
    at = dict(zip(contacts[:, 0].tolist(), range(len(contacts)), strict=True))
    position = np.array([at.get(number, -1) for number in clients[:, 0].tolist()], dtype=np.int64)
    lasts = np.full((len(clients), 2), NEVER, dtype=np.int64)
    lasts[position >= 0] = contacts[position[position >= 0], 1:3]
    is_bought = purchases[:, 2] >= 0
    gifts = purchases[is_bought & (purchases[:, 4] != 0)]
    rings = purchases[is_bought & (purchases[:, 5] == 1)]
    return Histories(
        clients=np.column_stack([clients[:, 0], clients[:, 1], lasts, clients[:, 2]]),
        purchases=purchases[:, :4],
        visits=found["visits"],
        occasions=found["occasions"],
        rests=np.unique(found["rests"], axis=0),
        gifts=gifts[:, [0, 1, 4]],
        marks=np.concatenate(
            [
                _marks(rings[:, 0], Mark.ENGAGEMENT, rings[:, 1]),
                _marks(contacts[:, 0], Mark.UNANSWERED, contacts[:, 3]),
                _marks(contacts[:, 0], Mark.TOUCHED, contacts[:, 4]),
                found["repairs"],
                found["appointments"],
                found["waits"],
                found["arrivals"],
            ]
        ),
    )


def _marks(number: Integers, mark: Mark, day: Integers) -> Integers:
    rows = np.column_stack([number, np.full(len(number), MARKS.index(mark), dtype=np.int64), day])
    return table(rows[day != NEVER], 3)


async def copy_columns(
    tx: Transaction, sizes: Sequence[int], query: str, *arguments: object
) -> list[Integers]:
    """Return the columns of a query whose values all have a fixed size in bytes, never null, without a loop."""
    connection = await tx.driver()
    taken = BytesIO()

    async def take(chunk: bytes) -> None:
        taken.write(chunk)

    await connection.copy_from_query(query, *arguments, output=take, format="binary")
    row = np.dtype(
        [("fields", ">i2"), *((f"{n}{part}", form) for n, size in enumerate(sizes)
         for part, form in (("size", ">i4"), ("", f">i{size}")))]
    )  # fmt: skip
    body = taken.getbuffer()[_HEADER_BYTES : taken.tell() - _TRAILER_BYTES]
    rows = np.frombuffer(body, dtype=row)
    return [rows[f"{n}"].astype(np.int64) for n in range(len(sizes))]


async def find_known_client(tx: Transaction, client_id: str) -> KnownClient | None:
    """Return who a client is; None for an unknown, deleted or merged one."""
    connection = await tx.driver()
    row = await connection.fetchrow(
        "select number, client_id, associate_id, store_id from clients c"  # noqa: S608 - fixed text only
        f" where c.chain_id = $1 and c.client_id = $2 and {IS_SOMEBODY}",
        tx.chain_id,
        client_id,
    )
    return None if row is None else KnownClient(**dict(row))


async def known_clients(tx: Transaction, numbers: Sequence[int]) -> dict[int, KnownClient]:
    """Return clients by number."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select number, client_id, associate_id, store_id from clients c"  # noqa: S608 - fixed text only
        f" where chain_id = $1 and number = any($2::bigint[]) and {IS_SOMEBODY}",
        tx.chain_id,
        numbers,
    )
    return {row["number"]: KnownClient(**dict(row)) for row in rows}


async def numbers_of_snoozed(tx: Transaction, *, today: date) -> Integers:
    """Return the numbers of clients whose suggestion is put away until a later day, or was handed on by somebody."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select c.number from suggestions s join clients c using (chain_id, client_id)"
        " where s.chain_id = $1 and ((s.state = 'snoozed' and s.snoozed_until > $2)"
        "  or (s.state in ('open', 'snoozed') and s.reassigned_by <> ''))",
        tx.chain_id,
        today,
    )
    return np.array([row[0] for row in rows], dtype=np.int64)


@dataclass(frozen=True)
class ClientFigures:
    """One client's facts as they are shown; days are those of the chain."""

    client_id: str
    associate_id: str
    store_id: str
    purchase_days: int
    purchases: int
    total_minor: int
    first_purchase: date | None
    last_purchase: date | None
    visits: int
    last_visit: date | None
    last_contact: date | None
    language: str


async def read_client_figures(tx: Transaction, chain: Chain, client_id: str) -> ClientFigures | None:
    """Return one client's facts, counted from purchases and visits; None for an unknown or deleted client."""
    found = await tx.execute(
        """
        select c.client_id, c.associate_id, c.store_id, c.language,
            p.purchase_days, p.purchases, p.total_minor, p.first_purchase, p.last_purchase, v.visits,
            (v.last_visit at time zone :zone)::date as last_visit, (
                (select max(k.contacted_at) from contacts k where k.chain_id = c.chain_id
                    and k.client_id = c.client_id and k.kind <> 'received') at time zone :zone)::date as last_contact
        from clients c
        cross join lateral (
            select count(*) filter (where net >= 0) as purchases,
                count(distinct purchase_day) filter (where net >= 0) as purchase_days,
                coalesce(sum(net) filter (where currency_code = :currency), 0)::bigint as total_minor,
                min(purchase_day) filter (where net >= 0) as first_purchase,
                max(purchase_day) filter (where net >= 0) as last_purchase
            from (
                select purchase_day, currency_code, total_minor - coalesce(returned, 0) as net
                from purchases b left join lateral (select sum(r.total_minor) as returned from returns r
                    where r.chain_id = b.chain_id and r.purchase_id = b.purchase_id
                    and r.currency_code = b.currency_code) as r on true
                where b.chain_id = c.chain_id and b.client_id = c.client_id
                    and (returned is null or returned < b.total_minor)
            ) as kept
        ) as p
        cross join lateral (
            select count(*) as visits, max(visited_at) as last_visit
            from visits where chain_id = c.chain_id and client_id = c.client_id
        ) as v
        where c.chain_id = :chain_id and c.client_id = :client_id and not c.is_deleted
        """,
        {"chain_id": tx.chain_id, "client_id": client_id, "zone": chain.zone.key, "currency": chain.currency},
    )
    row = found.one_or_none()
    return None if row is None else ClientFigures(**row._asdict())
