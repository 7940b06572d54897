"""The other services as keepers of records of a client: asked one page after the other, each for its own part."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import grpc
from carnet.privacy.v1 import privacy_pb2, privacy_pb2_grpc

from chassis.caller import METADATA_KEY, CallerSigner

_SCOPE = "records:export"
_PAGE_SIZE = 500


class RecordKeepers(Protocol):
    """What an export asks of the other services."""

    async def list_records(
        self, service: str, chain_id: str, client_ids: Sequence[str], page_token: str
    ) -> privacy_pb2.ListClientRecordsResponse:
        """Return a page of what a service keeps of a client. Raises ServiceError."""
        ...


class GrpcRecordKeepers:
    """The real services, over gRPC."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], signer: CallerSigner) -> None:
        self._stubs = {
            service: privacy_pb2_grpc.ClientRecordsServiceStub(channel)
            for service, channel in channels.items()
        }
        self._signer = signer

    async def list_records(
        self, service: str, chain_id: str, client_ids: Sequence[str], page_token: str
    ) -> privacy_pb2.ListClientRecordsResponse:
        """Ask one service as ourselves: nobody's own scopes reach into all of them."""
        caller = self._signer.service_caller(chain_id, frozenset({_SCOPE}))
        answer: privacy_pb2.ListClientRecordsResponse = await self._stubs[service].ListClientRecords(
            privacy_pb2.ListClientRecordsRequest(
                client_ids=client_ids, page_size=_PAGE_SIZE, page_token=page_token
            ),
            metadata=((METADATA_KEY, caller.token),),
        )
        return answer
