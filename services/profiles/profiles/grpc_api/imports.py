"""Imports on the wire, their content as a stream in and their progress as a stream out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.imports import Import
from profiles.store import imports as store
from profiles.suppression import Suppressor
from profiles.use_cases import imports as use_cases
from profiles.vocabulary import DATE_ORDERS, IMPORT_FORMATS, IMPORT_STATES


class ImportCalls:
    """The RPCs on imports."""

    _database: Database
    _clock: Clock
    _suppressor: Suppressor
    _import_batch_lines: int
    _import_watch_seconds: float

    async def CreateImport(self, request: pb.CreateImportRequest, context: Any) -> pb.Import:
        """Announce a file."""
        return _import_message(
            await use_cases.create_import(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                source=request.source,
                file_name=request.file_name,
                file_format=IMPORT_FORMATS.word(request.format, "format"),
                delimiter=request.delimiter,
                columns=dict(request.columns),
                store_id=request.store_id,
                associate_ids=request.associate_ids,
                encoding=request.encoding,
                date_order=DATE_ORDERS.optional(request.date_order),
                import_mapping_id=request.import_mapping_id,
            )
        )

    async def UploadImportContent(
        self, request_iterator: AsyncIterator[pb.UploadImportContentRequest], context: Any
    ) -> pb.Import:
        """Take in the content of an announced file."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.import_id:
            raise invalid("import_id", "is needed in the first message")

        async def chunks() -> AsyncIterator[bytes]:
            yield first.content
            async for request in request_iterator:
                yield request.content
            # For grpc.aio a broken connection ends the requests just as the sender's last word does; the cancellation
            # follows a moment later. Answering something makes sure that it has come: half a file must not pass.
            await context.send_initial_metadata(())

        return _import_message(
            await use_cases.receive_content(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                suppressor=self._suppressor,
                import_id=first.import_id,
                offset=first.offset,
                chunks=chunks(),
                batch_lines=self._import_batch_lines,
            )
        )

    async def GetImport(self, request: pb.GetImportRequest, context: Any) -> pb.Import:
        """Read an import."""
        return _import_message(await self._read_import(request.import_id))

    async def WatchImport(self, request: pb.WatchImportRequest, context: Any) -> AsyncIterator[pb.Import]:
        """Follow an import until it is finished."""
        said: Import | None = None
        while True:
            now = await self._read_import(request.import_id)
            if now != said:
                yield _import_message(now)
                said = now
            if now.is_finished:
                return
            await asyncio.sleep(self._import_watch_seconds)

    async def ListImports(self, request: pb.ListImportsRequest, context: Any) -> pb.ListImportsResponse:
        """List imports, newest first."""
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_imports(tx, before=str(key[0]) if key else "", limit=size + 1)
        page, token = cut_page(found, size, lambda one: (one.import_id,))
        return pb.ListImportsResponse(imports=map(_import_message, page), next_page_token=token)

    async def ListImportFaults(
        self, request: pb.ListImportFaultsRequest, context: Any
    ) -> pb.ListImportFaultsResponse:
        """List the lines that were refused, and those that were read with an assumption."""
        size = page_size_of(request.page_size)
        after = cast("tuple[int, str, str] | None", decode_page_token(request.page_token, int, str, str))
        async with self._database.transaction(current_caller().chain_id) as tx:
            await store.get_import(tx, request.import_id)
            found = await store.list_faults(tx, request.import_id, after=after, limit=size + 1)
        page, token = cut_page(found, size, lambda fault: (fault.line, fault.field, fault.reason))
        return pb.ListImportFaultsResponse(
            faults=[
                pb.ImportFault(
                    line=fault.line,
                    field=fault.field,
                    reason=fault.reason,
                    message=fault.message,
                    is_warning=fault.is_warning,
                )
                for fault in page
            ],
            next_page_token=token,
        )

    async def _read_import(self, import_id: str) -> Import:
        async with self._database.transaction(current_caller().chain_id) as tx:
            return await store.get_import(tx, import_id)


def _import_message(imported: Import) -> pb.Import:
    return pb.Import(
        import_id=imported.import_id,
        source=imported.source,
        file_name=imported.file_name,
        format=IMPORT_FORMATS.number(imported.format),
        delimiter=imported.delimiter,
        columns=imported.columns,
        store_id=imported.store_id,
        associate_ids=imported.associate_ids,
        state=IMPORT_STATES.number(imported.state),
        bytes_received=imported.progress.bytes_received,
        lines_read=imported.progress.lines_read,
        lines_refused=imported.progress.lines_refused,
        clients_created=imported.progress.clients_created,
        purchases_created=imported.progress.purchases_created,
        purchases_unchanged=imported.progress.purchases_unchanged,
        failure=imported.failure,
        create_time=timestamp_of(imported.created_at),
        finish_time=timestamp_of(imported.finished_at),
        encoding=imported.encoding,
        date_order=DATE_ORDERS.number(imported.date_order),
        import_mapping_id=imported.import_mapping_id,
        resume_offset=imported.checkpoint.offset,
        clients_updated=imported.progress.clients_updated,
        conflicts=imported.progress.conflicts,
        lines_suppressed=imported.progress.lines_suppressed,
    )
