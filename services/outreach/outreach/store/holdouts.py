"""Clients who are left alone for a period. Must not decide who; `domain.holdouts` does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from chassis import identities
from chassis.database import Transaction
from outreach.signals.book import Integers


@dataclass(frozen=True)
class Holdout:
    """A client with a reason who is left alone, and in whose queue the suggestion would have stood."""

    client_id: str
    associate_id: str
    store_id: str
    signals: Sequence[str]


async def add_holdouts(
    tx: Transaction, holdouts: Sequence[Holdout], *, period: str, held_at: datetime
) -> None:
    """Note who is left alone; once a client and period, from the first time that there was a reason."""
    owners = await identities.resolve(tx, [holdout.client_id for holdout in holdouts])
    rows = {f"{period}.{one.client_id}": one for one in holdouts if one.client_id in owners}
    connection = await tx.driver()
    await connection.execute(
        "insert into holdouts (chain_id, holdout_id, client_id, original_client_id, associate_id, store_id, period,"
        " held_at, signals) select $1, u.holdout_id, u.client_id, u.original, u.associate_id, u.store_id, $2, $3,"
        " string_to_array(u.signals, ',') from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[],"
        " $9::text[]) as u (holdout_id, client_id, original, associate_id, store_id, signals)"
        " where not exists (select 1 from clients c where c.chain_id = $1 and c.client_id = u.client_id"
        "  and c.is_deleted) order by 2 on conflict do nothing",
        tx.chain_id,
        period,
        held_at,
        list(rows),
        [owners[one.client_id] for one in rows.values()],
        [identities.original_of(one.client_id, owners[one.client_id]) for one in rows.values()],
        [one.associate_id for one in rows.values()],
        [one.store_id for one in rows.values()],
        [",".join(map(str, one.signals)) for one in rows.values()],
    )


async def clients_on_queues(tx: Transaction, client_ids: Sequence[str]) -> set[str]:
    """Return which of the clients have a live suggestion."""
    found = await tx.execute(
        "select client_id from suggestions where chain_id = :chain_id and client_id = any(:ids)"
        " and state in ('open', 'snoozed')",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return set(found.scalars())


async def numbers_held(tx: Transaction, period: str) -> Integers:
    """Return the numbers of clients who are left alone in a period; nobody for none."""
    if not period:
        return np.empty(0, dtype=np.int64)
    found = await tx.execute(
        "select c.number from holdouts h join clients c using (chain_id, client_id)"
        " where h.chain_id = :chain_id and h.period = :period",
        {"chain_id": tx.chain_id, "period": period},
    )
    return np.array(found.scalars().all(), dtype=np.int64)
