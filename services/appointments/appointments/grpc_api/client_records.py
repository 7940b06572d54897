"""What appointments keeps of a client, told for an export. Must not decide what is whose; `store.records` does."""

from typing import Any

from carnet.privacy.v1 import privacy_pb2 as pb
from carnet.privacy.v1 import privacy_pb2_grpc

from appointments.store.records import SECTIONS
from chassis import identities
from chassis.caller import current_caller
from chassis.database import Database
from chassis.sections import read_sections

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class ClientRecordsServicer(privacy_pb2_grpc.ClientRecordsServiceServicer):
    """Serves carnet.privacy.v1.ClientRecordsService."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ListClientRecords(
        self, request: pb.ListClientRecordsRequest, context: _Context
    ) -> pb.ListClientRecordsResponse:
        async with self._database.transaction(current_caller().chain_id) as tx:
            told, token = await read_sections(
                tx,
                SECTIONS,
                {"ids": await identities.whole(tx, request.client_ids)},
                page_size=request.page_size,
                page_token=request.page_token,
            )
        response = pb.ListClientRecordsResponse(next_page_token=token)
        for section, fields in told:
            response.records.add(section=section).fields.update(fields)
        return response
