"""What appointments listens to: who of the staff left or came back."""

from carnet.profiles.v1 import events_pb2 as profiles

from appointments.store import resources
from chassis.consumer import Delivery, Subscription


def subscriptions() -> list[Subscription]:
    """Return what this service listens to; the handler calls no other service."""
    return [Subscription("staff", {profiles.AssociateChanged: on_associate_changed})]


async def on_associate_changed(delivery: Delivery[profiles.AssociateChanged]) -> None:
    """Note whether an associate can be booked; late news is dropped by its version."""
    event = delivery.event
    async with delivery.transaction() as tx:
        await resources.note_associate(
            tx, event.associate_id, is_active=event.is_active, version=event.version
        )
