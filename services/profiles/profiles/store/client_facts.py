"""What a client bought and when one came, in one row: what segments look at.

Counted anew from the records of the clients named, so that no path of writing can drift away from them.
"""

from collections.abc import Sequence

from chassis.database import Transaction

# Purchases in other currencies count as purchases, but their amounts cannot be added. One that came back as a whole is
# no purchase. What was returned is taken off what was spent.
_REFRESH = """
    insert into client_facts (chain_id, client_id, purchases, spent_minor, last_purchase_on, last_visit_on,
                              brand_ids, categories, metals, stones)
    select :chain_id, named.client_id, coalesce(bought.purchases, 0),
           coalesce(bought.spent, 0), bought.last_on, seen.last_on,
           coalesce(pieces.brand_ids, '{}'), coalesce(pieces.categories, '{}'),
           coalesce(pieces.metals, '{}'), coalesce(pieces.stones, '{}')
    from unnest(cast(:client_ids as text[])) named (client_id)
    join clients c on c.chain_id = :chain_id and c.client_id = named.client_id
    left join lateral (
        select count(*) filter (where p.total_minor > p.returned_minor) purchases,
               sum(p.total_minor - p.returned_minor) filter (where p.currency_code = :currency_code) spent,
               max(p.purchased_on) filter (where p.total_minor > p.returned_minor) last_on
        from purchases p where p.chain_id = :chain_id and p.client_id = named.client_id
    ) bought on true
    left join lateral (
        select max(cast(v.visited_at at time zone s.time_zone as date)) last_on
        from visits v join stores s on s.chain_id = v.chain_id and s.store_id = v.store_id
        where v.chain_id = :chain_id and v.client_id = named.client_id
    ) seen on true
    left join lateral (
        select array_agg(distinct l.brand_id) filter (where l.brand_id <> '') brand_ids,
               array_agg(distinct searchable(l.category)) filter (where l.category <> '') categories,
               array_agg(distinct searchable(l.metal)) filter (where l.metal <> '') metals,
               array_agg(distinct searchable(l.stone)) filter (where l.stone <> '') stones
        from purchases p cross join lateral (
            select * from purchase_lines where chain_id = :chain_id and purchase_id = p.purchase_id offset 0
        ) l
        where p.chain_id = :chain_id and p.client_id = named.client_id
    ) pieces on true
    on conflict (chain_id, client_id) do update set
        purchases = excluded.purchases, spent_minor = excluded.spent_minor,
        last_purchase_on = excluded.last_purchase_on, last_visit_on = excluded.last_visit_on,
        brand_ids = excluded.brand_ids, categories = excluded.categories,
        metals = excluded.metals, stones = excluded.stones
"""


async def refresh(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Bring the facts of clients in line with their purchases, returns and visits as they are in this transaction."""
    if not client_ids:
        return
    # Who counts while another one's purchase is not committed yet would write the number without it, after it.
    await tx.execute(
        "select 1 from clients where chain_id = :chain_id and client_id = any(:client_ids) order by client_id"
        " for no key update",
        {"chain_id": tx.chain_id, "client_ids": sorted(set(client_ids))},
    )
    currency = await tx.execute(
        "select currency_code from chains where chain_id = :chain_id", {"chain_id": tx.chain_id}
    )
    # Planned for this set: a plan that the connection kept from when the tables were empty reads all of them for each.
    await tx.execute("set local plan_cache_mode = force_custom_plan")
    await tx.execute(
        _REFRESH,
        {
            "chain_id": tx.chain_id,
            "client_ids": sorted(set(client_ids)),
            "currency_code": currency.scalar_one(),
        },
    )
    await tx.execute("set local plan_cache_mode = auto")
