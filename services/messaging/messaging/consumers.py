"""What messaging does when profiles says something, and once it has taken in a text itself.

Who is to see to a new conversation is asked of profiles, which a text must not wait for: so it is heard of here.
"""

import structlog
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.profiles.v1 import events_pb2

from chassis.clock import Clock
from chassis.consumer import Delivery, Handlers
from chassis.database import Database
from chassis.errors import Kind, ServiceError
from messaging.clients import Consent, Profiles, Recipient
from messaging.domain import Purpose
from messaging.providers.sandbox import Sandbox
from messaging.staff import Staff
from messaging.store import conversations, erasures
from messaging.store.settings import get_settings
from messaging.suppression import Suppressor
from messaging.use_cases import identities
from messaging.use_cases.confirmations import ask_to_confirm
from messaging.use_cases.conversations import find_handover, hand_over
from messaging.use_cases.permissions import record_consent

_log = structlog.get_logger(__name__)


def handlers(
    *,
    database: Database,
    profiles: Profiles,
    clock: Clock,
    suppressor: Suppressor,
    sandbox: Sandbox | None = None,
) -> Handlers:
    """Return a handler for each event that messaging listens to."""

    async def on_consent_captured(delivery: Delivery[events_pb2.ConsentCaptured]) -> None:
        event = delivery.event
        try:
            consent = await profiles.get_consent(delivery.chain_id, event.consent_id)
        except ServiceError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            # The client was removed since, and the wording with it: a grant without evidence is none.
            _log.info("consent is gone", consent_id=event.consent_id)
            delivery.ignore()
            return
        asks = await wants_confirmation(delivery.chain_id, consent)
        recipient = await find_recipient(delivery.chain_id, event.client_id) if asks else None
        async with delivery.transaction() as tx:
            is_to_be_asked = await record_consent(
                tx, consent, client_id=event.client_id, suppressor=suppressor, now=clock.now()
            )
            if is_to_be_asked:
                await ask_to_confirm(
                    tx,
                    suppressor=suppressor,
                    phone=consent.phone,
                    channel=consent.channel,
                    client_id=event.client_id,
                    client_zone="" if recipient is None else recipient.place,
                    store_id="" if recipient is None else recipient.home_store_id,
                    now=clock.now(),
                )

    async def wants_confirmation(chain_id: str, consent: Consent) -> bool:
        if Purpose.MARKETING not in consent.purposes or not consent.channel.takes_phones:
            return False
        async with database.transaction(chain_id) as tx:
            return (await get_settings(tx)).double_opt_in

    async def on_client_deleted(delivery: Delivery[events_pb2.ClientDeleted]) -> None:
        async with delivery.transaction() as tx:
            await conversations.forget_client(tx, delivery.event.client_id)

    async def on_client_merged(delivery: Delivery[events_pb2.ClientMerged]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await identities.merge_clients(
                tx, event.merge_id, surviving_id=event.client.client_id, merged_id=event.merged_client_id
            )

    async def on_client_unmerged(delivery: Delivery[events_pb2.ClientUnmerged]) -> None:
        event = delivery.event
        surviving_id, restored_id = event.client.client_id, event.restored.client_id
        survivor = await find_recipient(delivery.chain_id, surviving_id)
        restored = await find_recipient(delivery.chain_id, restored_id)
        phones = set(restored.phones if restored else ()) - set(survivor.phones if survivor else ())
        async with delivery.transaction() as tx:
            await identities.unmerge_clients(
                tx,
                event.merge_id,
                surviving_id=surviving_id,
                restored_id=restored_id,
                restored_phones=phones,
                now=clock.now(),
            )

    async def find_recipient(chain_id: str, client_id: str) -> Recipient | None:
        try:
            found = await profiles.get_recipient(chain_id, client_id)
        except ServiceError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            return None  # removed or erased since
        return found if found.client_id == client_id else None  # merged again since

    async def on_client_erased(delivery: Delivery[events_pb2.ClientErased]) -> None:
        event = delivery.event
        if sandbox is not None:
            async with database.transaction(delivery.chain_id) as tx:
                numbers = await erasures.numbers_of(tx, [event.client_id, *event.former_client_ids])
            await sandbox.forget_phones(delivery.chain_id, [phone for phone, shared in numbers if not shared])
        async with delivery.transaction() as tx:
            await identities.forget_client(
                tx,
                erasure_id=event.erasure_id,
                client_id=event.client_id,
                former_client_ids=event.former_client_ids,
                suppressor=suppressor,
            )

    return {
        events_pb2.ConsentCaptured: on_consent_captured,
        events_pb2.ClientDeleted: on_client_deleted,
        events_pb2.ClientMerged: on_client_merged,
        events_pb2.ClientUnmerged: on_client_unmerged,
        events_pb2.ClientErased: on_client_erased,
    }


def assignment_handlers(*, database: Database, profiles: Profiles, staff: Staff) -> Handlers:
    """Return what follows from a text that was taken in: somebody sees to it. A subscription of its own, so that no
    consent waits for it."""

    async def on_message_received(delivery: Delivery[messaging_events.MessageReceived]) -> None:
        conversation_id = delivery.event.conversation_id
        handover = await find_handover(
            database=database,
            profiles=profiles,
            staff=staff,
            chain_id=delivery.chain_id,
            conversation_id=conversation_id,
        )
        if handover is None:
            delivery.ignore()
            return
        async with delivery.transaction() as tx:
            await hand_over(tx, conversation_id, handover)

    return {messaging_events.MessageReceived: on_message_received}
