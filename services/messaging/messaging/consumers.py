"""What messaging does when profiles says something."""

import structlog
from carnet.profiles.v1 import events_pb2, profiles_pb2

from chassis.clock import Clock
from chassis.consumer import Delivery, Handlers
from chassis.errors import Kind, ServiceError
from messaging.clients import Profiles
from messaging.store import conversations
from messaging.use_cases.permissions import record_consent

_log = structlog.get_logger(__name__)


def handlers(*, profiles: Profiles, clock: Clock) -> Handlers:
    """Return a handler for each event that messaging listens to."""

    async def on_consent_captured(delivery: Delivery[events_pb2.ConsentCaptured]) -> None:
        event = delivery.event
        if event.channel != profiles_pb2.CHANNEL_SMS:
            delivery.ignore()
            return
        try:
            consent = await profiles.get_consent(delivery.chain_id, event.consent_id)
        except ServiceError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            # The client was removed since, and the wording with it: a grant without evidence is none.
            _log.info("consent is gone", consent_id=event.consent_id)
            delivery.ignore()
            return
        async with delivery.transaction() as tx:
            await record_consent(tx, consent, now=clock.now())

    async def on_client_deleted(delivery: Delivery[events_pb2.ClientDeleted]) -> None:
        async with delivery.transaction() as tx:
            await conversations.forget_client(tx, delivery.event.client_id)

    return {
        events_pb2.ConsentCaptured: on_consent_captured,
        events_pb2.ClientDeleted: on_client_deleted,
    }
