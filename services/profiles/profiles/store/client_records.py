"""Everything that is kept of a client, table by table as client_tables declares it: read, counted, and forgotten.

The names in these statements come from that declaration only, never from a caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from chassis.database import Transaction
from profiles.client_tables import CLIENT_TABLES, ClientTable, Fate, exported, table_named

# Bookkeeping of every table: of no meaning outside.
_INTERNAL = frozenset({"chain_id", "changed_in", "erased_at"})

# What stays of a client's own row: its key, and what other tables' keys and indexes need.
TOMBSTONE_COLUMNS = frozenset(
    {
        "chain_id",
        "client_id",
        "home_store_id",
        "version",
        "created_at",
        "updated_at",
        "erased_at",
        "changed_in",
    }
)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows of a table are a client's; of those, how many stay."""

    table: ClientTable
    total: int
    stay: int


def _of(table: ClientTable, alias: str = "t") -> str:
    """Return the condition, as SQL, for the rows of the clients in `:ids`."""
    if not table.parent:
        if table.owner.endswith("_ids"):
            # Beside its own column an array finds its index only with the chain in the same condition.
            return f"{alias}.chain_id = :chain_id and {alias}.{table.owner} && cast(:ids as text[])"
        if table.is_shared:
            return f"({' or '.join(f'{alias}.{column} = any(:ids)' for column in (table.owner, *table.mentions))})"
        return f"{alias}.{table.owner} = any(:ids)"
    parent = table_named(table.parent)
    key, above = parent.key[0], f"{alias}p"
    return (
        f"exists (select from {parent.name} {above} where {above}.chain_id = {alias}.chain_id"
        f" and {above}.{key} = {alias}.{key} and {_of(parent, above)})"
    )


def _is_secret(table: ClientTable, alias: str = "t") -> str:
    """Return the condition, as SQL, for rows that the clients in `:ids` must not learn of; empty without such rows."""
    ends = f"({alias}.surprise_ends_on is null or {alias}.surprise_ends_on >= :today)"
    own = ""
    if "surprise_for_client_id" in table.mentions:
        own = f"{alias}.surprise_for_client_id = any(:ids)"
        own += f" and {ends}" if table.surprise_ends else ""
    if not table.parent:
        return own
    parent = table_named(table.parent)
    key, above = parent.key[0], f"{alias}s"
    if not (inherited := _is_secret(parent, above)):
        return own
    return (
        f"exists (select from {parent.name} {above} where {above}.chain_id = {alias}.chain_id"
        f" and {above}.{key} = {alias}.{key} and {inherited})"
    )


async def list_section(
    tx: Transaction, table: ClientTable, client_ids: Sequence[str], *, as_of: date, is_for_client: bool
) -> list[str]:
    """Return the rows of one section as JSON objects; a surprise for the client only when it stays in the house."""
    shown = "to_jsonb(t) - cast(:internal as text[])"
    condition = _of(table)
    if is_for_client and (secret := _is_secret(table)):
        condition += f" and not ({secret})"
    if is_for_client and table.hidden_words:
        words = ", ".join(f"'{column}', {value}" for column, value in table.hidden_words.items())
        shown = (
            f"case when t.is_surprise and (t.surprise_ends_on is null or t.surprise_ends_on >= :today)"
            f" then ({shown}) || jsonb_build_object({words}) else {shown} end"
        )
    found = await tx.execute(
        f"select cast({shown} as text) from {table.name} t where {condition}"  # noqa: S608
        f" order by {', '.join(f't.{column}' for column in table.key)}",
        _parameters(tx, client_ids, as_of, internal=sorted(_INTERNAL | set(table.internal))),
    )
    return list(found.scalars())


def sections_for(*, is_for_client: bool) -> list[ClientTable]:
    """Return the tables that an archive has a section of."""
    return [table for table in exported() if not (is_for_client and table.is_house_only)]


async def list_objects(
    tx: Transaction, client_ids: Sequence[str], *, as_of: date, is_for_client: bool
) -> list[tuple[str, str, str]]:
    """Return id, file name and object key of the attachments that an archive takes in."""
    table = table_named("attachments")
    condition = _of(table)
    if is_for_client:
        condition += f" and not ({_is_secret(table)})"
    found = await tx.execute(
        "select attachment_id, file_name, object_key from attachments t"  # noqa: S608
        f" where {condition} and object_key <> '' order by attachment_id",
        _parameters(tx, client_ids, as_of),
    )
    return [(row.attachment_id, row.file_name, row.object_key) for row in found]


async def count_all(tx: Transaction, client_ids: Sequence[str]) -> list[Counted]:
    """Count the clients' rows in every table."""
    counted: list[Counted] = []
    for table in CLIENT_TABLES:
        stays = "true" if table.fate is not Fate.GONE else _stays(table) or "false"
        found = await tx.execute(
            f"select count(*) as total, count(*) filter (where {stays}) as stay from {table.name} t"  # noqa: S608
            f" where {_of(table)}{f' and {table.found_by}' if table.found_by else ''}",
            {"chain_id": tx.chain_id, "ids": list(client_ids)},
        )
        row = found.one()
        counted.append(Counted(table, row.total, row.stay))
    return counted


def _stays(table: ClientTable, alias: str = "t") -> str:
    if table.stays_while:
        return f"{alias}.{table.stays_while}"
    if table.parent and (inherited := _stays(table_named(table.parent), f"{alias}k")):
        parent = table_named(table.parent)
        key, above = parent.key[0], f"{alias}k"
        return (
            f"exists (select from {parent.name} {above} where {above}.chain_id = {alias}.chain_id"
            f" and {above}.{key} = {alias}.{key} and {inherited})"
        )
    return ""


async def forget_all(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Delete or empty the clients' rows as declared, and empty their ids where others' rows mention them.

    `clients` and `consents` are the caller's: their rows go by rules of their own.
    """
    parameters = {"chain_id": tx.chain_id, "ids": list(client_ids)}
    for table in CLIENT_TABLES:
        if table.name not in ("clients", "consents"):
            await _forget_own(tx, table, parameters)
    for table in CLIENT_TABLES:
        if not (table.is_append_only or table.is_shared):
            for column in table.mentions:
                await _forget_mention(tx, table, column, parameters)


async def _forget_own(tx: Transaction, table: ClientTable, parameters: dict[str, Any]) -> None:
    condition = _of(table) + (f" and {table.found_by}" if table.found_by else "")
    if table.emptied:
        changes = ", ".join(f"{column} = {value}" for column, value in table.emptied.items())
        stays = f" and t.{table.stays_while}" if table.stays_while else ""
        # Only what is not empty yet: a row that did not change must not look changed to who follows changes.
        full = " or ".join(f"t.{column} is distinct from {value}" for column, value in table.emptied.items())
        await tx.execute(
            f"update {table.name} t set {changes} where {condition}{stays} and ({full})",  # noqa: S608
            parameters,
        )
    # The rows of a table that hangs on another one go with theirs, by the foreign key.
    if table.fate is Fate.GONE and not table.parent:
        stays = f" and not (t.{table.stays_while})" if table.stays_while else ""
        await tx.execute(f"delete from {table.name} t where {condition}{stays}", parameters)  # noqa: S608


async def _forget_mention(
    tx: Transaction, table: ClientTable, column: str, parameters: dict[str, Any]
) -> None:
    # The second condition is what the partial indexes on these columns ask for.
    mentioned = f"{column} = any(:ids) and {column} <> ''"
    ended = ", surprise_ends_on = null" if column == "surprise_for_client_id" and table.surprise_ends else ""
    await tx.execute(f"update {table.name} set {column} = ''{ended} where {mentioned}", parameters)  # noqa: S608


def _parameters(tx: Transaction, client_ids: Sequence[str], as_of: date, **more: object) -> dict[str, object]:
    return {"chain_id": tx.chain_id, "ids": list(client_ids), "today": as_of, **more}
