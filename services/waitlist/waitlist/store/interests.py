"""The rows of interests."""

# ruff: noqa: S608 - what is put into statements here are constants of the code

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row

from chassis import identities
from chassis.database import Transaction
from chassis.errors import not_found
from waitlist.domain.interests import Claim, Interest, InterestAlreadyRegistered, InterestState

_SELECT = """
    select interest_id, reference_id, brand_id, client_id, store_id, state, wording, purpose, registered_at,
        merged_into_id
    from interests join brand_references using (reference_id)
"""
_LIVE = (InterestState.WAITING, InterestState.OFFERED)


def _interest(row: Row[Any]) -> Interest:
    state = InterestState(row.state)
    if row.merged_into_id and state in _LIVE:
        state = InterestState.MERGED
    return Interest(**{**row._mapping, "state": state})


async def add(tx: Transaction, interest: Interest) -> None:
    """Write a new interest. Raises InterestAlreadyRegistered."""
    added = await tx.execute(
        "insert into interests (interest_id, chain_id, reference_id, client_id, store_id, state, wording, purpose,"
        " registered_at) values (:interest_id, :chain_id, :reference_id, :client_id, :store_id, :state, :wording,"
        " :purpose, :registered_at)"
        " on conflict (chain_id, client_id, reference_id) where state in ('WAITING', 'OFFERED') and merged_into_id = ''"
        " do nothing",
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


async def lock_claims(tx: Transaction, currents: Mapping[str, str]) -> list[Claim]:
    """Read the interests that came under ids, with whose they are to be, and keep others from changing them."""
    came_as = identities.came_as("client_id")
    found = await tx.execute(
        "select interest_id, reference_id, coalesce(nullif(original_client_id, ''), client_id) as came_as, state,"
        " registered_at, merged_into_id from interests"
        f" where chain_id = :chain_id and {came_as} order by interest_id for no key update",
        {"chain_id": tx.chain_id, "ids": list(currents)},
    )
    return [
        Claim(
            interest_id=row.interest_id,
            reference_id=row.reference_id,
            client_id=currents[row.came_as],
            is_live=row.state in _LIVE,
            has_offer=row.state == InterestState.OFFERED,
            registered_at=row.registered_at,
            merged_into_id=row.merged_into_id,
        )
        for row in found
    ]


async def set_merged(tx: Transaction, merged_into: Mapping[str, str]) -> None:
    """Write which interest stands for which; an empty one for those that are on their own."""
    await tx.execute(
        "update interests i set merged_into_id = m.into_id"
        " from unnest(cast(:ids as text[]), cast(:into as text[])) as m (id, into_id)"
        " where i.chain_id = :chain_id and i.interest_id = m.id",
        {"chain_id": tx.chain_id, "ids": list(merged_into), "into": list(merged_into.values())},
    )


async def lock_of_clients(tx: Transaction, client_ids: Collection[str]) -> list[Interest]:
    """Read all interests that came under ids and keep others from changing them."""
    found = await tx.execute(
        f"{_SELECT} where interests.chain_id = :chain_id and {identities.came_as('client_id')}"
        " order by interest_id for no key update of interests",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return [_interest(row) for row in found]


async def make_nobodys(tx: Transaction, client_ids: Collection[str], nobody_id: str) -> int:
    """Put an id that leads nowhere into the place of a client's, and drop the purpose; return how many there were."""
    changed = await tx.execute(
        "update interests set client_id = :nobody_id, original_client_id = '', purpose = '',"
        " state = case when state = 'WAITING' then 'WITHDRAWN' else state end"
        f" where chain_id = :chain_id and {identities.came_as('client_id')}",
        {"chain_id": tx.chain_id, "ids": list(client_ids), "nobody_id": nobody_id},
    )
    return changed.rowcount
