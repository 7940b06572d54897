"""The contract's side of bulk sends."""

from typing import Any

from carnet.messaging.v1 import bulk_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class BulkSendsServicer(bulk_pb2_grpc.BulkSendsServiceServicer):
    """Serves carnet.messaging.v1.BulkSendsService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
