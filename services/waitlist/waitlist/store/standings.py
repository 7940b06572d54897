"""What ranking knows of clients: their purchases, kept from events; and the candidates for an allocation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

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
    """Add purchases to what is known of each client; every (client, currency) stands at most once in `standings`."""
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
    """Read what is known of a client, one standing a currency."""
    found = await tx.execute(
        "select client_id, currency, purchase_count, total_minor, last_purchase_day from client_standings"
        " where chain_id = :chain_id and client_id = :client_id order by currency",
        {"chain_id": tx.chain_id, "client_id": client_id},
    )
    return [Standing(**row._mapping) for row in found]


async def find_candidates(tx: Transaction, allocation: Allocation) -> list[Candidate]:
    """Read everybody with a live interest in the allocation's reference, with what ranking needs, in one query."""
    found = await tx.execute(
        """
        with live as (
            select interest_id, client_id, store_id, state, registered_at from interests
            where reference_id = :reference_id and state in ('WAITING', 'OFFERED')
        ), bought as (
            select client_id, sum(purchase_count) as purchase_count from client_standings
            where chain_id = :chain_id and client_id in (select client_id from live) group by client_id
        ), offered as (
            select client_id, max(answered_at) filter (where state = 'ACCEPTED') as last_piece_at,
                bool_or(state = 'OPEN') as holds_offer,
                bool_or(allocation_id = :allocation_id and state in ('DECLINED', 'EXPIRED')) as had_offer
            from offers where chain_id = :chain_id and client_id in (select client_id from live) group by client_id
        )
        select interest_id, client_id, store_id, state, registered_at,
            cast(coalesce(purchase_count, 0) as bigint) as purchase_count, last_piece_at,
            coalesce(holds_offer, false) as holds_offer, coalesce(had_offer, false) as had_offer
        from live left join bought using (client_id) left join offered using (client_id)
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
