"""Import mappings, samples and reports on the wire."""

from collections.abc import AsyncIterator
from typing import Any, cast

from carnet.profiles.v1 import sync_pb2 as pb
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.import_mappings import ImportMapping
from profiles.store import import_mappings as store
from profiles.use_cases import import_mappings as use_cases
from profiles.use_cases import import_reports
from profiles.vocabulary import DATE_ORDERS, IMPORT_FORMATS


class ImportMappingCalls:
    """The RPCs on import mappings, and on what a file looks like before and after an import."""

    _database: Database
    _clock: Clock

    async def CreateImportMapping(
        self, request: pb.CreateImportMappingRequest, context: Any
    ) -> pb.ImportMapping:
        """Save how a source's files are to be read."""
        mapping = await use_cases.create_mapping(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            fields=_fields(request),
        )
        return _mapping_message(mapping)

    async def GetImportMapping(self, request: pb.GetImportMappingRequest, context: Any) -> pb.ImportMapping:
        """Read one mapping."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _mapping_message(await store.get_mapping(tx, request.import_mapping_id))

    async def ListImportMappings(
        self, request: pb.ListImportMappingsRequest, context: Any
    ) -> pb.ListImportMappingsResponse:
        """List mappings by name."""
        size = page_size_of(request.page_size)
        after = cast("tuple[str, str] | None", decode_page_token(request.page_token, str, str))
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_mappings(tx, after=after, limit=size + 1)
        page, token = cut_page(found, size, lambda one: (one.display_name, one.import_mapping_id))
        return pb.ListImportMappingsResponse(
            import_mappings=map(_mapping_message, page), next_page_token=token
        )

    async def UpdateImportMapping(
        self, request: pb.UpdateImportMappingRequest, context: Any
    ) -> pb.ImportMapping:
        """Put another content into a mapping."""
        mapping = await use_cases.update_mapping(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            import_mapping_id=request.import_mapping_id,
            fields=_fields(request),
        )
        return _mapping_message(mapping)

    async def DeleteImportMapping(self, request: pb.DeleteImportMappingRequest, context: Any) -> Empty:
        """Forget a mapping."""
        await use_cases.delete_mapping(
            database=self._database, caller=current_caller(), import_mapping_id=request.import_mapping_id
        )
        return Empty()

    async def InspectImportSample(
        self, request: pb.InspectImportSampleRequest, context: Any
    ) -> pb.InspectImportSampleResponse:
        """Say how the beginning of a file would be read."""
        sample = await use_cases.inspect_sample(
            database=self._database,
            caller=current_caller(),
            sample=request.sample,
            store_id=request.store_id,
        )
        return pb.InspectImportSampleResponse(
            format=IMPORT_FORMATS.number(sample.format),
            encoding=sample.encoding,
            delimiter=sample.delimiter,
            date_order=DATE_ORDERS.number(sample.date_order),
            columns=[
                pb.InspectedColumn(
                    column=column.name, field=column.field, samples=column.samples, remarks=column.remarks
                )
                for column in sample.columns
            ],
        )

    async def DownloadImportReport(
        self, request: pb.DownloadImportReportRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        """Read the report of an import as a CSV file."""
        pieces = import_reports.report_of(
            database=self._database, caller=current_caller(), import_id=request.import_id
        )
        async for piece in pieces:
            yield HttpBody(content_type="text/csv; charset=utf-8", data=piece)


def _fields(
    request: pb.CreateImportMappingRequest | pb.UpdateImportMappingRequest,
) -> use_cases.MappingFields:
    return use_cases.MappingFields(
        display_name=request.display_name,
        source=request.source,
        format=IMPORT_FORMATS.word(request.format, "format"),
        delimiter=request.delimiter,
        columns=dict(request.columns),
        date_order=DATE_ORDERS.optional(request.date_order),
        encoding=request.encoding,
    )


def _mapping_message(mapping: ImportMapping) -> pb.ImportMapping:
    return pb.ImportMapping(
        import_mapping_id=mapping.import_mapping_id,
        display_name=mapping.display_name,
        source=mapping.source,
        format=IMPORT_FORMATS.number(mapping.format),
        delimiter=mapping.delimiter,
        columns=mapping.columns,
        date_order=DATE_ORDERS.number(mapping.date_order),
        encoding=mapping.encoding,
        create_time=timestamp_of(mapping.created_at),
        update_time=timestamp_of(mapping.updated_at),
    )
