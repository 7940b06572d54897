"""What happened to clients, as queries of whole numbers. Must not run any of them; `histories` does.

What a client may know of, what came back, and what is over as of a day is decided here, for every reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from outreach.signals.book import MARKS, NEVER, OCCASION_COLUMNS, Mark

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
SLICE = f"c.chain_id = $1 and c.number >= $8::bigint and c.number < $9::bigint and {_ALL_ARGUMENTS}"
SOME = "c.chain_id = $1 and c.client_id = any($8::text[])"

# What a client may know of on a day: not a surprise for that very client, or one that is over.
IS_OPEN = """({row}.surprise_for_client_id = '' or {row}.surprise_ends_on < $3::date or coalesce(
    (select s.current_id from identity_aliases s
        where s.chain_id = {row}.chain_id and s.alias_id = {row}.surprise_for_client_id),
    {row}.surprise_for_client_id) <> {row}.client_id)"""
_NO_SURPRISE_DAY = """(coalesce(o->>7, '') = '' or coalesce((select s.current_id from identity_aliases s
    where s.chain_id = c.chain_id and s.alias_id = o->>7), o->>7) <> c.client_id)"""
# What came back until the day: of a whole chain in one pass, of some clients looked up for each purchase.
ALL_RETURNS = """(select purchase_id, currency_code, sum(total_minor)::bigint as total_minor from returns
    where chain_id = $1 and returned_on <= $3::date group by purchase_id, currency_code) as r
    on r.purchase_id = p.purchase_id and r.currency_code = p.currency_code"""
SOME_RETURNS = """lateral (select sum(b.total_minor)::bigint as total_minor from returns b
    where b.chain_id = $1 and b.purchase_id = p.purchase_id and b.currency_code = p.currency_code
    and b.returned_on <= $3::date) as r on true"""
_CURRENT_CLIENT = "join clients c on c.chain_id = {row}.chain_id and c.client_id = {row}.client_id"

_READY, _COLLECTED = 5, 6  # carnet.profiles.v1.RepairStage
_SERVICES = (1, 2, 4)  # carnet.profiles.v1.RepairKind: repair, care, watch service


@dataclass(frozen=True)
class Part:
    """A query of whole numbers, of a slice of a chain or of some clients: what is put in braces says which."""

    columns: int
    query: str


PARTS: Mapping[str, Part] = {
    "clients": Part(
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
    "contacts": Part(
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
    "purchases": Part(
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
    "visits": Part(
        3,
        f"""
        select c.number::bigint, {_DAY.format("v.visited_at")}, {_NUMBER_OF_DAY.format("v.need_by")}
        from visits v {_CURRENT_CLIENT.format(row="v")}
        where {{scope}} and not c.is_deleted and v.visited_at < {_END} and {IS_OPEN.format(row="v")}
        """,  # noqa: S608 - fixed text only
    ),
    "occasions": Part(
        OCCASION_COLUMNS,
        f"""
        select c.number::bigint, (o->>0)::bigint, (o->>1)::bigint, (o->>2)::bigint, (o->>3)::bigint,
            coalesce((o->>4)::bigint, 0), coalesce((o->>5)::bigint, -1), coalesce((o->>6)::bigint, 0)
        from clients c cross join lateral jsonb_array_elements(c.occasions) as o
        where {{scope}} and c.occasions <> '[]' and {IS_SOMEBODY} and {_NO_SURPRISE_DAY}
        """,  # noqa: S608 - fixed text only
    ),
    "rests": Part(
        3,
        f"""
        select c.number::bigint, (array_position($7::text[], signal) - 1)::bigint, {_DAY.format("s.answered_at")}
        from suggestions s join clients c using (chain_id, client_id) cross join lateral unnest(s.signals) as signal
        where {{scope}} and not c.is_deleted and ((s.state in ('sent', 'logged') and s.answered_at > $5::timestamptz)
            or (s.state = 'dismissed' and s.answered_at > $6::timestamptz))
        """,  # noqa: S608 - fixed text only
    ),
    # Ready since the first move to it after which nothing else came; what the newest version says of a surprise holds.
    "repairs": Part(
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
    "appointments": Part(
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
    "waits": Part(
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
    "arrivals": Part(
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
CHANGES = Part(
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
