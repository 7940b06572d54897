"""Put the profiles service together."""

from carnet.profiles.v1 import profiles_pb2_grpc

from chassis.clock import Clock
from chassis.consumer import Subscription
from chassis.service import Foundation, Service
from profiles.config import Settings
from profiles.consumers import timeline_handlers
from profiles.grpc_api import ProfilesServicer


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """Return the whole service; nothing runs yet."""
    foundation = Foundation.lay("profiles", settings, clock=clock)
    servicer = ProfilesServicer(
        foundation.database,
        foundation.clock,
        import_batch_lines=settings.import_batch_lines,
        import_watch_seconds=settings.import_watch_seconds,
    )
    return foundation.service(
        contract="carnet.profiles.v1.ProfilesService",
        register=lambda server: profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(servicer, server),
        subscriptions=[Subscription("timeline", timeline_handlers())],
    )
