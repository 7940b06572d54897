"""The contracts' side of messaging, one module a contract: messages to arguments, results to messages."""

from messaging.grpc_api.bulk import BulkSendsServicer
from messaging.grpc_api.client_records import ClientRecordsServicer
from messaging.grpc_api.conversations import ConversationsServicer
from messaging.grpc_api.gate import GateServicer
from messaging.grpc_api.media import MediaServicer
from messaging.grpc_api.messaging import MessagingServicer
from messaging.grpc_api.outside import OutsideServicer
from messaging.grpc_api.reports import MessagingReportsServicer
from messaging.grpc_api.senders import SendersServicer
from messaging.grpc_api.templates import TemplatesServicer

__all__ = [
    "BulkSendsServicer",
    "ClientRecordsServicer",
    "ConversationsServicer",
    "GateServicer",
    "MediaServicer",
    "MessagingReportsServicer",
    "MessagingServicer",
    "OutsideServicer",
    "SendersServicer",
    "TemplatesServicer",
]
