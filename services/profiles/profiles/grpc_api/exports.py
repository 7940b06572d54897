"""Exports on the wire."""

from collections.abc import AsyncIterator
from typing import Any

from carnet.profiles.v1 import privacy_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.objects import ObjectStore
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.exports import Export, ExportAudience
from profiles.store import clients as client_store
from profiles.store import exports as store
from profiles.use_cases import exports as use_cases
from profiles.vocabulary import EXPORT_AUDIENCES, EXPORT_STATES


class ExportCalls:
    """The RPCs on exports."""

    _database: Database
    _clock: Clock
    _objects: ObjectStore

    async def CreateExport(self, request: pb.CreateExportRequest, context: Any) -> pb.Export:
        """Order an archive of everything that is kept of a client."""
        return _export_message(
            await use_cases.create_export(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                audience=EXPORT_AUDIENCES.optional(request.audience) or ExportAudience.CLIENT,
            )
        )

    async def GetExport(self, request: pb.GetExportRequest, context: Any) -> pb.Export:
        """Read how far an export is."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _export_message(await store.get_export(tx, request.export_id))

    async def ListExports(self, request: pb.ListExportsRequest, context: Any) -> pb.ListExportsResponse:
        """List exports, newest first."""
        size = page_size_of(request.page_size)
        (before,) = decode_page_token(request.page_token, str) or ("",)
        async with self._database.transaction(current_caller().chain_id) as tx:
            client_id = await client_store.require_client(tx, request.client_id) if request.client_id else ""
            found = await store.list_exports(tx, client_id, before=str(before), limit=size + 1)
        page, token = cut_page(found, size, lambda export: (export.export_id,))
        return pb.ListExportsResponse(exports=map(_export_message, page), next_page_token=token)

    async def DownloadExport(
        self, request: pb.DownloadExportRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        """Read the archive."""
        chunks = await use_cases.open_archive(
            database=self._database,
            clock=self._clock,
            objects=self._objects,
            caller=current_caller(),
            export_id=request.export_id,
        )
        async for piece in chunks:
            yield HttpBody(content_type="application/zip", data=piece)


def _export_message(export: Export) -> pb.Export:
    return pb.Export(
        export_id=export.export_id,
        client_id=export.client_id,
        audience=EXPORT_AUDIENCES.number(export.audience),
        state=EXPORT_STATES.number(export.state),
        parts=[
            pb.ExportPart(service=part.service, record_count=part.record_count, is_done=part.is_done)
            for part in export.parts
        ],
        byte_count=export.byte_count,
        failure=export.failure,
        actor=export.actor,
        create_time=timestamp_of(export.created_at),
        finish_time=timestamp_of(export.finished_at),
        expire_time=timestamp_of(export.expires_at),
    )
