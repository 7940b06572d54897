"""What clients prefer: the share of each brand, category, metal and stone in what they bought and like.

Money-weighted: a line of a purchase weighs what was paid for it, less what came back; a stated preference weighs as
much as the client's average line. What the client dislikes is left out. Must not look further ahead than the day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from chassis.database import Transaction
from outreach.signals.book import Histories, Integers, Places
from outreach.signals.finding import day_number
from outreach.store.chains import Chain
from outreach.store.histories import Rests, read_histories_of
from outreach.store.history_parts import IS_OPEN, IS_SOMEBODY

LEAST_PURCHASES = 2  # the middle half of one is nothing

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

# carnet.profiles.v1.PreferenceKind
_METAL, _STONE, _BRAND, _DISLIKE = 2, 3, 6, 8

_AFFINITIES = f"""
    with lines as (
        select p.client_id, line, (case when (line->>6)::bigint > 0 then (line->>6)::float8
                else greatest(p.total_minor, 1)::float8 / jsonb_array_length(p.lines) end)
            * (1 - coalesce(r.total_minor, 0)::float8 / greatest(p.total_minor, 1)) as weight
        from purchases p cross join lateral jsonb_array_elements(p.lines) as line
        left join lateral (select sum(b.total_minor) as total_minor from returns b where b.chain_id = p.chain_id
            and b.purchase_id = p.purchase_id and b.currency_code = p.currency_code and b.returned_on <= $3::date)
            as r on true
        where p.chain_id = $1 and p.client_id = any($2::text[]) and p.lines <> '[]' and p.purchase_day <= $3::date
            and p.currency_code = $4 and p.total_minor >= 0
            and (r.total_minor is null or r.total_minor < p.total_minor) and {IS_OPEN.format(row="p")}
    ), averages as (
        select client_id, avg(weight) as weight from lines group by client_id
    ), said as (
        select c.client_id, (one->>0)::int as kind, btrim(one->>1) as value
        from clients c cross join lateral jsonb_array_elements(c.preferences) as one
        where c.chain_id = $1 and c.client_id = any($2::text[]) and c.preferences <> '[]' and {IS_SOMEBODY}
    ), weighed as (
        select client_id, kind, value, weight from lines cross join lateral (values ('brand', btrim(line->>0)),
            ('category', lower(btrim(line->>1))), ('metal', lower(btrim(line->>2))), ('stone', lower(btrim(line->>3))))
            as attributes (kind, value)
        union all
        select s.client_id, case s.kind when {_METAL} then 'metal' when {_STONE} then 'stone' else 'brand' end,
            case when s.kind = {_BRAND} then s.value else lower(s.value) end, coalesce(a.weight, 1)
        from said s left join averages a using (client_id) where s.kind in ({_METAL}, {_STONE}, {_BRAND})
    ), summed as (
        select client_id, kind collate "C" as kind, value collate "C" as value, sum(weight) as weight from weighed w
        where value <> '' and weight > 0 and not exists (select 1 from said s
            where s.client_id = w.client_id and s.kind = {_DISLIKE} and lower(s.value) = lower(w.value))
        group by client_id, kind collate "C", value collate "C"
    )
    select client_id, kind, value,
        round((weight / sum(weight) over (partition by client_id, kind))::numeric, 4)::real as share
    from summed
"""  # noqa: S608 - fixed text only


@dataclass(frozen=True)
class Affinity:
    """What a client prefers of one kind (brand, category, metal, stone), with its share; shares of a kind sum to 1."""

    kind: str
    value: str
    share: float


async def read_affinities(
    tx: Transaction, chain: Chain, client_id: str, *, as_of: date
) -> Sequence[Affinity]:
    """Return what one client prefers as of a day, the strongest first."""
    connection = await tx.driver()
    rows = await connection.fetch(_AFFINITIES, tx.chain_id, [client_id], as_of, chain.currency)
    found = [Affinity(row["kind"], row["value"], float(row["share"])) for row in rows]
    return sorted(found, key=lambda one: (-one.share, one.kind, one.value))


async def read_price_band(
    tx: Transaction, chain: Chain, client_id: str, *, as_of: date
) -> tuple[int, int] | None:
    """Return the middle half of what one purchase of a client brought, in minor units; None with fewer than two."""
    histories, _ = await read_histories_of(
        tx, chain, [client_id], as_of=as_of, rests=Rests(_LONG_AGO, _LONG_AGO)
    )
    low, high = price_bands(histories, histories.clients[:, 0], day_number(as_of))
    return (int(low[0]), int(high[0])) if len(high) and high[0] else None


def price_bands(histories: Histories, number: Integers, as_of: int) -> tuple[Integers, Integers]:
    """Return where the middle half of what one purchase brought begins and ends, 0 with fewer than two purchases.

    Of purchases in the chain's currency, by linear interpolation between them; rounded to minor units.
    """
    rows = histories.purchases
    counts = (rows[:, 1] <= as_of) & (rows[:, 2] > 0) & (rows[:, 3] == 1)
    rows, at = Places(number)(rows[counts])
    order = np.lexsort((rows[:, 2], at))
    minor, owner = rows[order, 2], at[order]
    count = np.bincount(owner, minlength=len(number))
    begins = np.cumsum(count) - count
    has_band = count >= LEAST_PURCHASES
    bands = []
    for share in (0.25, 0.75):
        band = np.zeros(len(number), dtype=np.int64)
        position = share * (count[has_band] - 1)
        below = np.floor(position).astype(np.int64)
        low = minor[begins[has_band] + below]
        high = minor[begins[has_band] + np.minimum(below + 1, count[has_band] - 1)]
        band[has_band] = low + np.rint((position - below) * (high - low)).astype(np.int64)
        bands.append(band)
    return bands[0], bands[1]


async def refresh_affinities(
    tx: Transaction, chain: Chain, client_ids: Sequence[str], *, as_of: date
) -> None:
    """Count anew what clients prefer; what stands there already is not written again."""
    connection = await tx.driver()
    await connection.execute(
        f"with found as materialized (select * from ({_AFFINITIES}) as found where share > 0), gone as ("  # noqa: S608 - fixed text
        " delete from client_affinities a where chain_id = $1 and client_id = any($2::text[]) and not exists ("
        "  select 1 from found f where (f.client_id, f.kind, f.value) = (a.client_id, a.kind, a.value)))"
        " insert into client_affinities (chain_id, client_id, kind, value, share)"
        " select $1, f.client_id, f.kind, f.value, f.share from found f left join client_affinities a"
        "  on a.chain_id = $1 and a.client_id = any($2::text[])"
        "  and (a.client_id, a.kind, a.value) = (f.client_id, f.kind, f.value)"
        " where a.share is distinct from f.share"
        " on conflict (chain_id, client_id, kind, value) do update set share = excluded.share",
        tx.chain_id,
        client_ids,
        as_of,
        chain.currency,
    )
