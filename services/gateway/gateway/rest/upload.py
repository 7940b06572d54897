"""The one upload: a file of any size into profiles, a chunk at a time. The only RPC that REST does not derive."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import orjson
from carnet.profiles.v1 import profiles_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.grpc_errors import error_of
from gateway.rest.admission import Admission
from gateway.rest.codec import render

PATH = "/v1/imports/{import_id}/content"
_CHUNK = 256 * 1024
_PATH = "/carnet.profiles.v1.ProfilesService/UploadImportContent"


class Upload:
    """Streams a request's body into UploadImportContent; the next piece is read when the last one was taken."""

    def __init__(self, channel: grpc.aio.Channel, admission: Admission) -> None:
        self._admission = admission
        self._call: Any = channel.stream_unary(
            _PATH,
            request_serializer=profiles_pb2.UploadImportContentRequest.SerializeToString,
            response_deserializer=profiles_pb2.Import.FromString,
        )

    async def __call__(self, request: Request) -> Response:
        """Answer the import when its last line is through. Raises ServiceError."""
        await self._admission.admit(request)
        try:
            answer = await self._call(_chunks(request, request.path_params["import_id"]))
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure) from failure
        return Response(orjson.dumps(render(answer)), media_type="application/json")


async def _chunks(request: Request, import_id: str) -> AsyncIterator[profiles_pb2.UploadImportContentRequest]:
    yield profiles_pb2.UploadImportContentRequest(import_id=import_id)
    # Small pieces are gathered: a message per packet of the network would cost more than the import itself.
    gathered = bytearray()
    async for part in request.stream():
        gathered += part
        while len(gathered) >= _CHUNK:
            yield profiles_pb2.UploadImportContentRequest(content=bytes(gathered[:_CHUNK]))
            del gathered[:_CHUNK]
    if gathered:
        yield profiles_pb2.UploadImportContentRequest(content=bytes(gathered))
