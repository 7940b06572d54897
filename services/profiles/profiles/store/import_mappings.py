"""Rows of saved mappings."""

from typing import Any

import orjson
from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.import_mappings import ImportMapping, MappingNameTaken
from profiles.domain.imports import DateOrder, ImportFormat
from profiles.store.clients import take_turns

_COLUMNS = (
    "import_mapping_id, display_name, source, format, delimiter, columns, date_order, encoding,"
    " created_at, updated_at"
)


async def add_mapping(tx: Transaction, mapping: ImportMapping) -> None:
    """Insert a mapping. Raises MAPPING_NAME_TAKEN."""
    await _take_turns(tx)
    added = await tx.execute(
        f"insert into import_mappings (chain_id, {_COLUMNS}) values (:chain_id, :import_mapping_id, :display_name,"  # noqa: S608
        " :source, :format, :delimiter, cast(:columns as jsonb), :date_order, :encoding, :created_at, :updated_at)"
        " on conflict (chain_id, lower(display_name)) do nothing",
        {"chain_id": tx.chain_id, **_values(mapping)},
    )
    if not added.rowcount:
        raise MappingNameTaken


async def get_mapping(tx: Transaction, import_mapping_id: str) -> ImportMapping:
    """Return a mapping. Raises IMPORT_MAPPING_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from import_mappings where import_mapping_id = :import_mapping_id",  # noqa: S608
        {"import_mapping_id": import_mapping_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("import_mapping", import_mapping_id)
    return _mapping(row)


async def list_mappings(tx: Transaction, *, after: tuple[str, str] | None, limit: int) -> list[ImportMapping]:
    """Return mappings by name, behind a name and id."""
    found = await tx.execute(
        f"select {_COLUMNS} from import_mappings where chain_id = :chain_id"  # noqa: S608
        " and (lower(display_name), import_mapping_id) > (lower(:name), :id)"
        " order by lower(display_name), import_mapping_id limit :limit",
        {
            "chain_id": tx.chain_id,
            "name": after[0] if after else "",
            "id": after[1] if after else "",
            "limit": limit,
        },
    )
    return [_mapping(row) for row in found]


async def save_mapping(tx: Transaction, mapping: ImportMapping) -> None:
    """Put another content into a mapping. Raises MAPPING_NAME_TAKEN."""
    await _take_turns(tx)
    taken = await tx.execute(
        "select 1 from import_mappings where chain_id = :chain_id and lower(display_name) = lower(:display_name)"
        " and import_mapping_id <> :import_mapping_id",
        {
            "chain_id": tx.chain_id,
            "display_name": mapping.display_name,
            "import_mapping_id": mapping.import_mapping_id,
        },
    )
    if taken.one_or_none() is not None:
        raise MappingNameTaken
    await tx.execute(
        "update import_mappings set display_name = :display_name, source = :source, format = :format,"
        " delimiter = :delimiter, columns = cast(:columns as jsonb), date_order = :date_order, encoding = :encoding,"
        " updated_at = :updated_at where import_mapping_id = :import_mapping_id and created_at = :created_at",
        _values(mapping),
    )


async def delete_mapping(tx: Transaction, import_mapping_id: str) -> None:
    """Delete a mapping. Raises IMPORT_MAPPING_NOT_FOUND."""
    removed = await tx.execute(
        "delete from import_mappings where import_mapping_id = :import_mapping_id",
        {"import_mapping_id": import_mapping_id},
    )
    if not removed.rowcount:
        raise not_found("import_mapping", import_mapping_id)


async def _take_turns(tx: Transaction) -> None:
    """Wait until nobody else in the chain names a mapping."""
    await take_turns(tx, ["import_mappings"])


def _values(mapping: ImportMapping) -> dict[str, Any]:
    return {
        "import_mapping_id": mapping.import_mapping_id,
        "display_name": mapping.display_name,
        "source": mapping.source,
        "format": mapping.format.value,
        "delimiter": mapping.delimiter,
        "columns": orjson.dumps(dict(mapping.columns)).decode(),
        "date_order": mapping.date_order.value if mapping.date_order else "",
        "encoding": mapping.encoding,
        "created_at": mapping.created_at,
        "updated_at": mapping.updated_at,
    }


def _mapping(row: Row[Any]) -> ImportMapping:
    return ImportMapping(
        import_mapping_id=row.import_mapping_id,
        display_name=row.display_name,
        source=row.source,
        format=ImportFormat(row.format),
        delimiter=row.delimiter,
        columns=orjson.loads(row.columns) if isinstance(row.columns, str) else row.columns,
        date_order=DateOrder(row.date_order) if row.date_order else None,
        encoding=row.encoding,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
