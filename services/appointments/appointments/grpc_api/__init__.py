"""The contracts' RPCs, one module a contract: proto -> arguments -> use case -> proto."""

from appointments.grpc_api.appointments import AppointmentsServicer
from appointments.grpc_api.client_records import ClientRecordsServicer

__all__ = ["AppointmentsServicer", "ClientRecordsServicer"]
