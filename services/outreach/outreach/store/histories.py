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
from outreach.signals.book import MARKS, NEVER, OCCASION_COLUMNS, Histories, Integers, Mark, table
from outreach.store.chains import Chain

# Every column is cast to bigint, so a row of the binary format has a fixed size and numpy reads it without a loop.
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
_NUMBER_OF_DAY = f"coalesce({{}} - date '1970-01-01', {NEVER})::bigint"
_DAY = _NUMBER_OF_DAY.format("({} at time zone $2)::date")
# The first moment after the day.
_END = "(($3::date + 1)::timestamp at time zone $2)"
# Who was merged into somebody has no history of her own any more.
IS_SOMEBODY = """not c.is_deleted and not exists
    (select 1 from identity_aliases a where a.chain_id = c.chain_id and a.alias_id = c.client_id)"""
# Arguments stand in every query of a chain, so that all can be asked with the same ones: $1 chain, $2 zone, $3 day,
# $4 currency, $5 and $6 since when answers rest their signals, $7 signals, $8 (and $9) the clients.
_ALL_ARGUMENTS = """$2::text is not null and $3::date is not null and $4::text is not null
    and $5::timestamptz is not null and $6::timestamptz is not null and $7::text[] is not null"""
_SLICE = f"c.chain_id = $1 and c.number >= $8::bigint and c.number < $9::bigint and {_ALL_ARGUMENTS}"
_SOME = "c.chain_id = $1 and c.client_id = any($8::text[])"

# What a client may know of on a day: not a surprise for that very client, or one that is over.
IS_OPEN = """({row}.surprise_for_client_id = '' or {row}.surprise_ends_on < $3::date or coalesce(
    (select s.current_id from identity_aliases s
        where s.chain_id = {row}.chain_id and s.alias_id = {row}.surprise_for_client_id),
    {row}.surprise_for_client_id) <> {row}.client_id)"""
_NO_SURPRISE_DAY = """(coalesce(o->>7, '') = '' or coalesce((select s.current_id from identity_aliases s
    where s.chain_id = c.chain_id and s.alias_id = o->>7), o->>7) <> c.client_id)"""
# What came back until the day: of a whole chain in one pass, of some clients looked up for each purchase.
_ALL_RETURNS = """(select purchase_id, currency_code, sum(total_minor)::bigint as total_minor from returns
    where chain_id = $1 and returned_on <= $3::date group by purchase_id, currency_code) as r
    on r.purchase_id = p.purchase_id and r.currency_code = p.currency_code"""
_SOME_RETURNS = """lateral (select sum(b.total_minor)::bigint as total_minor from returns b
    where b.chain_id = $1 and b.purchase_id = p.purchase_id and b.currency_code = p.currency_code
    and b.returned_on <= $3::date) as r on true"""
_CURRENT_CLIENT = "join clients c on c.chain_id = {row}.chain_id and c.client_id = {row}.client_id"

_READY, _COLLECTED = 5, 6  # carnet.profiles.v1.RepairStage
_SERVICES = (1, 2, 4)  # carnet.profiles.v1.RepairKind: repair, care, watch service


@dataclass(frozen=True)
class _Part:
    columns: int
    query: str


_PARTS: Mapping[str, _Part] = {
    "clients": _Part(
        3,
        f"""
        select c.number::bigint, coalesce(n.number, -1)::bigint, coalesce(s.number, -1)::bigint
        from clients c
        left join numbered_names n on n.chain_id = c.chain_id and n.name = c.associate_id
        left join numbered_names s on s.chain_id = c.chain_id and s.name = c.store_id
        where {{scope}} and {IS_SOMEBODY}
        """,  # noqa: S608 - fixed text only
    ),
    # Last marketing text, last answer, since when an answer is owed, last touch.
    "contacts": _Part(
        5,
        f"""
        select number::bigint, {_DAY.format("marketing")}, {_DAY.format("received")},
            {_DAY.format("case when answered is null or received > answered then received end")},
            {_DAY.format("touched")}
        from (
            select c.number, max(k.contacted_at) filter (where k.kind = 'marketing') as marketing,
                max(k.contacted_at) filter (where k.kind = 'received') as received,
                max(k.contacted_at) filter (where k.kind <> 'received' and k.is_by_person) as answered,
                max(k.contacted_at) filter (where k.kind <> 'received') as touched
            from contacts k {_CURRENT_CLIENT.format(row="k")}
            where {{scope}} and not c.is_deleted and k.contacted_at < {_END}
            group by c.number
        ) as last
        """,  # noqa: S608 - fixed text only
    ),
    "purchases": _Part(
        6,
        f"""
        select c.number::bigint, (p.purchase_day - date '1970-01-01')::bigint,
            (p.total_minor - coalesce(r.total_minor, 0))::bigint, (p.currency_code = $4)::int::bigint,
            p.occasion_kind::bigint, p.is_engagement::int::bigint
        from purchases p {_CURRENT_CLIENT.format(row="p")} left join {{returns}}
        where {{scope}} and not c.is_deleted and p.purchase_day <= $3::date
            and (r.total_minor is null or r.total_minor < p.total_minor) and {IS_OPEN.format(row="p")}
        """,  # noqa: S608 - fixed text only
    ),
    "visits": _Part(
        3,
        f"""
        select c.number::bigint, {_DAY.format("v.visited_at")}, {_NUMBER_OF_DAY.format("v.need_by")}
        from visits v {_CURRENT_CLIENT.format(row="v")}
        where {{scope}} and not c.is_deleted and v.visited_at < {_END} and {IS_OPEN.format(row="v")}
        """,  # noqa: S608 - fixed text only
    ),
    "occasions": _Part(
        OCCASION_COLUMNS,
        f"""
        select c.number::bigint, (o->>0)::bigint, (o->>1)::bigint, (o->>2)::bigint, (o->>3)::bigint,
            coalesce((o->>4)::bigint, 0), coalesce((o->>5)::bigint, -1), coalesce((o->>6)::bigint, 0)
        from clients c cross join lateral jsonb_array_elements(c.occasions) as o
        where {{scope}} and c.occasions <> '[]' and {IS_SOMEBODY} and {_NO_SURPRISE_DAY}
        """,  # noqa: S608 - fixed text only
    ),
    "rests": _Part(
        3,
        f"""
        select c.number::bigint, (array_position($7::text[], signal) - 1)::bigint, {_DAY.format("s.answered_at")}
        from suggestions s join clients c using (chain_id, client_id) cross join lateral unnest(s.signals) as signal
        where {{scope}} and not c.is_deleted and ((s.state in ('sent', 'logged') and s.answered_at > $5::timestamptz)
            or (s.state = 'dismissed' and s.answered_at > $6::timestamptz))
        """,  # noqa: S608 - fixed text only
    ),
    # Ready since the first move to it after which nothing else came; what the newest version says of a surprise holds.
    "repairs": _Part(
        3,
        f"""
        select number::bigint, {MARKS.index(Mark.REPAIR_READY)}::bigint, {_DAY.format("min(moved_at)")} from (
            select c.number, r.repair_id, r.moved_at, r.version,
                max(r.version) filter (where r.stage <> {_READY}) over whole as other,
                first_value({IS_OPEN.format(row="r")}) over (whole order by r.version desc) as is_open
            from repair_moves r {_CURRENT_CLIENT.format(row="r")}
            where {{scope}} and not c.is_deleted and r.moved_at < {_END}
            window whole as (partition by r.repair_id)
        ) as moves
        where version > coalesce(other, -1) and is_open group by number, repair_id
        union all
        select c.number::bigint, {MARKS.index(Mark.SERVICED)}::bigint, {_DAY.format("max(r.moved_at)")}
        from repair_moves r {_CURRENT_CLIENT.format(row="r")}
        where {{scope}} and not c.is_deleted and r.moved_at < {_END} and r.stage = {_COLLECTED}
            and r.kind in {_SERVICES} and {IS_OPEN.format(row="r")}
        group by c.number
        """,  # noqa: S608 - fixed text only
    ),
    # The last one that was not called off: missed, then nothing was booked since. One that was kept is a touch.
    "appointments": _Part(
        3,
        f"""
        select number::bigint,
            case state when 'missed' then {MARKS.index(Mark.APPOINTMENT_MISSED)}
                else {MARKS.index(Mark.TOUCHED)} end::bigint, {_DAY.format("starts_at")}
        from (
            select *, max(starts_at) over (partition by number) as last_start from (
                select distinct on (m.appointment_id) c.number, m.appointment_id, m.state, m.starts_at
                from appointment_moves m {_CURRENT_CLIENT.format(row="m")}
                where {{scope}} and not c.is_deleted and m.said_at < {_END}
                order by m.appointment_id, m.version desc
            ) as newest where state <> 'cancelled'
        ) as kept
        where (state = 'missed' and starts_at = last_start) or state = 'attended'
        """,  # noqa: S608 - fixed text only
    ),
    # Pieces came in while the client waited, and she has not answered an offer of the reference since.
    "waits": _Part(
        3,
        f"""
        select c.number::bigint, {MARKS.index(Mark.WAITLIST_MOVED)}::bigint, {_DAY.format("max(l.received_at)")}
        from interests i {_CURRENT_CLIENT.format(row="i")}
        join allocations l on l.chain_id = i.chain_id and l.reference_id = i.reference_id
        where {{scope}} and not c.is_deleted and i.registered_at <= l.received_at and l.received_at < {_END}
            and (i.withdrawn_at is null or i.withdrawn_at >= {_END})
            and not exists (select 1 from offers f where f.chain_id = i.chain_id and f.client_id = i.client_id
                and f.reference_id = i.reference_id and f.state in ('accepted', 'declined', 'sold')
                and f.said_at >= l.received_at and f.said_at < {_END})
        group by c.number
        """,  # noqa: S608 - fixed text only
    ),
    "arrivals": _Part(
        3,
        f"""
        select c.number::bigint, (array_position(array{[str(mark) for mark in MARKS]}, a.mark) - 1)::bigint,
            {_NUMBER_OF_DAY.format("a.arrived_on")}
        from arrivals a {_CURRENT_CLIENT.format(row="a")}
        where {{scope}} and not c.is_deleted and a.arrived_on <= $3::date
        """,  # noqa: S608 - fixed text only
    ),
}
# The first days after $3 on which the same facts say something else: a day ahead comes, or a surprise is over.
_CHANGES = _Part(
    2,
    f"""
    select c.number::bigint, (least(
        case when p.purchase_day > $3::date then p.purchase_day end,
        case when p.surprise_for_client_id <> '' and p.surprise_ends_on >= $3::date
            then p.surprise_ends_on + 1 end) - date '1970-01-01')::bigint
    from purchases p {_CURRENT_CLIENT.format(row="p")}
    where {{scope}} and (p.purchase_day > $3::date
        or (p.surprise_for_client_id <> '' and p.surprise_ends_on >= $3::date))
    union all
    select c.number::bigint, (b.returned_on - date '1970-01-01')::bigint
    from purchases p {_CURRENT_CLIENT.format(row="p")}
    join returns b on b.chain_id = p.chain_id and b.purchase_id = p.purchase_id
    where {{scope}} and b.returned_on > $3::date
    union all
    select c.number::bigint, (least(
        case when v.visited_at >= {_END} then (v.visited_at at time zone $2)::date end,
        case when v.need_by >= $3::date then v.need_by + 1 end,
        case when v.surprise_for_client_id <> '' and v.surprise_ends_on >= $3::date
            then v.surprise_ends_on + 1 end) - date '1970-01-01')::bigint
    from visits v {_CURRENT_CLIENT.format(row="v")}
    where {{scope}} and (v.visited_at >= {_END} or v.need_by >= $3::date
        or (v.surprise_for_client_id <> '' and v.surprise_ends_on >= $3::date))
    union all
    select c.number::bigint, (least(
        case when r.moved_at >= {_END} then (r.moved_at at time zone $2)::date end,
        case when r.surprise_for_client_id <> '' and r.surprise_ends_on >= $3::date
            then r.surprise_ends_on + 1 end) - date '1970-01-01')::bigint
    from repair_moves r {_CURRENT_CLIENT.format(row="r")}
    where {{scope}} and (r.moved_at >= {_END}
        or (r.surprise_for_client_id <> '' and r.surprise_ends_on >= $3::date))
    union all
    select c.number::bigint, (least(case when m.said_at >= {_END} then (m.said_at at time zone $2)::date end,
        case when m.starts_at >= {_END} then (m.starts_at at time zone $2)::date end)
        - date '1970-01-01')::bigint
    from appointment_moves m {_CURRENT_CLIENT.format(row="m")}
    where {{scope}} and m.state in ('attended', 'missed') and (m.said_at >= {_END} or m.starts_at >= {_END})
    union all
    select c.number::bigint, ((k.contacted_at at time zone $2)::date - date '1970-01-01')::bigint
    from contacts k {_CURRENT_CLIENT.format(row="k")} where {{scope}} and k.contacted_at >= {_END}
    union all
    select c.number::bigint, (least(
        case when l.received_at >= {_END} then (l.received_at at time zone $2)::date end,
        case when i.withdrawn_at >= {_END} then (i.withdrawn_at at time zone $2)::date end)
        - date '1970-01-01')::bigint
    from interests i {_CURRENT_CLIENT.format(row="i")}
    join allocations l on l.chain_id = i.chain_id and l.reference_id = i.reference_id
    where {{scope}} and (l.received_at >= {_END} or i.withdrawn_at >= {_END})
    union all
    select c.number::bigint, (a.arrived_on - date '1970-01-01')::bigint
    from arrivals a {_CURRENT_CLIENT.format(row="a")} where {{scope}} and a.arrived_on > $3::date
    """,  # noqa: S608 - fixed text only
)
_WIDEST = max(part.columns for part in _PARTS.values())
_POSITIONS = {signal: position for position, signal in enumerate(SIGNALS)}


def _one_query(parts: Mapping[str, _Part]) -> str:
    """Return the query of all parts at once, of some clients: number of the part, then its columns.

    Without the white space: the driver keeps no statement prepared that is longer than 15 kB.
    """
    query = " union all ".join(
        f"select {position}, part.*{', null::bigint' * (_WIDEST - part.columns)} from (\n"  # noqa: S608
        f"{part.query.format(scope=_SOME, returns=_SOME_RETURNS)}) as part"
        for position, part in enumerate(parts.values())
    )
    return " ".join(query.split())


_SOME_QUERY = _one_query({**_PARTS, "changes": _CHANGES})


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
            part.query.format(scope=_SLICE, returns=_ALL_RETURNS),
            *arguments,
            from_number,
            until,
        )
        for name, part in _PARTS.items()
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
    found: dict[str, list[tuple[int, ...]]] = {name: [] for name in (*_PARTS, "changes")}
    lists = list(found.values())
    for row in rows:
        lists[row[0]].append(row[1:])
    tables = {
        name: table([row[: part.columns] for row in found[name]], part.columns)
        for name, part in (*_PARTS.items(), ("changes", _CHANGES))
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
