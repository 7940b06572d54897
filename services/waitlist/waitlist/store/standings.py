"""What ranking knows of clients: their purchases, kept from events; and the candidates for an allocation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from chassis import identities
from chassis.database import Transaction
from waitlist.domain.allocations import Allocation
from waitlist.domain.interests import InterestState
from waitlist.domain.ranking import Candidate


@dataclass(frozen=True)
class Standing:
    """Purchases of one client in one currency; `total_minor` is in its minor units."""

    client_id: str
    currency: str
    purchase_count: int
    total_minor: int
    last_purchase_day: date | None


async def add_to(tx: Transaction, standings: Sequence[Standing]) -> None:
    """Add purchases to what is known of each client; every (client, currency) stands at most once in `standings`.

    They stay with the id under which they came: a merge adds up when it is read. Erased clients get none.
    """
    await identities.hold(tx)
    known = await identities.resolve(tx, {standing.client_id for standing in standings})
    standings = [standing for standing in standings if standing.client_id in known]
    # In one order, so that two batches with common clients wait for one another instead of locking crosswise.
    ordered = sorted(standings, key=lambda standing: (standing.client_id, standing.currency))
    await tx.execute(
        "insert into client_standings as known"
        " (chain_id, client_id, currency, purchase_count, total_minor, last_purchase_day)"
        " select :chain_id, client_id, currency, purchase_count, total_minor, day"
        " from unnest(cast(:clients as text[]), cast(:currencies as text[]), cast(:counts as bigint[]),"
        " cast(:totals as bigint[]), cast(:days as date[]))"
        " as given (client_id, currency, purchase_count, total_minor, day)"
        " on conflict (chain_id, client_id, currency) do update set"
        " purchase_count = known.purchase_count + excluded.purchase_count,"
        " total_minor = known.total_minor + excluded.total_minor,"
        " last_purchase_day = greatest(known.last_purchase_day, excluded.last_purchase_day)",
        {
            "chain_id": tx.chain_id,
            "clients": [standing.client_id for standing in ordered],
            "currencies": [standing.currency for standing in ordered],
            "counts": [standing.purchase_count for standing in ordered],
            "totals": [standing.total_minor for standing in ordered],
            "days": [standing.last_purchase_day for standing in ordered],
        },
    )


async def find_of_client(tx: Transaction, client_id: str) -> list[Standing]:
    """Read what is known of a client, one standing a currency, that of clients merged into it included."""
    found = await tx.execute(
        "select currency, cast(sum(purchase_count) as bigint) as purchase_count,"
        " cast(sum(total_minor) as bigint) as total_minor, max(last_purchase_day) as last_purchase_day"
        " from client_standings where chain_id = :chain_id and client_id = any(:ids)"
        " group by currency order by currency",
        {"chain_id": tx.chain_id, "ids": await identities.whole(tx, [client_id])},
    )
    return [Standing(client_id=client_id, **row._mapping) for row in found]


async def remove(tx: Transaction, client_ids: Collection[str]) -> int:
    """Forget the purchases of clients; return how many rows there were."""
    gone = await tx.execute(
        "delete from client_standings where chain_id = :chain_id and client_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return gone.rowcount


async def find_candidates(tx: Transaction, allocation: Allocation) -> list[Candidate]:
    """Read everybody with a live interest in the allocation's reference, with what ranking needs, in one query."""
    found = await tx.execute(
        """
        with live as (
            select interest_id, client_id, store_id, state, registered_at from interests
            where reference_id = :reference_id and state in ('WAITING', 'OFFERED') and merged_into_id = ''
        ), merged as (
            -- What a merge closed keeps its place for the one that stands for it, and so does a piece held for it.
            select client_id, min(registered_at) as registered_at, bool_or(state = 'OFFERED') as has_offer
            from interests where chain_id = :chain_id and reference_id = :reference_id
                and client_id in (select client_id from live) and state in ('WAITING', 'OFFERED')
                and merged_into_id <> '' group by client_id
        ), members as (
            select client_id, client_id as member_id from live union select current_id, alias_id
            from identity_aliases where chain_id = :chain_id and current_id in (select client_id from live)
        ), bought as (
            select members.client_id, sum(purchase_count) as purchase_count from members
            join client_standings s on s.chain_id = :chain_id and s.client_id = members.member_id
            group by members.client_id
        ), offered as (
            select client_id, max(answered_at) filter (where state = 'ACCEPTED') as last_piece_at,
                bool_or(state = 'OPEN') as holds_offer,
                bool_or(allocation_id = :allocation_id and state in ('DECLINED', 'EXPIRED')) as had_offer
            from offers where chain_id = :chain_id and client_id in (select client_id from live) group by client_id
        )
        select interest_id, client_id, store_id, case when merged.has_offer then 'OFFERED' else state end as state,
            least(live.registered_at, merged.registered_at) as registered_at,
            cast(coalesce(purchase_count, 0) as bigint) as purchase_count, last_piece_at,
            coalesce(holds_offer, false) as holds_offer, coalesce(had_offer, false) as had_offer
        from live left join merged using (client_id) left join bought using (client_id)
        left join offered using (client_id)
        """,
        {
            "chain_id": tx.chain_id,
            "reference_id": allocation.reference_id,
            "allocation_id": allocation.allocation_id,
        },
    )
    return [
        Candidate(
            interest_id=row.interest_id,
            client_id=row.client_id,
            store_id=row.store_id,
            state=InterestState(row.state),
            registered_at=row.registered_at,
            purchase_count=row.purchase_count,
            last_piece_at=row.last_piece_at,
            holds_offer=row.holds_offer,
            had_offer_of_allocation=row.had_offer,
        )
        for row in found
    ]
