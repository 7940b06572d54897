"""Rows of who may overwrite what, who wrote what last, and values that were not taken."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.field_authority import (
    Authority,
    AuthorityChanged,
    AuthorityRule,
    ConflictState,
    FieldConflict,
    FieldRule,
    Writer,
)

_CONFLICT = (
    "field_conflict_id, client_id, field, current_value, current_writer, offered_value, source, is_persons, state,"
    " created_at, settled_by, settled_at"
)


class Written(NamedTuple):
    """Who wrote a field of a client last; `value_key` names one value of several, such as a number taken off."""

    client_id: str
    field: str
    value_key: str
    writer: str
    is_person: bool


async def get_authority(tx: Transaction) -> Authority:
    """Return the chain's rules; none where nobody made any."""
    found = await tx.execute(
        "select rules, version, updated_at from field_authority where chain_id = :chain_id",
        {"chain_id": tx.chain_id},
    )
    if (row := found.one_or_none()) is None:
        return Authority()
    rules = orjson.loads(row.rules) if isinstance(row.rules, str) else row.rules
    return Authority(
        tuple(FieldRule(source, field, AuthorityRule(rule)) for source, field, rule in rules),
        row.version,
        row.updated_at,
    )


async def set_authority(
    tx: Transaction, rules: Sequence[FieldRule], *, etag: str, now: datetime
) -> Authority:
    """Put rules in the place of those that are there. Raises FIELD_AUTHORITY_CHANGED."""
    await tx.execute(
        "insert into field_authority (chain_id, rules, version, updated_at) values (:chain_id, '[]', 0, :now)"
        " on conflict do nothing",
        {"chain_id": tx.chain_id, "now": now},
    )
    await tx.execute(
        "select 1 from field_authority where chain_id = :chain_id for update", {"chain_id": tx.chain_id}
    )
    if etag and etag != (await get_authority(tx)).etag:
        raise AuthorityChanged
    await tx.execute(
        "update field_authority set rules = cast(:rules as jsonb), version = version + 1, updated_at = :now"
        " where chain_id = :chain_id",
        {
            "chain_id": tx.chain_id,
            "rules": orjson.dumps([list(rule) for rule in rules]).decode(),
            "now": now,
        },
    )
    return await get_authority(tx)


async def writers_of(tx: Transaction, client_ids: Sequence[str]) -> dict[str, dict[str, Writer]]:
    """Return who wrote what of clients last, by client and by field, or field and value as `phone:+1...`."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select client_id, field, value_key, writer, is_person from field_writers"
        " where chain_id = $1 and client_id = any($2::text[])",
        tx.chain_id,
        list(client_ids),
    )
    found: dict[str, dict[str, Writer]] = {}
    for client_id, field, value_key, writer, is_person in rows:
        found.setdefault(client_id, {})[f"{field}:{value_key}" if value_key else field] = Writer(
            writer, is_person
        )
    return found


async def set_writers(tx: Transaction, written: Collection[Written], *, now: datetime) -> None:
    """Note who wrote fields last; an empty writer forgets what was noted."""
    if not written:
        return
    driver = await tx.driver()
    if gone := [one for one in written if not one.writer]:
        await driver.execute(
            "delete from field_writers w using unnest($2::text[], $3::text[], $4::text[])"
            " g (client_id, field, value_key)"
            " where w.chain_id = $1 and w.client_id = g.client_id and w.field = g.field"
            " and w.value_key = g.value_key",
            tx.chain_id,
            [one.client_id for one in gone],
            [one.field for one in gone],
            [one.value_key for one in gone],
        )
    if noted := sorted({one[:3]: one for one in written if one.writer}.values()):
        await driver.execute(
            "insert into field_writers (chain_id, written_at, client_id, field, value_key, writer, is_person)"
            " select $1, $2, w.* from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bool[]) w"
            " on conflict (chain_id, client_id, field, value_key) do update set writer = excluded.writer,"
            " is_person = excluded.is_person, written_at = excluded.written_at",
            tx.chain_id,
            now,
            *map(list, zip(*noted, strict=True)),
        )


async def add_conflicts(tx: Transaction, conflicts: Sequence[FieldConflict]) -> None:
    """Keep values that were not taken; one that is kept already stays as it is, and comes up again when it was taken
    before and something else stands there now."""
    if not conflicts:
        return
    driver = await tx.driver()
    await driver.execute(
        "insert into field_conflicts (chain_id, created_at, state, field_conflict_id, client_id, field, current_value,"
        " current_writer, offered_value, source, is_persons) select $1, $2, 'open', c.* from unnest($3::text[],"
        " $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bool[]) c"
        " on conflict (chain_id, client_id, field, source, md5(offered_value)) do update set state = 'open',"
        " current_value = excluded.current_value, current_writer = excluded.current_writer, settled_by = '',"
        " settled_at = null, created_at = excluded.created_at where field_conflicts.state = 'taken'",
        tx.chain_id,
        conflicts[0].created_at,
        *map(
            list,
            zip(
                *(
                    (
                        one.field_conflict_id,
                        one.client_id,
                        one.field,
                        one.current_value,
                        one.current_writer,
                        one.offered_value,
                        one.source,
                        one.is_persons,
                    )
                    for one in conflicts
                ),
                strict=True,
            ),
        ),
    )


async def list_conflicts(
    tx: Transaction, *, state: ConflictState, client_id: str, before: str, limit: int
) -> list[FieldConflict]:
    """Return conflicts, newest first, of one client or of all (empty)."""
    found = await tx.execute(
        f"select {_CONFLICT} from field_conflicts where chain_id = :chain_id and state = :state"  # noqa: S608
        " and (:client_id = '' or client_id = :client_id) and (:before = '' or field_conflict_id < :before)"
        " order by field_conflict_id desc limit :limit",
        {
            "chain_id": tx.chain_id,
            "state": state.value,
            "client_id": client_id,
            "before": before,
            "limit": limit,
        },
    )
    return [_conflict(row) for row in found]


async def get_conflict(tx: Transaction, field_conflict_id: str) -> FieldConflict:
    """Return a conflict. Raises FIELD_CONFLICT_NOT_FOUND."""
    found = await tx.execute(
        f"select {_CONFLICT} from field_conflicts where field_conflict_id = :id",  # noqa: S608
        {"id": field_conflict_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("field_conflict", field_conflict_id)
    return _conflict(row)


async def settle_conflict(
    tx: Transaction, field_conflict_id: str, *, state: ConflictState, settled_by: str, now: datetime
) -> FieldConflict:
    """Write what became of a conflict whose client is locked, and return it."""
    await tx.execute(
        "update field_conflicts set state = :state, settled_by = :settled_by, settled_at = :now"
        " where field_conflict_id = :id",
        {"id": field_conflict_id, "state": state.value, "settled_by": settled_by, "now": now},
    )
    return await get_conflict(tx, field_conflict_id)


async def last_assigned_by_import(tx: Transaction, client_ids: Sequence[str]) -> Mapping[str, bool]:
    """Return for clients with a history whether an import put them into the book that they are in."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select wanted.client_id, a.reason from unnest($2::text[]) wanted (client_id), lateral"
        " (select reason from assignments where chain_id = $1 and client_id = wanted.client_id"
        " order by assigned_at desc, assignment_id desc limit 1) a",
        tx.chain_id,
        list(client_ids),
    )
    return {client_id: reason == "imported" for client_id, reason in rows}


def _conflict(row: Row[Any]) -> FieldConflict:
    return FieldConflict(
        row.field_conflict_id,
        row.client_id,
        row.field,
        row.current_value,
        row.current_writer,
        row.offered_value,
        row.source,
        row.is_persons,
        ConflictState(row.state),
        row.created_at,
        row.settled_by,
        row.settled_at,
    )
