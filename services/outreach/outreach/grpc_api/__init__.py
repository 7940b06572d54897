"""The contracts' RPCs, one module a contract: proto to arguments, one use case, back to proto."""

from outreach.grpc_api.campaigns import CampaignsServicer
from outreach.grpc_api.catalogue import CatalogueServicer
from outreach.grpc_api.client_records import ClientRecordsServicer
from outreach.grpc_api.outreach import OutreachServicer
from outreach.grpc_api.reports import ReportsServicer

__all__ = [
    "CampaignsServicer",
    "CatalogueServicer",
    "ClientRecordsServicer",
    "OutreachServicer",
    "ReportsServicer",
]
