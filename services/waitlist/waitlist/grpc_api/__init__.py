"""The contracts' RPCs, one module a contract: proto -> arguments -> use case -> proto."""

from waitlist.grpc_api.client_records import ClientRecordsServicer
from waitlist.grpc_api.waitlist import WaitlistServicer

__all__ = ["ClientRecordsServicer", "WaitlistServicer"]
