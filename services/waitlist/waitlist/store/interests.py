"""The rows of interests."""

from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from waitlist.domain.interests import Interest, InterestAlreadyRegistered, InterestState

_SELECT = """
    select interest_id, reference_id, brand_id, client_id, store_id, state, wording, purpose, registered_at
    from interests join brand_references using (reference_id)
"""


def _interest(row: Row[Any]) -> Interest:
    return Interest(**{**row._mapping, "state": InterestState(row.state)})


async def add(tx: Transaction, interest: Interest) -> None:
    """Write a new interest. Raises InterestAlreadyRegistered."""
    added = await tx.execute(
        "insert into interests (interest_id, chain_id, reference_id, client_id, store_id, state, wording, purpose,"
        " registered_at) values (:interest_id, :chain_id, :reference_id, :client_id, :store_id, :state, :wording,"
        " :purpose, :registered_at)"
        " on conflict (chain_id, client_id, reference_id) where state in ('WAITING', 'OFFERED') do nothing",
        {"chain_id": tx.chain_id, **vars(interest)},
    )
    if not added.rowcount:
        raise InterestAlreadyRegistered(interest.client_id, interest.reference_id)


async def get(tx: Transaction, interest_id: str) -> Interest:
    """Read an interest. Raises NOT_FOUND."""
    found = await tx.execute(f"{_SELECT} where interest_id = :interest_id", {"interest_id": interest_id})
    if (row := found.one_or_none()) is None:
        raise not_found("interest", interest_id)
    return _interest(row)


async def lock(tx: Transaction, interest_id: str) -> Interest:
    """Read an interest and keep others from changing it. Raises NOT_FOUND."""
    found = await tx.execute(
        f"{_SELECT} where interest_id = :interest_id for no key update of interests",
        {"interest_id": interest_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("interest", interest_id)
    return _interest(row)


async def move(tx: Transaction, interest_id: str, *, before: InterestState, after: InterestState) -> bool:
    """Take an interest from one state to another; False when it is not in the first any more."""
    moved = await tx.execute(
        "update interests set state = :after where interest_id = :interest_id and state = :before",
        {"interest_id": interest_id, "before": before, "after": after},
    )
    return bool(moved.rowcount)


async def page(
    tx: Transaction, *, reference_id: str, client_id: str, after: str, limit: int
) -> list[Interest]:
    """List interests by id, which is their age."""
    found = await tx.execute(
        f"{_SELECT} where interests.chain_id = :chain_id"
        " and (:reference_id = '' or reference_id = :reference_id)"
        " and (:client_id = '' or client_id = :client_id) and interest_id > :after"
        " order by interest_id limit :limit",
        {
            "chain_id": tx.chain_id,
            "reference_id": reference_id,
            "client_id": client_id,
            "after": after,
            "limit": limit,
        },
    )
    return [_interest(row) for row in found]
