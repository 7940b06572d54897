"""The contract's side of senders and brand registrations."""

from typing import Any

from carnet.messaging.v1 import senders_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class SendersServicer(senders_pb2_grpc.SendersServiceServicer):
    """Serves carnet.messaging.v1.SendersService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
