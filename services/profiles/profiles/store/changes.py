"""Which records changed, in the order in which their transactions began to write."""

from collections.abc import Collection, Mapping
from typing import Any

from chassis.database import Transaction
from profiles.domain.changes import ChangeKind, Mark, Position

# From each table its own next rows, by its own index; together they are cut to one page.
_SOURCES: Mapping[ChangeKind, tuple[str, str, str, str]] = {
    ChangeKind.CLIENT: ("clients", "client_id", "client_id", "''"),
    ChangeKind.PURCHASE: ("purchases", "purchase_id", "client_id", "''"),
    ChangeKind.VISIT: ("visits", "visit_id", "client_id", "''"),
    ChangeKind.CLIENT_MERGED: ("client_aliases", "alias_id", "alias_id", "client_id"),
    ChangeKind.CLIENT_REMOVED: ("client_removals", "client_id", "client_id", "''"),
}


async def list_marks(
    tx: Transaction, kinds: Collection[ChangeKind], *, after: Position, limit: int
) -> list[Mark]:
    """Return the next changes of these kinds, oldest first; of a transaction under way, or begun after one, none."""
    parameters: dict[str, Any] = {
        "chain_id": tx.chain_id,
        "after": after.changed_in,
        "kind": after.kind,
        "id": after.record_id,
        "limit": limit,
    }
    parts = []
    for kind in kinds:
        table, key, client, successor = _SOURCES[kind]
        changed_in = "changed_in" if table == "client_removals" else "coalesce(changed_in, 0)"
        # Kinds are read in the order of their words inside one transaction.
        beyond = (
            f"({changed_in}, {key}) > (:after, :id)"
            if kind == after.kind
            else (f"{changed_in} {'>' if kind < after.kind else '>='} :after")
        )
        parts.append(
            f"(select {changed_in} changed_in, '{kind}' kind, {key} record_id, {client} client_id,"  # noqa: S608
            f" {successor} successor_id from {table} where chain_id = :chain_id and {beyond} and {changed_in} <"
            " (select cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint))"
            f" order by {changed_in}, {key} limit :limit)"
        )
    found = await tx.execute(
        f'select * from ({" union all ".join(parts)}) found order by changed_in, kind collate "C", record_id'  # noqa: S608
        " limit :limit",
        parameters,
    )
    return [
        Mark(Position(row.changed_in, row.kind, row.record_id), row.client_id, row.successor_id)
        for row in found
    ]


async def add_removal(tx: Transaction, client_id: str) -> None:
    """Say that a client is gone, deleted or erased."""
    await tx.execute(
        "insert into client_removals (chain_id, client_id) values (:chain_id, :client_id) on conflict do nothing",
        {"chain_id": tx.chain_id, "client_id": client_id},
    )


async def removed_among(tx: Transaction, client_ids: Collection[str]) -> set[str]:
    """Return those of the ids whose client is gone."""
    found = await tx.execute(
        "select client_id from client_removals where chain_id = :chain_id and client_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return set(found.scalars())
