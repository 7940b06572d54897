"""Take in files of clients and purchases: announce, read as the bytes arrive, commit in batches.

One batch is one transaction: clients, purchases, timelines, faults, progress and the event stand or fall together,
so a cut upload leaves whole batches behind and can be sent again from the start.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.import_lines import (
    BlankSeparated,
    Delimited,
    JsonLines,
    LineSplitter,
    Record,
    RecordReader,
)
from profiles.domain.import_rows import Row, RowReader
from profiles.domain.imports import (
    Fault,
    FileUnreadable,
    Import,
    ImportFormat,
    ImportState,
    Progress,
    require_delimiter,
    require_mapping,
)
from profiles.phones import e164
from profiles.store import directory as directory_store
from profiles.store import imports as store
from profiles.use_cases.landing import Place, land_batch

_log = structlog.get_logger(__name__)
_TRIES = 4  # of a batch that lost against another transaction
_FORGET_AT_ONCE = 20_000


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
) -> Import:
    """Announce a file.

    Raises COLUMN_UNKNOWN, COLUMN_REPEATED, COLUMN_MISSING, STORE_NOT_FOUND and ASSOCIATE_NOT_FOUND.
    """
    caller.require_store(store_id)
    require_mapping(columns)
    delimiter = require_delimiter(delimiter) if file_format is ImportFormat.DELIMITED else ""
    async with database.transaction(caller.chain_id) as tx:
        import_id, is_repeat = await tx.once(key, new_id("imp"))
        if is_repeat:
            return await store.get_import(tx, import_id)
        await directory_store.get_store(tx, store_id)
        await directory_store.require_active_associates(tx, associate_ids)
        announced = Import(
            import_id=import_id,
            source=source,
            file_name=file_name,
            format=file_format,
            delimiter=delimiter,
            columns=columns,
            store_id=store_id,
            associate_ids=tuple(dict.fromkeys(associate_ids)),
            state=ImportState.AWAITING_CONTENT,
            progress=Progress(),
            failure="",
            created_at=clock.now(),
            finished_at=None,
        )
        await store.add_import(tx, announced)
        return announced


async def receive_content(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    import_id: str,
    chunks: AsyncIterator[bytes],
    batch_lines: int,
) -> Import:
    """Work through the content of an import and return it finished, completed or failed.

    Raises IMPORT_NOT_FOUND, and IMPORT_BUSY while another upload of it is under way. What cuts it off
    otherwise leaves the import running, to be sent again.
    """
    upload = await _Upload.begin(database, clock, caller, import_id)
    reading = _Reading(upload.imported, upload.place)
    batch = _Batch(batch_lines)
    landing: asyncio.Task[None] | None = None
    try:
        try:
            async for chunk in _and_end(chunks):
                for found in reading.read(chunk):
                    if batch.is_full_before(found):
                        # While this batch is written the next one is read.
                        if landing is not None:
                            await landing
                        landing = asyncio.create_task(upload.land(batch, reading))
                        batch = _Batch(batch_lines)
                    batch.add(found)
            if landing is not None:
                await landing
            await upload.land(batch, reading)
        except FileUnreadable as error:
            return await upload.finish(ImportState.FAILED, str(error))
        return await upload.finish(ImportState.COMPLETED)
    finally:
        if landing is not None and not landing.done():
            landing.cancel()
            await asyncio.gather(landing, return_exceptions=True)
        await upload.release()


async def _and_end(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | None]:
    async for chunk in chunks:
        yield chunk
    yield None


class _Reading:
    """The file from bytes to rows; memory for one line or one open quote."""

    def __init__(self, imported: Import, place: Place) -> None:
        self.bytes_received = 0
        self.piece_fields: tuple[str, ...] = ()
        self._imported = imported
        self._place = place
        self._splitter = LineSplitter()
        self._records = _reader_of(imported)
        self._rows: RowReader | None = None
        if imported.format is ImportFormat.NDJSON:
            self._rows = self._row_reader(list(imported.columns))

    def read(self, chunk: bytes | None) -> Iterator[Row | list[Fault]]:
        """Yield the rows that are complete with `chunk`, None for the end. Raises FileUnreadable."""
        if chunk is not None:
            self.bytes_received += len(chunk)
        lines = self._splitter.end() if chunk is None else self._splitter.feed(chunk)
        for line in lines:
            for record in self._records.read(line):
                yield from self._row(record)
        if chunk is None:
            for record in self._records.end():
                yield from self._row(record)
            if not self.bytes_received:
                raise FileUnreadable("The file is empty.")

    def _row(self, record: Record | Fault) -> Iterator[Row | list[Fault]]:
        if self._rows is None:
            if isinstance(record, Fault):
                raise FileUnreadable(f"The header cannot be read. {record.message}")
            self._rows = self._row_reader(record.fields)
        elif isinstance(record, Fault):
            yield [record]
        else:
            yield self._rows.read(record)

    def _row_reader(self, header: Sequence[str]) -> RowReader:
        country = self._place.country
        rows = RowReader(
            header,
            self._imported.columns,
            currency_code=self._place.currency_code,
            digits_of=digits_of,
            read_phone=lambda value: e164(value, country),
        )
        self.piece_fields = rows.piece_fields
        return rows


def _reader_of(imported: Import) -> RecordReader:
    if imported.format is ImportFormat.NDJSON:
        return JsonLines(list(imported.columns))
    return BlankSeparated() if imported.delimiter == " " else Delimited(imported.delimiter)


class _Batch:
    """Rows and faults that are committed together. Lines of one purchase that follow one another stay together."""

    def __init__(self, size: int) -> None:
        self.rows: list[Row] = []
        self.faults: list[Fault] = []
        self.refused = 0
        self._size = size

    def is_full_before(self, found: Row | list[Fault]) -> bool:
        """Return whether the batch is to be written before `found` is added."""
        count = len(self.rows) + self.refused
        if count < self._size or count >= 2 * self._size:
            return count >= self._size
        is_same_purchase = (
            isinstance(found, Row)
            and bool(self.rows)
            and bool(found.purchase_external_id)
            and found.purchase_external_id == self.rows[-1].purchase_external_id
        )
        return not is_same_purchase

    def add(self, found: Row | list[Fault]) -> None:
        """Take in one line."""
        if isinstance(found, Row):
            self.rows.append(found)
        else:
            self.refused += 1
            self.faults += found


@dataclass
class _Upload:
    """One upload's hold on its import, and how far it is."""

    database: Database
    clock: Clock
    chain_id: str
    actor: str
    upload_id: str
    imported: Import
    place: Place
    progress: Progress
    is_over: bool = False

    @classmethod
    async def begin(cls, database: Database, clock: Clock, caller: Caller, import_id: str) -> "_Upload":
        upload_id = new_id("upl")
        async with database.transaction(caller.chain_id) as tx:
            imported = await store.begin_upload(tx, import_id, upload_id, now=clock.now())
            caller.require_store(imported.store_id)
            chain = await directory_store.get_chain(tx, caller.chain_id)
            home = await directory_store.get_store(tx, imported.store_id)
        upload = cls(
            database=database,
            clock=clock,
            chain_id=caller.chain_id,
            actor=caller.actor_id,
            upload_id=upload_id,
            imported=imported,
            place=Place(home.store_id, home.country, home.time_zone, chain.currency_code),
            progress=Progress(),
        )
        await upload._forget_rows()
        return upload

    async def land(self, batch: _Batch, reading: _Reading) -> None:
        """Commit one batch; it is tried again when it lost against another transaction."""
        for attempt in range(1, _TRIES + 1):
            try:
                async with self.database.transaction(self.chain_id) as tx:
                    progress = await self._land(tx, batch, reading)
                self.progress = progress
                return
            except ServiceError as error:
                if error.kind is not Kind.CONFLICT or error.reason != "TRY_AGAIN" or attempt == _TRIES:
                    raise
                _log.info("batch comes again", import_id=self.imported.import_id, attempt=attempt)
                await asyncio.sleep(error.retry_after or 0.1)

    async def _land(self, tx: Transaction, batch: _Batch, reading: _Reading) -> Progress:
        landed = await land_batch(
            tx,
            self.imported,
            self.place,
            batch.rows,
            piece_fields=reading.piece_fields,
            actor=self.actor,
            now=self.clock.now(),
        )
        faults = [*batch.faults, *landed.faults]
        if faults:
            await store.add_faults(tx, self.imported.import_id, faults)
        so_far = self.progress
        progress = Progress(
            bytes_received=reading.bytes_received,
            lines_read=so_far.lines_read + len(batch.rows) + batch.refused,
            lines_refused=so_far.lines_refused + batch.refused + len(landed.faults),
            clients_created=so_far.clients_created + landed.clients_created,
            purchases_created=so_far.purchases_created + landed.purchases_created,
            purchases_unchanged=so_far.purchases_unchanged + landed.lines_unchanged,
        )
        await store.move_upload(tx, self.imported.import_id, self.upload_id, progress, now=self.clock.now())
        return progress

    async def finish(self, state: ImportState, failure: str = "") -> Import:
        """Write the end, say it, and return the import as it is now."""
        async with self.database.transaction(self.chain_id) as tx:
            await store.finish_upload(
                tx,
                self.imported.import_id,
                self.upload_id,
                state=state,
                failure=failure,
                now=self.clock.now(),
            )
            finished = await store.get_import(tx, self.imported.import_id)
            if state is ImportState.COMPLETED:
                tx.publish(events.import_completed(finished), entity_id=finished.import_id)
        self.is_over = True
        await self._forget_rows()
        return finished

    async def release(self) -> None:
        """Let another upload begin at once when this one was cut off."""
        if self.is_over:
            return
        async with self.database.transaction(self.chain_id) as tx:
            await store.release_upload(tx, self.imported.import_id, self.upload_id)

    async def _forget_rows(self) -> None:
        """Delete the counters of equal rows in small transactions: a file may have millions."""
        while True:
            async with self.database.transaction(self.chain_id) as tx:
                if (
                    await store.forget_rows(tx, self.imported.import_id, most=_FORGET_AT_ONCE)
                    < _FORGET_AT_ONCE
                ):
                    return
