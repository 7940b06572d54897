"""Puts the waitlist service together; the one place where its objects are made."""

from pathlib import Path

from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.waitlist.v1 import waitlist_pb2_grpc

from chassis.clock import Clock
from chassis.runtime import Background, every
from chassis.service import Foundation, Service
from waitlist.config import Settings
from waitlist.consumers import subscriptions
from waitlist.grpc_api import ClientRecordsServicer, WaitlistServicer
from waitlist.use_cases.offers import sweep_offers

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Return the service; nothing connects yet."""
    foundation = Foundation.lay("waitlist", settings, clock=clock)
    servicer = WaitlistServicer(foundation.database, foundation.clock)
    sweep = every(
        settings.offer_sweep_seconds,
        lambda: sweep_offers(database=foundation.database, clock=foundation.clock),
    )
    return foundation.service(
        contracts={
            "carnet.waitlist.v1.WaitlistService": lambda server: (
                waitlist_pb2_grpc.add_WaitlistServiceServicer_to_server(servicer, server)
            ),
            "carnet.privacy.v1.ClientRecordsService": lambda server: (
                privacy_pb2_grpc.add_ClientRecordsServiceServicer_to_server(
                    ClientRecordsServicer(foundation.database), server
                )
            ),
        },
        subscriptions=subscriptions(foundation.clock),
        components=[Background("offer sweeper", sweep)],
    )
