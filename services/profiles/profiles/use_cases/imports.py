"""Take in files of clients and purchases: announce, read as the bytes arrive, commit in batches."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import structlog

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles.domain.import_encodings import require_encoding
from profiles.domain.imports import (
    DateOrder,
    FileUnreadable,
    Import,
    ImportFormat,
    ImportState,
    Progress,
    merged_columns,
    require_delimiter,
    require_mapping,
)
from profiles.domain.timeline import day_at
from profiles.store import directory as directory_store
from profiles.store import import_mappings as mapping_store
from profiles.store import imports as store
from profiles.suppression import Suppressor
from profiles.use_cases.import_reading import Batch, Reading
from profiles.use_cases.import_upload import LandingQueue, Upload

_log = structlog.get_logger(__name__)
_ROWS_AT_A_TIME = 16  # are read before others, such as the batch that is being written, get their turn


async def create_import(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    source: str,
    file_name: str,
    file_format: ImportFormat,
    delimiter: str,
    columns: Mapping[str, str],
    store_id: str,
    associate_ids: Sequence[str],
    encoding: str = "",
    date_order: DateOrder | None = None,
    import_mapping_id: str = "",
) -> Import:
    """Announce a file; what is given goes before what the saved mapping says.

    Raises COLUMN_UNKNOWN, COLUMN_REPEATED, COLUMN_MISSING, ENCODING_UNKNOWN, IMPORT_MAPPING_NOT_FOUND, STORE_NOT_FOUND
    and ASSOCIATE_NOT_FOUND.
    """
    caller.require_store(store_id)
    require_delimiter(delimiter)
    encoding = require_encoding(encoding)
    async with database.transaction(caller.chain_id) as tx:
        import_id, is_repeat = await tx.once(key, new_id("imp"))
        if is_repeat:
            return await store.get_import(tx, import_id)
        if import_mapping_id:
            saved = await mapping_store.get_mapping(tx, import_mapping_id)
            columns = merged_columns(saved.columns, columns)
            delimiter = delimiter or saved.delimiter
            encoding = encoding or saved.encoding
            date_order = date_order or saved.date_order
        require_mapping(columns)
        await directory_store.get_store(tx, store_id)
        await directory_store.require_active_associates(tx, associate_ids)
        announced = Import(
            import_id=import_id,
            source=source,
            file_name=file_name,
            format=file_format,
            delimiter=delimiter if file_format is ImportFormat.DELIMITED else "",
            columns=columns,
            store_id=store_id,
            associate_ids=tuple(dict.fromkeys(associate_ids)),
            state=ImportState.AWAITING_CONTENT,
            progress=Progress(),
            failure="",
            created_at=clock.now(),
            finished_at=None,
            encoding=encoding,
            date_order=date_order,
            import_mapping_id=import_mapping_id,
        )
        await store.add_import(tx, announced)
        return announced


async def receive_content(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    suppressor: Suppressor,
    import_id: str,
    offset: int = 0,
    chunks: AsyncIterator[bytes],
    batch_lines: int,
) -> Import:
    """Work through the content of an import, from byte `offset` on, and return it finished, completed or failed.

    Raises IMPORT_NOT_FOUND, IMPORT_OFFSET_WRONG, and IMPORT_BUSY while another upload of it is under way. What cuts it
    off otherwise leaves the import running, to be sent again.
    """
    upload = await Upload.begin(database, clock, caller, suppressor, import_id, offset)
    reading = Reading(
        upload.imported, upload.place, offset, today=day_at(upload.place.time_zone, now=clock.now())
    )
    queue = LandingQueue(upload, reading)
    batch = Batch(batch_lines)
    try:
        try:
            async for chunk in _and_end(chunks):
                for count, found in enumerate(reading.read(chunk)):
                    if count % _ROWS_AT_A_TIME == 0:
                        await asyncio.sleep(0)
                    if batch.is_full_before(found):
                        await queue.add(batch)
                        batch = Batch(batch_lines)
                    batch.add(found)
                    batch.assume(reading.take_assumptions())
            batch.assume(reading.take_assumptions())
            await queue.add(batch)
            await queue.join()
            await upload.make_findable()
        except FileUnreadable as error:
            return await upload.finish(ImportState.FAILED, str(error))
        return await upload.finish(ImportState.COMPLETED)
    finally:
        await queue.cancel()
        await upload.release()


async def _and_end(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | None]:
    async for chunk in chunks:
        yield chunk
    yield None
