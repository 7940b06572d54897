"""Puts the appointments service together; the one place where its objects are made."""

from datetime import timedelta
from pathlib import Path

from carnet.appointments.v1 import appointments_pb2_grpc
from carnet.privacy.v1 import privacy_pb2_grpc

from appointments.config import Settings
from appointments.consumers import subscriptions
from appointments.grpc_api import AppointmentsServicer, ClientRecordsServicer
from chassis.clock import Clock
from chassis.service import Foundation, Service

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Return the service; nothing connects yet."""
    foundation = Foundation.lay("appointments", settings, clock=clock)
    servicer = AppointmentsServicer(
        foundation.database,
        foundation.clock,
        buffer=timedelta(minutes=settings.buffer_minutes),
        grid=timedelta(minutes=settings.slot_grid_minutes),
    )
    return foundation.service(
        contracts={
            "carnet.appointments.v1.AppointmentsService": lambda server: (
                appointments_pb2_grpc.add_AppointmentsServiceServicer_to_server(servicer, server)
            ),
            "carnet.privacy.v1.ClientRecordsService": lambda server: (
                privacy_pb2_grpc.add_ClientRecordsServiceServicer_to_server(
                    ClientRecordsServicer(foundation.database), server
                )
            ),
        },
        subscriptions=subscriptions(foundation.clock),
    )
