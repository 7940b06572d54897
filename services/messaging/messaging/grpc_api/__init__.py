"""The contracts' side of messaging, one module a contract: messages to arguments, results to messages."""

from messaging.grpc_api.client_records import ClientRecordsServicer
from messaging.grpc_api.messaging import MessagingServicer

__all__ = ["ClientRecordsServicer", "MessagingServicer"]
