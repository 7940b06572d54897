"""Take in files of clients and purchases: announce, read as the bytes arrive, commit in batches.

One batch is one transaction: clients, purchases, timelines, faults, progress, where to go on and the event stand or
fall together, so a cut upload leaves whole batches behind and goes on there, or is sent again from the start.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import structlog

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.import_encodings import require_encoding
from profiles.domain.import_lines import (
    BlankSeparated,
    Delimited,
    JsonLines,
    LineSplitter,
    Record,
    RecordReader,
    Refused,
)
from profiles.domain.import_rows import Customs, Row, RowReader
from profiles.domain.imports import (
    MOST_FAULTS,
    Assumption,
    Checkpoint,
    DateOrder,
    Fault,
    FileUnreadable,
    Import,
    ImportFormat,
    ImportState,
    OffsetWrong,
    Progress,
    merged_columns,
    require_delimiter,
    require_mapping,
)
from profiles.domain.timeline import day_at
from profiles.phones import e164
from profiles.store import directory as directory_store
from profiles.store import import_mappings as mapping_store
from profiles.store import imports as store
from profiles.suppression import Suppressor
from profiles.use_cases.import_turns import Turn, TurnLost
from profiles.use_cases.landing import Place, land_batch
from profiles.use_cases.search_queue import SET, work_off

_log = structlog.get_logger(__name__)
_TRIES = 4  # of a batch that lost against another transaction
_AT_ONCE = 2  # batches of an upload: while one waits for Postgres, the other is made ready
_FORGET_AT_ONCE = 20_000
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
    upload = await _Upload.begin(database, clock, caller, suppressor, import_id, offset)
    reading = _Reading(
        upload.imported, upload.place, offset, today=day_at(upload.place.time_zone, now=clock.now())
    )
    queue = _LandingQueue(upload, reading)
    batch = _Batch(batch_lines)
    try:
        try:
            async for chunk in _and_end(chunks):
                for count, found in enumerate(reading.read(chunk)):
                    if count % _ROWS_AT_A_TIME == 0:
                        await asyncio.sleep(0)
                    if batch.is_full_before(found):
                        await queue.add(batch)
                        batch = _Batch(batch_lines)
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


class _Reading:
    """The file from bytes to rows, from byte `offset` on; memory for one line or one open quote."""

    def __init__(self, imported: Import, place: Place, offset: int, *, today: date) -> None:
        self.bytes_received = offset
        self.piece_fields: tuple[str, ...] = ()
        self._imported = imported
        self._assumed: list[Assumption] = []
        self._customs = Customs(
            country=place.country,
            currency_code=place.currency_code,
            date_order=imported.date_order,
            today=today,
            digits_of=digits_of,
            read_phone=lambda value: e164(value, place.country),
        )
        known = imported.checkpoint if offset else Checkpoint()
        self._splitter = LineSplitter(
            known.encoding or imported.encoding, position=known.offset, lines=known.line
        )
        self._delimited: Delimited | None = None
        self._records = self._record_reader(known.delimiter)
        self._header: tuple[str, ...] = ()
        self._rows: RowReader | None = None
        if imported.format is ImportFormat.NDJSON:
            self._rows = self._row_reader(list(imported.columns))
        elif known.header:
            self._rows = self._row_reader(known.header)

    def read(self, chunk: bytes | None) -> Iterator[Row | Refused]:
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
            if self._splitter.unended_line > 1:
                self._assumed.append(Assumption(self._splitter.unended_line, "", "LAST_LINE_UNENDED", 1))

    def take_assumptions(self) -> list[Assumption]:
        """Return in what sense the file as a whole was read, as far as it was not said before."""
        taken, self._assumed = self._assumed, []
        return taken

    def checkpoint(self, batch: "_Batch") -> Checkpoint:
        """Return where to go on behind a batch, and what was known of the file there."""
        return Checkpoint(
            batch.end,
            batch.last,
            self._splitter.encoding if self._splitter.decided_line <= batch.last else "",
            self._delimited.delimiter if self._delimited else "",
            self._header,
        )

    def _row(self, record: Record | Refused) -> Iterator[Row | Refused]:
        if self._splitter.is_assumed and self._splitter.decided_line <= record.last:
            self._splitter.is_assumed = False
            self._assumed.append(Assumption(self._splitter.decided_line, "", "ENCODING_ASSUMED", 1))
        if self._rows is None:
            if isinstance(record, Refused):
                raise FileUnreadable(f"The header cannot be read. {record.faults[0].message}")
            self._rows = self._row_reader(record.fields)
        elif isinstance(record, Refused):
            yield record
        else:
            yield self._rows.read(record)

    def _row_reader(self, header: Sequence[str]) -> RowReader:
        decimal = "," if self._delimited and self._delimited.delimiter == ";" else "."
        rows = RowReader(header, self._imported.columns, self._customs, decimal=decimal)
        self._header = tuple(header)
        self.piece_fields = rows.piece_fields
        return rows

    def _record_reader(self, delimiter: str) -> RecordReader:
        if self._imported.format is ImportFormat.NDJSON:
            return JsonLines(list(self._imported.columns))
        if self._imported.delimiter == " ":
            return BlankSeparated()
        self._delimited = Delimited(delimiter or self._imported.delimiter)
        return self._delimited


class _Batch:
    """Rows and faults that are committed together. Lines of one purchase that follow one another stay together."""

    def __init__(self, size: int) -> None:
        self.rows: list[Row] = []
        self.is_named = True
        self.faults: list[Fault] = []
        self.refused = 0
        self.assumptions: list[Assumption] = []
        self.last = 0
        self.end = 0
        self._size = size

    def is_full_before(self, found: Row | Refused) -> bool:
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

    def add(self, found: Row | Refused) -> None:
        """Take in one record."""
        self.last, self.end = found.last, found.end
        if isinstance(found, Row):
            self.rows.append(found)
            self.is_named = self.is_named and bool(found.person.external_id)
        else:
            self.refused += 1
            self.faults += found.faults

    def assume(self, assumptions: Sequence[Assumption]) -> None:
        """Take in in what sense the file was read."""
        self.assumptions += assumptions


@dataclass
class _Upload:
    """One upload's hold on its import, and how far it is."""

    database: Database
    clock: Clock
    suppressor: Suppressor
    chain_id: str
    actor: str
    upload_id: str
    imported: Import
    place: Place
    progress: Progress
    checkpoint: Checkpoint
    is_over: bool = False

    @classmethod
    async def begin(
        cls,
        database: Database,
        clock: Clock,
        caller: Caller,
        suppressor: Suppressor,
        import_id: str,
        offset: int,
    ) -> "_Upload":
        upload_id = new_id("upl")
        async with database.transaction(caller.chain_id) as tx:
            imported = await store.begin_upload(tx, import_id, upload_id, offset=offset, now=clock.now())
            caller.require_store(imported.store_id)
            is_lost = bool(offset) and imported.counts_rows and not await store.is_counting(tx, import_id)
            if is_lost:
                await store.forget_checkpoint(tx, import_id)
            chain = await directory_store.get_chain(tx, caller.chain_id)
            home = await directory_store.get_store(tx, imported.store_id)
        if is_lost:
            raise OffsetWrong(0)
        upload = cls(
            database=database,
            clock=clock,
            suppressor=suppressor,
            chain_id=caller.chain_id,
            actor=caller.actor_id,
            upload_id=upload_id,
            imported=imported,
            place=Place(home.store_id, home.country, home.time_zone, chain.currency_code),
            progress=imported.progress if offset else Progress(),
            checkpoint=imported.checkpoint if offset else Checkpoint(),
        )
        if not offset:
            await upload._forget_rows()
            if imported.counts_rows:
                async with database.transaction(caller.chain_id) as tx:
                    await store.begin_counting(tx, import_id)
        return upload

    async def land(
        self,
        batch: _Batch,
        piece_fields: Sequence[str],
        bytes_received: int,
        checkpoint: Checkpoint,
        turn: Turn,
    ) -> None:
        """Commit one batch. Raises TurnLost."""
        async with self.database.transaction(self.chain_id) as tx:
            progress = await self._land(tx, batch, piece_fields, bytes_received, checkpoint, turn)
        self.progress, self.checkpoint = progress, checkpoint

    async def _land(
        self,
        tx: Transaction,
        batch: _Batch,
        piece_fields: Sequence[str],
        bytes_received: int,
        checkpoint: Checkpoint,
        turn: Turn,
    ) -> Progress:
        imported = self.imported
        landed = await land_batch(
            tx,
            imported,
            self.place,
            batch.rows,
            piece_fields=piece_fields,
            suppressor=self.suppressor,
            turn=turn,
            actor=self.actor,
            now=self.clock.now(),
        )
        so_far = self.progress
        kept = await store.add_faults(
            tx, imported.import_id, [*batch.faults, *landed.faults], most=MOST_FAULTS - so_far.faults_kept
        )
        if assumptions := [*batch.assumptions, *landed.assumptions]:
            await store.add_assumptions(tx, imported.import_id, assumptions)
        progress = Progress(
            bytes_received=bytes_received,
            lines_read=so_far.lines_read + len(batch.rows) + batch.refused,
            lines_refused=so_far.lines_refused + batch.refused + len(landed.faults),
            clients_created=so_far.clients_created + landed.clients_created,
            purchases_created=so_far.purchases_created + landed.purchases_created,
            purchases_unchanged=so_far.purchases_unchanged + landed.lines_unchanged,
            clients_updated=so_far.clients_updated + landed.clients_updated,
            conflicts=so_far.conflicts + landed.conflicts,
            lines_suppressed=so_far.lines_suppressed + landed.lines_suppressed,
            faults_kept=so_far.faults_kept + kept,
        )
        await store.move_upload(
            tx, imported.import_id, self.upload_id, progress, checkpoint, now=self.clock.now()
        )
        return progress

    async def make_findable(self) -> None:
        """Let clients be found by what they bought, each once, now that all of it is there."""
        count = SET
        while count == SET:
            async with self.database.transaction(self.chain_id) as tx:
                count = await work_off(tx)
                await store.move_upload(
                    tx,
                    self.imported.import_id,
                    self.upload_id,
                    self.progress,
                    self.checkpoint,
                    now=self.clock.now(),
                )

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


class _Landing:
    """One batch on its way into the database, and its turn while it tries."""

    def __init__(self, upload: _Upload, reading: _Reading, batch: _Batch, before: "_Landing | None") -> None:
        self._upload = upload
        self._batch = batch
        self._before = before
        # What was known when the batch was read: the next one is read meanwhile.
        self._piece_fields = reading.piece_fields
        self._bytes_received = reading.bytes_received
        self._checkpoint = reading.checkpoint(batch) if batch.last else None
        self._turn: Turn = Turn(before._turn if before else None)
        self.task = asyncio.create_task(self._land())

    async def _land(self) -> None:
        """Commit the batch; it is tried again when it lost against another transaction."""
        if self._before is not None and not self._batch.is_named:
            # Who has no id is known by a contact: those of the batch before have to be there.
            await self._before.task
        for attempt in range(1, _TRIES + 1):
            try:
                await self._try()
                self._before = None
                return
            except TurnLost:
                pass
            except ServiceError as error:
                if error.kind is not Kind.CONFLICT or error.reason != "TRY_AGAIN" or attempt == _TRIES:
                    raise
                _log.info("batch comes again", import_id=self._upload.imported.import_id, attempt=attempt)
                await asyncio.sleep(error.retry_after or 0.1)
            if self._before is not None:
                await self._before.task  # raises what kept it from being written
            self._turn = Turn()

    async def _try(self) -> None:
        is_lost = True
        try:
            await self._upload.land(
                self._batch,
                self._piece_fields,
                self._bytes_received,
                self._checkpoint or self._upload.checkpoint,
                self._turn,
            )
            is_lost = False
        finally:
            self._turn.end(is_lost=is_lost)


class _LandingQueue:
    """Batches that are being written while the next one is read."""

    def __init__(self, upload: _Upload, reading: _Reading) -> None:
        self._upload = upload
        self._reading = reading
        self._landings: list[_Landing] = []

    async def add(self, batch: _Batch) -> None:
        """Begin to write a batch, as soon as fewer than the most are being written. Raises what failed before it."""
        while len(self._landings) >= _AT_ONCE:
            await self._landings.pop(0).task
        before = self._landings[-1] if self._landings else None
        self._landings.append(_Landing(self._upload, self._reading, batch, before))

    async def join(self) -> None:
        """Wait until every batch is written."""
        while self._landings:
            await self._landings.pop(0).task

    async def cancel(self) -> None:
        """Roll back what is not written."""
        tasks = [landing.task for landing in self._landings]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
