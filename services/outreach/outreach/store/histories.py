"""Facts as columns: of a whole chain by binary COPY, of one client by one query. Must not judge any of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO

import numpy as np

from chassis.database import Transaction
from outreach.domain import SIGNALS, Signal
from outreach.signals.book import NEVER, OCCASION_COLUMNS, Histories, Integers, table
from outreach.store.chains import Chain

# Every column is cast to bigint, so a row of the binary format has a fixed size and numpy reads it without a loop.
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
_DAY = f"coalesce(({{}} at time zone {{}})::date - date '1970-01-01', {NEVER})::bigint"
# Who was merged into somebody has no history of her own any more.
_IS_SOMEBODY = """not c.is_deleted and not exists
    (select 1 from identity_aliases a where a.chain_id = c.chain_id and a.alias_id = c.client_id)"""
_NUMBER_OF_ASSOCIATE = f"""
    with books as (
        select associate_id, row_number() over (order by associate_id collate "C") - 1 as position
        from (select distinct associate_id from clients c where {_IS_SOMEBODY} and associate_id <> '') as named
    ), merged as (
        select a.current_id, max(m.last_marketing_at) as last_marketing_at, max(m.last_received_at) as last_received_at
        from identity_aliases a join clients m on m.chain_id = a.chain_id and m.client_id = a.alias_id
        where a.chain_id = $1 group by a.current_id
    )
"""  # noqa: S608 - fixed text only


# What a client may know of on a day: not a surprise for that very client, or one that is over.
_IS_OPEN = """({row}.surprise_for_client_id = '' or {row}.surprise_ends_on < {day} or coalesce(
    (select s.current_id from identity_aliases s
        where s.chain_id = {row}.chain_id and s.alias_id = {row}.surprise_for_client_id),
    {row}.surprise_for_client_id) <> {row}.client_id)"""
_NO_SURPRISE_DAY = """(coalesce(o->>7, '') = '' or coalesce((select s.current_id from identity_aliases s
    where s.chain_id = c.chain_id and s.alias_id = o->>7), o->>7) <> c.client_id)"""
_OCCASION = """(o->>0)::bigint, (o->>1)::bigint, (o->>2)::bigint, (o->>3)::bigint,
    coalesce((o->>4)::bigint, 0), coalesce((o->>5)::bigint, -1), coalesce((o->>6)::bigint, 0)"""
_POSITIONS = {signal: position for position, signal in enumerate(SIGNALS)}


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


async def read_histories(tx: Transaction, chain: Chain, *, as_of: date, rests: Rests) -> Histories:
    """Return what happened to every client of the chain up to `as_of`."""
    chain_id, zone = tx.chain_id, chain.zone.key
    # The planner's statistics do not know a chain that was imported a moment ago: it expects one row and joins by
    # nested loops, which takes minutes for 70,000 purchases. A whole chain is never read that way with profit.
    await tx.execute("set local enable_nestloop = off")
    return Histories(
        clients=await _copy(
            tx,
            4,
            f"""
            {_NUMBER_OF_ASSOCIATE}
            select c.number::bigint, coalesce(b.position, -1)::bigint,
                {_DAY.format("greatest(c.last_marketing_at, m.last_marketing_at)", "$2")},
                {_DAY.format("greatest(c.last_received_at, m.last_received_at)", "$2")}
            from clients c left join books b using (associate_id) left join merged m on m.current_id = c.client_id
            where c.chain_id = $1 and {_IS_SOMEBODY}
            """,  # noqa: S608 - fixed text only
            chain_id,
            zone,
        ),
        purchases=await _copy(
            tx,
            4,
            f"""
            select c.number::bigint, (p.purchase_day - date '1970-01-01')::bigint,
                (p.total_minor - coalesce(r.total_minor, 0))::bigint, (p.currency_code = $3)::int::bigint
            from purchases p join clients c using (chain_id, client_id)
            left join (select purchase_id, currency_code, sum(total_minor)::bigint as total_minor from returns
                where chain_id = $1 and returned_on <= $2 group by purchase_id, currency_code) as r
                on r.purchase_id = p.purchase_id and r.currency_code = p.currency_code
            where p.chain_id = $1 and p.purchase_day <= $2 and not c.is_deleted
                and (r.total_minor is null or r.total_minor < p.total_minor) and {_IS_OPEN.format(row="p", day="$2")}
            """,  # noqa: S608 - fixed text only
            chain_id,
            as_of,
            chain.currency,
        ),
        visits=await _copy(
            tx,
            2,
            f"""
            select c.number::bigint, {_DAY.format("v.visited_at", "$2")}
            from visits v join clients c using (chain_id, client_id)
            where v.chain_id = $1 and not c.is_deleted and {_IS_OPEN.format(row="v", day="$3")}
            """,  # noqa: S608 - fixed text only
            chain_id,
            zone,
            as_of,
        ),
        occasions=await _copy(
            tx,
            OCCASION_COLUMNS,
            f"""
            select c.number::bigint, {_OCCASION}
            from clients c cross join lateral jsonb_array_elements(c.occasions) as o
            where c.chain_id = $1 and {_IS_SOMEBODY} and {_NO_SURPRISE_DAY}
            """,  # noqa: S608 - fixed text only
            chain_id,
        ),
        rests=await _copy(
            tx,
            2,
            """
            select c.number::bigint, (array_position($4::text[], signal) - 1)::bigint
            from suggestions s join clients c using (chain_id, client_id) cross join lateral unnest(s.signals) as signal
            where s.chain_id = $1 and not c.is_deleted and ((s.state = 'sent' and s.answered_at > $2)
                or (s.state = 'dismissed' and s.answered_at > $3))
            """,
            chain_id,
            rests.sent_since,
            rests.dismissed_since,
            [str(signal) for signal in SIGNALS],
        ),
    )


async def _copy(tx: Transaction, columns: int, query: str, *arguments: object) -> Integers:
    connection = await tx.driver()
    taken = BytesIO()

    async def take(chunk: bytes) -> None:
        taken.write(chunk)

    await connection.copy_from_query(query, *arguments, output=take, format="binary")
    row = np.dtype([("fields", ">i2"), ("columns", [("size", ">i4"), ("value", ">i8")], (columns,))])
    body = taken.getbuffer()[_HEADER_BYTES : taken.tell() - _TRAILER_BYTES]
    return np.frombuffer(body, dtype=row)["columns"]["value"].astype(np.int64)


async def read_client_history(
    tx: Transaction, chain: Chain, client_id: str, *, as_of: date, rests: Rests
) -> tuple[KnownClient, Histories] | None:
    """Return what happened to one client, in one query; None for an unknown, deleted or merged client."""
    connection = await tx.driver()
    row = await connection.fetchrow(
        f"""
        with merged as (
            select max(m.last_marketing_at) as last_marketing_at, max(m.last_received_at) as last_received_at
            from identity_aliases a join clients m on m.chain_id = a.chain_id and m.client_id = a.alias_id
            where a.chain_id = $1 and a.current_id = $2
        )
        select c.number, c.associate_id, c.store_id,
            {_DAY.format("greatest(c.last_marketing_at, merged.last_marketing_at)", "$3")} as last_text,
            {_DAY.format("greatest(c.last_received_at, merged.last_received_at)", "$3")} as last_answer,
            (select json_agg(json_build_array({_OCCASION}))
                from jsonb_array_elements(c.occasions) as o where {_NO_SURPRISE_DAY}) as occasions,
            (select json_agg(json_build_array(p.purchase_day - date '1970-01-01',
                p.total_minor - coalesce(r.total_minor, 0), (p.currency_code = $4)::int))
                from purchases p left join lateral (select sum(b.total_minor)::bigint as total_minor from returns b
                    where b.chain_id = $1 and b.purchase_id = p.purchase_id and b.currency_code = p.currency_code
                    and b.returned_on <= $7) as r on true
                where p.chain_id = $1 and p.client_id = $2 and {_IS_OPEN.format(row="p", day="$7")}
                and (r.total_minor is null or r.total_minor < p.total_minor)) as purchases,
            (select json_agg({_DAY.format("v.visited_at", "$3")})
                from visits v where v.chain_id = $1 and v.client_id = $2
                and {_IS_OPEN.format(row="v", day="$7")}) as visits,
            (select json_agg(s.signals) from suggestions s where s.chain_id = $1 and s.client_id = $2
                and ((s.state = 'sent' and s.answered_at > $5) or (s.state = 'dismissed' and s.answered_at > $6))) as
                rests
        from clients c cross join merged where c.chain_id = $1 and c.client_id = $2 and {_IS_SOMEBODY}
        """,  # noqa: S608 - fixed text only
        tx.chain_id,
        client_id,
        chain.zone.key,
        chain.currency,
        rests.sent_since,
        rests.dismissed_since,
        as_of,
    )
    if row is None:
        return None
    number = row["number"]
    associate = 0 if row["associate_id"] else -1
    resting = {signal for signals in row["rests"] or [] for signal in signals}
    return KnownClient(number, client_id, row["associate_id"], row["store_id"]), Histories(
        clients=table([(number, associate, row["last_text"], row["last_answer"])], 4),
        purchases=table([(number, *purchase) for purchase in row["purchases"] or []], 4),
        visits=table([(number, day) for day in row["visits"] or []], 2),
        occasions=table([(number, *occasion) for occasion in row["occasions"] or []], OCCASION_COLUMNS),
        rests=table([(number, _POSITIONS[Signal(signal)]) for signal in sorted(resting)], 2),
    )


async def known_clients(tx: Transaction, numbers: Sequence[int]) -> dict[int, KnownClient]:
    """Return clients by number."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select number, client_id, associate_id, store_id from clients c"  # noqa: S608 - fixed text only
        f" where chain_id = $1 and number = any($2::bigint[]) and {_IS_SOMEBODY}",
        tx.chain_id,
        numbers,
    )
    return {row["number"]: KnownClient(**dict(row)) for row in rows}


async def numbers_of_snoozed(tx: Transaction, *, today: date) -> Integers:
    """Return the numbers of clients whose suggestion is put away until a later day."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select c.number from suggestions s join clients c using (chain_id, client_id)"
        " where s.chain_id = $1 and s.state = 'snoozed' and s.snoozed_until > $2",
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
            (v.last_visit at time zone :zone)::date as last_visit, (greatest(c.last_sent_at,
                (select max(m.last_sent_at) from identity_aliases a join clients m on m.chain_id = a.chain_id
                    and m.client_id = a.alias_id where a.chain_id = c.chain_id and a.current_id = c.client_id)
            ) at time zone :zone)::date as last_contact
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
