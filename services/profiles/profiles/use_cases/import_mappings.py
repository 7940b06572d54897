"""Save how a source's files are read, and look at the beginning of a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles.domain.import_encodings import require_encoding
from profiles.domain.import_mappings import ImportMapping
from profiles.domain.import_samples import Sample, inspect
from profiles.domain.imports import DateOrder, ImportFormat, require_delimiter, require_mapping
from profiles.phones import e164
from profiles.store import directory as directory_store
from profiles.store import import_mappings as store


@dataclass(frozen=True, slots=True)
class MappingFields:
    """What a caller says of a mapping."""

    display_name: str
    source: str
    format: ImportFormat
    delimiter: str
    columns: Mapping[str, str]
    date_order: DateOrder | None
    encoding: str

    def checked(self) -> "MappingFields":
        """Return the fields with the encoding's usual name.

        Raises COLUMN_UNKNOWN, COLUMN_REPEATED, COLUMN_MISSING, ENCODING_UNKNOWN and INVALID for a delimiter.
        """
        require_mapping(self.columns)
        return replace(
            self, delimiter=require_delimiter(self.delimiter), encoding=require_encoding(self.encoding)
        )


async def create_mapping(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey, fields: MappingFields
) -> ImportMapping:
    """Save a mapping. Raises what MappingFields.checked raises and MAPPING_NAME_TAKEN."""
    fields = fields.checked()
    async with database.transaction(caller.chain_id) as tx:
        import_mapping_id, is_repeat = await tx.once(key, new_id("imm"))
        if is_repeat:
            return await store.get_mapping(tx, import_mapping_id)
        now = clock.now()
        mapping = ImportMapping(
            import_mapping_id=import_mapping_id,
            display_name=fields.display_name,
            source=fields.source,
            format=fields.format,
            delimiter=fields.delimiter,
            columns=fields.columns,
            date_order=fields.date_order,
            encoding=fields.encoding,
            created_at=now,
            updated_at=now,
        )
        await store.add_mapping(tx, mapping)
        return mapping


async def update_mapping(
    *, database: Database, clock: Clock, caller: Caller, import_mapping_id: str, fields: MappingFields
) -> ImportMapping:
    """Put another content into a mapping.

    Raises IMPORT_MAPPING_NOT_FOUND, what MappingFields.checked raises and MAPPING_NAME_TAKEN.
    """
    fields = fields.checked()
    async with database.transaction(caller.chain_id) as tx:
        mapping = replace(
            await store.get_mapping(tx, import_mapping_id),
            display_name=fields.display_name,
            source=fields.source,
            format=fields.format,
            delimiter=fields.delimiter,
            columns=fields.columns,
            date_order=fields.date_order,
            encoding=fields.encoding,
            updated_at=clock.now(),
        )
        await store.save_mapping(tx, mapping)
        return mapping


async def delete_mapping(*, database: Database, caller: Caller, import_mapping_id: str) -> None:
    """Forget a mapping. Raises IMPORT_MAPPING_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        await store.delete_mapping(tx, import_mapping_id)


async def inspect_sample(*, database: Database, caller: Caller, sample: bytes, store_id: str) -> Sample:
    """Say how the beginning of a file would be read. Raises FILE_UNREADABLE and STORE_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        if store_id or caller.stores:
            country = (await directory_store.get_store(tx, store_id or min(caller.stores))).country
        else:
            country = (await directory_store.get_chain(tx, caller.chain_id)).country
    return inspect(sample, country=country, read_phone=lambda value: e164(value, country))
