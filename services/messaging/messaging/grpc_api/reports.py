"""The contract's side of messaging's reports."""

from typing import Any

from carnet.messaging.v1 import reports_pb2_grpc

from messaging.parts import Parts

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class MessagingReportsServicer(reports_pb2_grpc.MessagingReportsServiceServicer):
    """Serves carnet.messaging.v1.MessagingReportsService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
