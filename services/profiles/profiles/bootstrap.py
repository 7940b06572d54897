"""Put the profiles service together."""

from functools import partial

from carnet.profiles.v1 import (
    duplicates_pb2_grpc,
    privacy_pb2_grpc,
    profiles_pb2_grpc,
    records_pb2_grpc,
    segments_pb2_grpc,
    sync_pb2_grpc,
)
from cryptography.fernet import Fernet

from chassis.clock import Clock
from chassis.consumer import Subscription
from chassis.object_removals import sweep_objects
from chassis.objects import open_objects
from chassis.runtime import Background, Component, every
from chassis.service import Foundation, Service
from profiles.config import Settings
from profiles.connectors.http import HttpClient
from profiles.consumers import timeline_handlers
from profiles.grpc_api import (
    DuplicatesServicer,
    PrivacyServicer,
    ProfilesServicer,
    RecordsServicer,
    SegmentsServicer,
    SyncServicer,
)
from profiles.receipts import receipt_handlers
from profiles.record_keepers import GrpcRecordKeepers
from profiles.suppression import Suppressor
from profiles.use_cases.connectors import Dialling, work_once
from profiles.use_cases.erasures import count_overdue, delete_expired
from profiles.use_cases.exports import ExportWorker
from profiles.use_cases.matching import match_all
from profiles.use_cases.merges import forget_old_merges
from profiles.use_cases.search_queue import work_off_left_behind

_HOUR = 3600.0
_MINUTE = 60.0


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Return the whole service; nothing runs yet."""
    foundation = Foundation.lay("profiles", settings, clock=clock)
    database, clock = foundation.database, foundation.clock
    suppressor = Suppressor(settings.suppression_key)
    profiles = ProfilesServicer(
        database,
        clock,
        suppressor=suppressor,
        import_batch_lines=settings.import_batch_lines,
        import_watch_seconds=settings.import_watch_seconds,
    )
    objects = open_objects(settings)
    records = RecordsServicer(
        database, clock, objects=objects, attachment_max_bytes=settings.attachment_max_bytes
    )
    duplicates = DuplicatesServicer(database, clock)
    segments = SegmentsServicer(database, clock)
    http = HttpClient()
    dialling = Dialling(
        http.client,
        api_url=settings.business_central_url,
        sign_in_url=settings.business_central_sign_in_url,
        fernet=Fernet(settings.encryption_key),
        clock=clock,
    )
    sync = SyncServicer(database, clock, dialling=dialling)

    async def run_connectors() -> None:
        while await work_once(
            database=database,
            clock=clock,
            dialling=dialling,
            suppressor=suppressor,
            actor="service:profiles",
            batch_lines=settings.import_batch_lines,
        ):
            pass

    privacy = PrivacyServicer(database, clock, objects=objects, suppressor=suppressor)
    exports = ExportWorker(
        database,
        clock,
        objects,
        GrpcRecordKeepers(
            {
                "outreach": foundation.channel(settings.outreach_address),
                "messaging": foundation.channel(settings.messaging_address),
                "waitlist": foundation.channel(settings.waitlist_address),
                "appointments": foundation.channel(settings.appointments_address),
            },
            foundation.signer,
        ),
    )

    async def see_to_erasures() -> None:
        await delete_expired(database=database, clock=clock)
        await count_overdue(database=database, clock=clock)

    components: list[Component] = [
        Background(
            "object removal",
            every(
                settings.objects_sweep_seconds,
                lambda: sweep_objects(database=database, clock=clock, objects=objects),
            ),
        ),
        http,
        Background("exports", every(settings.privacy_poll_seconds, exports.gather_due)),
        Background("export expiry", every(settings.privacy_poll_seconds, exports.expire_due)),
        Background("erasures", every(settings.privacy_poll_seconds, see_to_erasures)),
        Background(
            "matching",
            every(settings.duplicate_poll_seconds, lambda: match_all(database=database, clock=clock)),
        ),
        Background(
            "old merges",
            every(_HOUR, lambda: forget_old_merges(database=database, clock=clock)),
        ),
        Background(
            "search words",
            every(_MINUTE, lambda: work_off_left_behind(database=database, clock=clock)),
        ),
        Background("connectors", every(settings.connector_poll_seconds, run_connectors)),
    ]
    return foundation.service(
        contracts={
            "carnet.profiles.v1.ProfilesService": partial(
                profiles_pb2_grpc.add_ProfilesServiceServicer_to_server, profiles
            ),
            "carnet.profiles.v1.RecordsService": partial(
                records_pb2_grpc.add_RecordsServiceServicer_to_server, records
            ),
            "carnet.profiles.v1.DuplicatesService": partial(
                duplicates_pb2_grpc.add_DuplicatesServiceServicer_to_server, duplicates
            ),
            "carnet.profiles.v1.SegmentsService": partial(
                segments_pb2_grpc.add_SegmentsServiceServicer_to_server, segments
            ),
            "carnet.profiles.v1.SyncService": partial(sync_pb2_grpc.add_SyncServiceServicer_to_server, sync),
            "carnet.profiles.v1.PrivacyService": partial(
                privacy_pb2_grpc.add_PrivacyServiceServicer_to_server, privacy
            ),
        },
        subscriptions=[
            Subscription("timeline", timeline_handlers()),
            Subscription("erasures", receipt_handlers()),
        ],
        components=components,
    )
