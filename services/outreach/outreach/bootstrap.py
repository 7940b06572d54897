"""Put the outreach service together from its settings. The one place where its objects are made."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from carnet.outreach.v1 import (
    campaigns_pb2_grpc,
    catalogue_pb2_grpc,
    outreach_pb2_grpc,
    reports_pb2_grpc,
)
from carnet.privacy.v1 import privacy_pb2_grpc

from chassis.clock import Clock
from chassis.consumer import Subscription
from chassis.runtime import Background, every
from chassis.service import Foundation, Service
from outreach.clients import GrpcMessaging, GrpcProfiles, GrpcSegments
from outreach.config import Settings
from outreach.consumers import handlers
from outreach.draft_model import HttpDraftModel
from outreach.event_sets import sets
from outreach.grpc_api import (
    CampaignsServicer,
    CatalogueServicer,
    ClientRecordsServicer,
    OutreachServicer,
    ReportsServicer,
)
from outreach.jobs import JobQueue
from outreach.ranking_jobs import RankingJobs
from outreach.use_cases import automated_texts, campaign_sending
from outreach.use_cases.counting import count_left_behind
from outreach.use_cases.learning import learn_from_outcomes
from outreach.use_cases.scoring import score_waiting_chains
from outreach.use_cases.shelf_news import follow_news

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Return the service, ready to run; nothing connects yet."""
    foundation = Foundation.lay("outreach", settings, clock=clock)
    profiles_channel = foundation.channel(settings.profiles_address)
    profiles = GrpcProfiles(profiles_channel)
    segments = GrpcSegments(profiles_channel)
    messaging = GrpcMessaging(foundation.channel(settings.messaging_address))
    common: dict[str, Any] = {
        "database": foundation.database,
        "clock": foundation.clock,
        "profiles": profiles,
        "messaging": messaging,
        "settings": settings,
    }
    model = (
        HttpDraftModel(
            endpoint=settings.draft_endpoint,
            model=settings.draft_model,
            api_key=settings.draft_api_key,
            timeout_seconds=settings.draft_timeout_seconds,
            clock=foundation.clock,
        )
        if settings.draft_endpoint
        else None
    )
    outreach = OutreachServicer(**common, model=model)
    catalogue = CatalogueServicer(**common)
    campaigns = CampaignsServicer(**common, segments=segments)
    reports = ReportsServicer(**common)

    automated_sender = automated_texts.AutomatedSender(
        database=foundation.database,
        clock=foundation.clock,
        profiles=profiles,
        messaging=messaging,
        speak_for=lambda chain_id: foundation.signer.service_caller(chain_id, automated_texts.SCOPES),
    )
    campaign_sender = campaign_sending.Sender(
        database=foundation.database,
        clock=foundation.clock,
        naming=profiles,
        segments=segments,
        messaging=messaging,
        speak_for=lambda chain_id: foundation.signer.service_caller(chain_id, campaign_sending.SCOPES),
    )

    jobs = RankingJobs(
        JobQueue(foundation.broker, replicas=settings.stream_replicas),
        foundation.database,
        foundation.clock,
        settings,
    )

    async def score() -> None:
        await score_waiting_chains(
            database=foundation.database,
            clock=foundation.clock,
            nightly_hour=settings.nightly_hour,
            queue_size=settings.queue_size,
            replay_hold=timedelta(hours=settings.replay_hold_hours),
            slice_clients=settings.slice_clients,
            put_slices=jobs.put_slices,
        )

    return foundation.service(
        contracts={
            "carnet.outreach.v1.OutreachService": lambda server: (
                outreach_pb2_grpc.add_OutreachServiceServicer_to_server(outreach, server)
            ),
            "carnet.outreach.v1.CatalogueService": lambda server: (
                catalogue_pb2_grpc.add_CatalogueServiceServicer_to_server(catalogue, server)
            ),
            "carnet.outreach.v1.CampaignsService": lambda server: (
                campaigns_pb2_grpc.add_CampaignsServiceServicer_to_server(campaigns, server)
            ),
            "carnet.outreach.v1.ReportsService": lambda server: (
                reports_pb2_grpc.add_ReportsServiceServicer_to_server(reports, server)
            ),
            "carnet.privacy.v1.ClientRecordsService": lambda server: (
                privacy_pb2_grpc.add_ClientRecordsServiceServicer_to_server(
                    ClientRecordsServicer(foundation.database), server
                )
            ),
        },
        subscriptions=[
            Subscription("facts", handlers(foundation.clock, settings), sets=sets(foundation.clock))
        ],
        components=[
            *([model] if model else []),
            Background("scoring", every(settings.scoring_poll_seconds, score)),
            Background(
                "counting",
                every(
                    settings.scoring_poll_seconds,
                    lambda: count_left_behind(database=foundation.database, clock=foundation.clock),
                ),
            ),
            Background(
                "learning",
                every(
                    settings.scoring_poll_seconds,
                    lambda: learn_from_outcomes(database=foundation.database, clock=foundation.clock),
                ),
            ),
            *jobs.components(),
            Background(
                "arrivals",
                every(
                    settings.scoring_poll_seconds,
                    lambda: follow_news(database=foundation.database, clock=foundation.clock),
                ),
            ),
            Background(
                "automated texts",
                every(
                    settings.automated_poll_seconds,
                    lambda: automated_texts.send_automated_texts(automated_sender),
                ),
            ),
            Background(
                "campaigns",
                every(
                    settings.sending_poll_seconds, lambda: campaign_sending.work_campaigns(campaign_sender)
                ),
            ),
        ],
    )
