"""The contract's side of templates."""

from typing import Any

from carnet.messaging.v1 import templates_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class TemplatesServicer(templates_pb2_grpc.TemplatesServiceServicer):
    """Serves carnet.messaging.v1.TemplatesService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
