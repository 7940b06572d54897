"""The rows of policies: versions that are added and never changed."""

from chassis.database import Transaction
from waitlist.domain.policies import Policy


async def find_current(tx: Transaction) -> Policy | None:
    """Read the version in force, None for a chain that has none yet."""
    found = await tx.execute(
        "select version, waiting_time_weight, history_weight, first_time_buyer_weight, local_store_weight,"
        " recent_allocation_days, created_at, created_by"
        " from policies where chain_id = :chain_id order by version desc limit 1",
        {"chain_id": tx.chain_id},
    )
    row = found.one_or_none()
    return None if row is None else Policy(**row._mapping)


async def add(tx: Transaction, policy: Policy) -> bool:
    """Write a version; False when the chain has it already."""
    added = await tx.execute(
        "insert into policies (chain_id, version, waiting_time_weight, history_weight, first_time_buyer_weight,"
        " local_store_weight, recent_allocation_days, created_at, created_by)"
        " values (:chain_id, :version, :waiting_time_weight, :history_weight, :first_time_buyer_weight,"
        " :local_store_weight, :recent_allocation_days, :created_at, :created_by) on conflict do nothing",
        {"chain_id": tx.chain_id, **vars(policy)},
    )
    return bool(added.rowcount)
