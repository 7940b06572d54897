"""The contract's side of working on conversations."""

from typing import Any

from carnet.messaging.v1 import conversations_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class ConversationsServicer(conversations_pb2_grpc.ConversationsServiceServicer):
    """Serves carnet.messaging.v1.ConversationsService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
