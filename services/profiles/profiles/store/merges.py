"""Rows of merges: what moved, what was set aside, and the way back.

Which tables hold something of a client is declared in client_tables.py; nothing here names them one by one but where
two rows of two clients are one (DOUBLES). Must not decide whose value a field gets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.client_tables import CLIENT_TABLES, ClientTable
from profiles.domain.clients import Client, PostalAddress
from profiles.domain.merges import ClientErased, ClientMerged, Difference, Kept, Merge, MergeState
from profiles.store import erasures as erasure_store

# When the row m of the merged client and the row s of the survivor say the same: m is set aside, and is back after an
# undo. Every table in which a unique index holds a client's id needs an entry, else a merge could fail on it:
# tests/test_merges.py compares this with the database.
DOUBLES: Mapping[str, str] = {
    "contact_points": "m.kind = s.kind and m.match_key = s.match_key",
    "occasions": (
        "m.kind = s.kind and m.month = s.month and m.day = s.day and m.year in (s.year, 0)"
        " and lower(m.for_whom) = lower(s.for_whom) and m.relationship_id = s.relationship_id"
    ),
    "field_writers": "m.field = s.field and m.value_key = s.value_key",
    "field_conflicts": (
        "m.field = s.field and m.source = s.source and md5(m.offered_value) = md5(s.offered_value)"
    ),
    "cash_alerts": "m.state = 'open' and s.state = 'open' and m.country = s.country",
    "timeline_entries": "m.kind = s.kind and m.occurred_at = s.occurred_at and m.entry_id = s.entry_id",
}
# Of two days without and with its year the one with it stays, whosever it was.
_VAGUE_OCCASIONS = (
    "s.kind = m.kind and s.month = m.month and s.day = m.day and s.year = 0 and m.year <> 0"
    " and lower(m.for_whom) = lower(s.for_whom) and m.relationship_id = s.relationship_id"
)
_COLUMNS = (
    "merge_id, surviving_client_id, merged_client_id, state, differences, is_automatic, actor, merged_at, undo_until,"
    " undone_at, kept"
)
# The feed of changes goes by it: what is there again has changed now.
_SET_BY_THE_DATABASE = frozenset({"changed_in"})
MOST_KEPT = 500  # items that an undo names; what stays is not limited by it
Json = dict[str, Any]


def moved_columns() -> list[tuple[ClientTable, str]]:
    """Return the columns that a merge re-points, the owners first."""
    tables = [table for table in CLIENT_TABLES if not table.left_by_merges and not table.is_append_only]
    owners = [(table, table.owner) for table in tables if table.owner]
    mentions = [(table, column) for table in tables for column in (*table.mentions, *table.mention_lists)]
    return owners + mentions


async def take_turn(tx: Transaction) -> None:
    """Wait until nobody else in the chain merges, nor looks up ids of other systems; merges are few and short."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('merges ' || :chain_id, 0))", {"chain_id": tx.chain_id}
    )


async def lock_pair(tx: Transaction, client_ids: Sequence[str]) -> None:
    """Lock two clients in the order of their ids. Raises CLIENT_NOT_FOUND, CLIENT_MERGED and CLIENT_ERASED."""
    found = await tx.execute(
        "select client_id from clients where client_id = any(:ids) order by client_id for update",
        {"ids": sorted(client_ids)},
    )
    there = set(found.scalars())
    for client_id in client_ids:
        if client_id not in there:
            await _refuse(tx, client_id)


async def _refuse(tx: Transaction, client_id: str) -> None:
    found = await tx.execute(
        "select client_id from client_aliases where alias_id = :client_id", {"client_id": client_id}
    )
    if (survivor := found.scalar_one_or_none()) is not None:
        raise ClientMerged(client_id, str(survivor))
    if await erasure_store.find_erasure_of(tx, client_id) is not None:
        raise ClientErased(client_id)
    raise not_found("client", client_id)


async def client_row(tx: Transaction, client_id: str) -> Json:
    """Return a client's own row as it is."""
    found = await tx.execute(
        "select to_jsonb(c) from clients c where client_id = :client_id", {"client_id": client_id}
    )
    row: Json = _decoded(found.scalar_one())
    return row


def bare_client(row: Json) -> Client:
    """Return a client with its own fields only, from its row."""
    address = PostalAddress(
        tuple(row["address_lines"]), row["locality"], row["region"], row["postal_code"], row["country"]
    )
    return Client(
        client_id=row["client_id"],
        given_name=row["given_name"],
        family_name=row["family_name"],
        language=row["language"],
        time_zone=row["time_zone"],
        home_store_id=row["home_store_id"],
        associate_id=row["associate_id"],
        source=row["source"],
        external_id=row["external_id"],
        version=row["version"],
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        secondary_associate_id=row["secondary_associate_id"],
        nickname=row["nickname"],
        tags=tuple(row["tags"]),
        address=address if address != PostalAddress() else None,
    )


async def set_doubles_aside(tx: Transaction, surviving_id: str, merged_id: str) -> list[tuple[str, Json]]:
    """Delete the rows of which both have one, and return them, each with its table."""
    parameters = {"chain_id": tx.chain_id, "surviving": surviving_id, "merged": merged_id}
    aside: list[tuple[str, Json]] = []
    for table, condition in DOUBLES.items():
        aside += await _take(
            tx,
            table,
            # A scalar subquery is one look into an index for each row, whatever the planner thinks that there are.
            f"delete from {table} m where m.chain_id = :chain_id and m.client_id = :merged"  # noqa: S608
            f" and (select true from {table} s where s.chain_id = :chain_id and s.client_id = :surviving"
            f" and {condition} limit 1) returning to_jsonb(m)",
            parameters,
        )
    aside += await _take(
        tx,
        "occasions",
        "delete from occasions s using occasions m where m.chain_id = :chain_id and s.chain_id = :chain_id"  # noqa: S608
        f" and m.client_id = :merged and s.client_id = :surviving and {_VAGUE_OCCASIONS} returning to_jsonb(s)",
        parameters,
    )
    # The two may be related, and both to the same third; one row says it for both sides.
    aside += await _take(
        tx,
        "relationships",
        "delete from relationships m where m.chain_id = :chain_id and (m.client_id = :merged or m.related_client_id"
        " = :merged) and m.related_client_id is not null and (:surviving in (m.client_id, m.related_client_id)"
        " or exists (select from relationships s where s.chain_id = :chain_id"
        " and (s.client_id = :surviving and s.related_client_id in (m.client_id, m.related_client_id)"
        " or s.related_client_id = :surviving and s.client_id in (m.client_id, m.related_client_id))))"
        " returning to_jsonb(m)",
        parameters,
    )
    return aside


async def _take(
    tx: Transaction, table: str, statement: str, parameters: Mapping[str, Any]
) -> list[tuple[str, Json]]:
    removed = await tx.execute(statement, parameters)
    rows = {
        orjson.dumps(row := _decoded(value), option=orjson.OPT_SORT_KEYS): row for value in removed.scalars()
    }
    return [(table, row) for row in rows.values()]


async def unmark_preferred(tx: Transaction, surviving_id: str, merged_id: str) -> list[str]:
    """Take the preferred mark off the merged client's contacts of a kind of which the survivor prefers one."""
    unmarked = await tx.execute(
        "update contact_points m set is_preferred = false where m.client_id = :merged and m.is_preferred and exists"
        " (select from contact_points s where s.client_id = :surviving and s.is_preferred and s.kind = m.kind)"
        " returning m.contact_point_id",
        {"surviving": surviving_id, "merged": merged_id},
    )
    return list(unmarked.scalars())


async def mark_preferred(tx: Transaction, client_id: str, contact_point_ids: Sequence[str]) -> None:
    """Give marks back to contacts that a client has."""
    await tx.execute(
        "update contact_points set is_preferred = true where client_id = :client_id"
        " and contact_point_id = any(:ids)",
        {"client_id": client_id, "ids": list(contact_point_ids)},
    )


async def relink_occasions(tx: Transaction, links: Mapping[str, str]) -> list[tuple[str, str]]:
    """Lead occasions from relationships that went to those that stand for them; return each with what it had."""
    relinked: list[tuple[str, str]] = []
    for gone, instead in links.items():
        found = await tx.execute(
            "update occasions set relationship_id = :instead where relationship_id = :gone returning occasion_id",
            {"gone": gone, "instead": instead},
        )
        relinked += [(str(occasion_id), gone) for occasion_id in found.scalars()]
    return relinked


async def unlink_occasions(tx: Transaction, links: Sequence[Sequence[str]]) -> None:
    """Give occasions the relationships back that relink_occasions took."""
    for occasion_id, relationship_id in links:
        await tx.execute(
            "update occasions set relationship_id = :relationship_id where occasion_id = :occasion_id",
            {"occasion_id": occasion_id, "relationship_id": relationship_id},
        )


async def relationships_instead(
    tx: Transaction, aside: Sequence[tuple[str, Json]], surviving_id: str, merged_id: str
) -> dict[str, str]:
    """Return for each relationship set aside the survivor's with the same third, empty for the two themselves."""
    links: dict[str, str] = {}
    for table, row in aside:
        if table != "relationships":
            continue
        third = row["related_client_id"] if row["client_id"] == merged_id else row["client_id"]
        found = await tx.execute(
            "select relationship_id from relationships where (client_id = :surviving and related_client_id = :third)"
            " or (client_id = :third and related_client_id = :surviving)",
            {"surviving": surviving_id, "third": third},
        )
        links[row["relationship_id"]] = str(found.scalar_one_or_none() or "")
    return links


async def move_rows(tx: Transaction, merge_id: str, *, from_id: str, to_id: str) -> None:
    """Make everything of one client another's, and note which rows those were."""
    parameters = {"chain_id": tx.chain_id, "merge_id": merge_id, "from_id": from_id, "to_id": to_id}
    for table, column in moved_columns():
        keys = [key for key in table.key if key != column]
        named = ", ".join(f"'{key}', {key}" for key in keys)
        if column in table.mention_lists:
            change, where = (
                f"array_replace({column}, :from_id, :to_id)",
                f"{column} @> array[cast(:from_id as text)]",
            )
        else:
            # The second condition is that of the indexes of mentions, which hold the rows with one only.
            change, where = "cast(:to_id as text)", f"{column} = :from_id and {column} <> ''"
        await tx.execute(
            f"with moved as (update {table.name} set {column} = {change} where chain_id = :chain_id and {where}"  # noqa: S608
            f" returning jsonb_build_object({named}) row_key)"
            " insert into merge_rows (chain_id, merge_id, position, table_name, column_name, row_key)"
            " select :chain_id, :merge_id, (select count(*) from merge_rows where merge_id = :merge_id)"
            f" + row_number() over (), '{table.name}', '{column}', row_key from moved",
            parameters,
        )


async def move_rows_back(tx: Transaction, merge_id: str, *, from_id: str, to_id: str) -> list[Kept]:
    """Give a client the rows back that a merge moved to another; return those that are not there any more."""
    parameters = {"chain_id": tx.chain_id, "merge_id": merge_id, "from_id": from_id, "to_id": to_id}
    moved = await tx.execute(
        "select distinct table_name, column_name from merge_rows where merge_id = :merge_id", parameters
    )
    pairs = {(row.table_name, row.column_name) for row in moved}
    gone: list[Kept] = []
    for table, column in moved_columns():
        if (table.name, column) not in pairs:
            continue
        same = " and ".join(f"t.{key} = k.{key}" for key in table.key if key != column)
        keys = f"merge_rows r cross join lateral jsonb_populate_record(null::{table.name}, r.row_key) k"
        noted = (
            f"r.chain_id = :chain_id and r.merge_id = :merge_id and r.table_name = '{table.name}'"
            f" and r.column_name = '{column}'"
        )
        if column in table.mention_lists:
            change, where = f"array_replace({column}, :from_id, :to_id)", "true"
        else:
            change, where = "cast(:to_id as text)", f"t.{column} = :from_id"
        # The planner knows nothing of these rows and would compare each with each: a subquery a row is one look into
        # the index of the key. They are locked first, so that they are where they were found when they are changed.
        found = (
            f"select t.ctid from {table.name} t where t.chain_id = :chain_id and {same} and {where} limit 1"  # noqa: S608
        )
        await tx.execute(
            f"select count(*) from (select l.ctid from {keys} cross join lateral ({found} for update) l where {noted}) m",  # noqa: S608, E501
            parameters,
        )
        await tx.execute(
            f"update {table.name} set {column} = {change}"  # noqa: S608
            f" where ctid = any(array(select ({found}) from {keys} where {noted}))",
            parameters,
        )
        if column == table.owner and _is_named(table):
            missing = await tx.execute(
                f"select k.{table.key[0]} from {keys} where {noted} and not exists (select from {table.name} t"  # noqa: S608
                f" where t.chain_id = :chain_id and {same}) limit {MOST_KEPT}",
                parameters,
            )
            gone += [
                Kept(_kind(table), str(key), "Removed after the merge: it is not there any more.")
                for key in missing.scalars()
            ]
    return gone


async def recorded_since(tx: Transaction, merge_id: str, client_id: str) -> list[Kept]:
    """Return what a survivor got after a merge, by the time in the ids."""
    since = merge_id.partition("_")[2]
    kept: list[Kept] = []
    for table in CLIENT_TABLES:
        if table.owner != "client_id" or not _is_named(table) or len(kept) >= MOST_KEPT:
            continue
        key = table.key[0]
        found = await tx.execute(
            f"select {key} from {table.name} where client_id = :client_id"  # noqa: S608
            f" and split_part({key}, '_', 2) > :since order by {key} limit {MOST_KEPT}",
            {"client_id": client_id, "since": since},
        )
        kept += [
            Kept(_kind(table), str(row), "Recorded after the merge: stays with the survivor.")
            for row in found.scalars()
        ]
    return kept[:MOST_KEPT]


def _is_named(table: ClientTable) -> bool:
    """Return whether people know the table's rows by an id of their own."""
    is_record = (
        len(table.key) == 1 and table.key[0].endswith("_id") and table.key[0] not in ("client_id", "alias_id")
    )
    return is_record and bool(table.section) and not table.left_by_merges


def _kind(table: ClientTable) -> str:
    return table.key[0].removesuffix("_id")


async def remove_client(tx: Transaction, client_id: str) -> None:
    """Delete the row of a client whose everything has moved."""
    await tx.execute("delete from clients where client_id = :client_id", {"client_id": client_id})


async def restore_rows(tx: Transaction, rows: Sequence[tuple[str, Json]]) -> None:
    """Insert rows that were set aside; those whose place is taken, or whose client is gone, stay away."""
    for table, row in rows:
        there = await _columns_of(tx, table) - _SET_BY_THE_DATABASE
        known = {column: value for column, value in row.items() if column in there}
        for column in ("related_client_id", "surprise_for_client_id"):
            if known.get(column):
                known[column] = await _who_is(tx, known[column])
                if column == "related_client_id" and not known[column]:
                    break
        else:
            columns = ", ".join(f'"{column}"' for column in known)
            await tx.execute(
                f"insert into {table} ({columns}) overriding system value select {columns}"  # noqa: S608
                f" from jsonb_populate_record(null::{table}, cast(:row as jsonb)) on conflict do nothing",
                {"row": orjson.dumps(known).decode()},
            )


async def _who_is(tx: Transaction, client_id: str) -> str:
    """Return who is behind an id now, empty for nobody."""
    found = await tx.execute(
        "select client_id from clients where client_id = coalesce("
        "(select a.client_id from client_aliases a where a.alias_id = :client_id), :client_id)",
        {"client_id": client_id},
    )
    return str(found.scalar_one_or_none() or "")


async def _columns_of(tx: Transaction, table: str) -> set[str]:
    found = await tx.execute(
        "select attname from pg_attribute where attrelid = cast(:table as regclass) and attnum > 0"
        " and not attisdropped",
        {"table": table},
    )
    return set(found.scalars())


async def add_alias(
    tx: Transaction, merge_id: str, *, surviving_id: str, merged: Json, now: datetime
) -> None:
    """Let a merged client's id, and its id in another system, lead to the survivor."""
    parameters = {
        "chain_id": tx.chain_id,
        "alias_id": merged["client_id"],
        "client_id": surviving_id,
        "merge_id": merge_id,
        "source": merged["source"],
        "external_id": merged["external_id"],
        "now": now,
    }
    await tx.execute(
        "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
        " values (:chain_id, :alias_id, :client_id, :merge_id, :now)",
        parameters,
    )
    if merged["external_id"]:
        await tx.execute(
            "insert into client_external_ids (chain_id, source, external_id, client_id, merge_id)"
            " values (:chain_id, :source, :external_id, :client_id, :merge_id)",
            parameters,
        )


async def remove_alias(tx: Transaction, merge_id: str) -> None:
    """Let the ids that a merge led away lead nowhere again."""
    for table in ("client_aliases", "client_external_ids"):
        await tx.execute(f"delete from {table} where merge_id = :merge_id", {"merge_id": merge_id})  # noqa: S608


async def add_merge(tx: Transaction, merge: Merge, snapshot: Json) -> None:
    """Insert a merge with what both were."""
    await tx.execute(
        "insert into merges (chain_id, merge_id, surviving_client_id, merged_client_id, state, differences,"
        " is_automatic, actor, merged_at, undo_until, snapshot) values (:chain_id, :merge_id, :surviving_client_id,"
        " :merged_client_id, :state, cast(:differences as jsonb), :is_automatic, :actor, :merged_at, :undo_until,"
        " cast(:snapshot as jsonb))",
        {
            "chain_id": tx.chain_id,
            "merge_id": merge.merge_id,
            "surviving_client_id": merge.surviving_client_id,
            "merged_client_id": merge.merged_client_id,
            "state": merge.state.value,
            "differences": orjson.dumps([asdict(one) for one in merge.differences]).decode(),
            "is_automatic": merge.is_automatic,
            "actor": merge.actor,
            "merged_at": merge.merged_at,
            "undo_until": merge.undo_until,
            "snapshot": orjson.dumps(snapshot).decode(),
        },
    )


async def undo_merge(tx: Transaction, merge_id: str, kept: Sequence[Kept], *, now: datetime) -> None:
    """Say that a merge was taken back; what it took to do that goes."""
    await tx.execute(
        "update merges set state = 'undone', undone_at = :now, kept = cast(:kept as jsonb), snapshot = null"
        " where merge_id = :merge_id",
        {"merge_id": merge_id, "now": now, "kept": orjson.dumps([asdict(one) for one in kept]).decode()},
    )
    await tx.execute("delete from merge_rows where merge_id = :merge_id", {"merge_id": merge_id})


async def get_merge(tx: Transaction, merge_id: str) -> Merge:
    """Return a merge. Raises MERGE_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from merges where merge_id = :merge_id",  # noqa: S608
        {"merge_id": merge_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("merge", merge_id)
    return _merge(row)


async def get_snapshot(tx: Transaction, merge_id: str) -> Json | None:
    """Return what both were before a merge, None when that is forgotten."""
    found = await tx.execute("select snapshot from merges where merge_id = :merge_id", {"merge_id": merge_id})
    value = found.scalar_one()
    return None if value is None else _decoded(value)


async def list_merges(tx: Transaction, client_ids: Sequence[str], *, before: str, limit: int) -> list[Merge]:
    """Return merges, newest first, of the chain or of one client by all ids."""
    found = await tx.execute(
        f"select {_COLUMNS} from merges where chain_id = :chain_id and (cardinality(cast(:ids as text[])) = 0"  # noqa: S608
        " or surviving_client_id = any(:ids) or merged_client_id = any(:ids))"
        " and (:before = '' or merge_id < :before) order by merge_id desc limit :limit",
        {"chain_id": tx.chain_id, "ids": list(client_ids), "before": before, "limit": limit},
    )
    return [_merge(row) for row in found]


async def later_merge(tx: Transaction, merge: Merge) -> str:
    """Return the newest merge that holds and stands on this one's survivor, empty when this one is it."""
    found = await tx.execute(
        "select max(merge_id) from merges where chain_id = :chain_id and state = 'merged' and merge_id > :merge_id"
        " and (surviving_client_id = :survivor or merged_client_id = :survivor)",
        {"chain_id": tx.chain_id, "merge_id": merge.merge_id, "survivor": merge.surviving_client_id},
    )
    return str(found.scalar_one() or "")


async def forget_old(tx: Transaction, *, now: datetime, most: int) -> int:
    """Forget what merges took that can be undone no more, `most` of them; return how many those were."""
    found = await tx.execute(
        "update merges set snapshot = null where merge_id in (select merge_id from merges where chain_id = :chain_id"
        " and snapshot is not null and undo_until < :now limit :most) returning merge_id",
        {"chain_id": tx.chain_id, "now": now, "most": most},
    )
    merge_ids = list(found.scalars())
    await tx.execute("delete from merge_rows where merge_id = any(:ids)", {"ids": merge_ids})
    return len(merge_ids)


def _merge(row: Row[Any]) -> Merge:
    return Merge(
        merge_id=row.merge_id,
        surviving_client_id=row.surviving_client_id,
        merged_client_id=row.merged_client_id,
        state=MergeState(row.state),
        differences=tuple(Difference(**one) for one in _decoded(row.differences)),
        is_automatic=row.is_automatic,
        actor=row.actor,
        merged_at=row.merged_at,
        undo_until=row.undo_until,
        undone_at=row.undone_at,
        kept=tuple(Kept(**one) for one in _decoded(row.kept)),
    )


def _decoded(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value
