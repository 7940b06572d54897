"""The contract's side of the chain's own rules, and of the evidence."""

from typing import Any

from carnet.messaging.v1 import gate_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class GateServicer(gate_pb2_grpc.GateServiceServicer):
    """Serves carnet.messaging.v1.GateService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
