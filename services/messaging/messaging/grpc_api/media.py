"""The contract's side of pictures."""

from typing import Any

from carnet.messaging.v1 import media_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class MediaServicer(media_pb2_grpc.MediaServiceServicer):
    """Serves carnet.messaging.v1.MediaService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
