"""What appointments listens to: who of the staff left or came back, and what becomes of clients."""

from carnet.profiles.v1 import events_pb2 as profiles

from appointments.store import resources
from appointments.use_cases import clients
from chassis.clock import Clock
from chassis.consumer import Delivery, Handlers, Subscription


def subscriptions(clock: Clock) -> list[Subscription]:
    """Return what this service listens to; the handlers call no other service."""

    async def on_client_erased(delivery: Delivery[profiles.ClientErased]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await clients.forget_client(
                tx,
                erasure_id=event.erasure_id,
                client_id=event.client_id,
                former_client_ids=event.former_client_ids,
                now=clock.now(),
            )

    handlers: Handlers = {
        profiles.AssociateChanged: on_associate_changed,
        profiles.ClientMerged: on_client_merged,
        profiles.ClientUnmerged: on_client_unmerged,
        profiles.ClientErased: on_client_erased,
    }
    return [Subscription("staff", handlers)]


async def on_associate_changed(delivery: Delivery[profiles.AssociateChanged]) -> None:
    """Note whether an associate can be booked; late news is dropped by its version."""
    event = delivery.event
    async with delivery.transaction() as tx:
        await resources.note_associate(
            tx, event.associate_id, is_active=event.is_active, version=event.version
        )


async def on_client_merged(delivery: Delivery[profiles.ClientMerged]) -> None:
    """Give a client's appointments to the survivor."""
    event = delivery.event
    async with delivery.transaction() as tx:
        await clients.merge_clients(
            tx, event.merge_id, surviving_id=event.client.client_id, merged_id=event.merged_client_id
        )


async def on_client_unmerged(delivery: Delivery[profiles.ClientUnmerged]) -> None:
    """Give them back."""
    event = delivery.event
    async with delivery.transaction() as tx:
        await clients.unmerge_clients(
            tx, event.merge_id, surviving_id=event.client.client_id, restored_id=event.restored.client_id
        )
