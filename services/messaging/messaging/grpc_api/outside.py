"""The contract's side of what comes from parties outside."""

from typing import Any

from carnet.messaging.v1 import outside_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class OutsideServicer(outside_pb2_grpc.OutsideServiceServicer):
    """Serves carnet.messaging.v1.OutsideService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
