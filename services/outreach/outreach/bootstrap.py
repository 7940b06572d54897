"""Put the outreach service together from its settings. The one place where its objects are made."""

from datetime import timedelta
from pathlib import Path

from carnet.outreach.v1 import outreach_pb2_grpc
from carnet.privacy.v1 import privacy_pb2_grpc

from chassis.clock import Clock
from chassis.consumer import Subscription
from chassis.runtime import Background, every
from chassis.service import Foundation, Service
from outreach.clients import GrpcMessaging, GrpcProfiles
from outreach.config import Settings
from outreach.consumers import handlers
from outreach.grpc_api import ClientRecordsServicer, OutreachServicer
from outreach.use_cases.scoring import score_waiting_chains

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Return the service, ready to run; nothing connects yet."""
    foundation = Foundation.lay("outreach", settings, clock=clock)
    servicer = OutreachServicer(
        database=foundation.database,
        clock=foundation.clock,
        profiles=GrpcProfiles(foundation.channel(settings.profiles_address)),
        messaging=GrpcMessaging(foundation.channel(settings.messaging_address)),
        settings=settings,
    )

    async def score() -> None:
        await score_waiting_chains(
            database=foundation.database,
            clock=foundation.clock,
            nightly_hour=settings.nightly_hour,
            queue_size=settings.queue_size,
            replay_hold=timedelta(hours=settings.replay_hold_hours),
        )

    return foundation.service(
        contracts={
            "carnet.outreach.v1.OutreachService": lambda server: (
                outreach_pb2_grpc.add_OutreachServiceServicer_to_server(servicer, server)
            ),
            "carnet.privacy.v1.ClientRecordsService": lambda server: (
                privacy_pb2_grpc.add_ClientRecordsServiceServicer_to_server(
                    ClientRecordsServicer(foundation.database), server
                )
            ),
        },
        subscriptions=[Subscription("facts", handlers(foundation.clock, settings))],
        components=[Background("scoring", every(settings.scoring_poll_seconds, score))],
    )
