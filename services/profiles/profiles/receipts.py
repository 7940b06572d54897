"""What this service hears of erasures: the other services' receipts. Must decide nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

from carnet.appointments.v1 import events_pb2 as appointments
from carnet.messaging.v1 import events_pb2 as messaging
from carnet.outreach.v1 import events_pb2 as outreach
from carnet.privacy.v1 import privacy_pb2 as privacy
from carnet.waitlist.v1 import events_pb2 as waitlist

from chassis.consumer import Delivery, Handlers
from chassis.values import date_of
from profiles.domain.erasures import Receipt, Retention
from profiles.use_cases.erasures import take_receipt

_FORGOTTEN = {
    "outreach": outreach.ClientForgotten,
    "messaging": messaging.ClientForgotten,
    "waitlist": waitlist.ClientForgotten,
    "appointments": appointments.ClientForgotten,
}


def on_client_forgotten(service: str) -> Callable[[Delivery[Any]], Awaitable[None]]:
    """Return the handler of a service's receipt."""

    async def handle(delivery: Delivery[Any]) -> None:
        said: privacy.ErasureReceipt = delivery.event.receipt
        receipt = Receipt(
            service=service,
            received_at=delivery.envelope.time,
            erased=dict(said.erased),
            retained=[
                Retention(
                    kept.category,
                    kept.basis,
                    kept.count,
                    date_of(kept.keep_until_date, "keep_until_date")
                    if kept.HasField("keep_until_date")
                    else None,
                )
                for kept in said.retained
            ],
        )
        async with delivery.transaction() as tx:
            await take_receipt(tx, said.erasure_id, receipt)

    return handle


def receipt_handlers() -> Handlers:
    """Return the handler of each service's receipt."""
    return {message: on_client_forgotten(service) for service, message in _FORGOTTEN.items()}
