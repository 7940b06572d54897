"""Write the batches of one upload in the order of its file, two at a time, and know how far it is.

One batch is one transaction: clients, purchases, timelines, faults, progress, where to go on and the event stand or
fall together, so a cut upload leaves whole batches behind and goes on there, or is sent again from the start.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from profiles import events
from profiles.domain.imports import MOST_FAULTS, Checkpoint, Import, ImportState, OffsetWrong, Progress
from profiles.store import directory as directory_store
from profiles.store import imports as store
from profiles.suppression import Suppressor
from profiles.use_cases.import_reading import Batch, Reading
from profiles.use_cases.import_turns import Turn, TurnLost
from profiles.use_cases.landing import Place, land_batch
from profiles.use_cases.search_queue import SET, work_off

_log = structlog.get_logger(__name__)
_TRIES = 4  # of a batch that lost against another transaction
_AT_ONCE = 2  # batches of an upload: while one waits for Postgres, the other is made ready
_FORGET_AT_ONCE = 20_000


@dataclass
class Upload:
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
    ) -> "Upload":
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
        batch: Batch,
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
        batch: Batch,
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


class Landing:
    """One batch on its way into the database, and its turn while it tries."""

    def __init__(self, upload: Upload, reading: Reading, batch: Batch, before: "Landing | None") -> None:
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
        lost = 0
        while True:
            try:
                await self._try()
                self._before = None
                return
            except TurnLost:
                pass  # the batch before lost, not this one
            except ServiceError as error:
                lost += 1
                if error.kind is not Kind.CONFLICT or error.reason != "TRY_AGAIN" or lost == _TRIES:
                    raise
                _log.info("batch comes again", import_id=self._upload.imported.import_id, lost=lost)
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


class LandingQueue:
    """Batches that are being written while the next one is read."""

    def __init__(self, upload: Upload, reading: Reading) -> None:
        self._upload = upload
        self._reading = reading
        self._landings: list[Landing] = []

    async def add(self, batch: Batch) -> None:
        """Begin to write a batch, as soon as fewer than the most are being written. Raises what failed before it."""
        while len(self._landings) >= _AT_ONCE:
            await self._landings.pop(0).task
        before = self._landings[-1] if self._landings else None
        self._landings.append(Landing(self._upload, self._reading, batch, before))

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
