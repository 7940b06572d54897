"""The contracts' RPCs, one module a contract: proto to arguments, one use case, back to proto."""

from outreach.grpc_api.client_records import ClientRecordsServicer
from outreach.grpc_api.outreach import OutreachServicer

__all__ = ["ClientRecordsServicer", "OutreachServicer"]
