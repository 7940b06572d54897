"""The one place where messaging's parts are made and put together."""

import asyncio
from functools import partial
from pathlib import Path

from carnet.messaging.v1 import messaging_pb2_grpc
from carnet.privacy.v1 import privacy_pb2_grpc

from chassis.clock import Clock
from chassis.consumer import Subscription
from chassis.database import Database
from chassis.runtime import Background, Component
from chassis.service import Foundation, Service
from messaging.clients import GrpcProfiles, Profiles
from messaging.config import Settings
from messaging.consumers import handlers
from messaging.courier import Courier
from messaging.grpc_api import ClientRecordsServicer, MessagingServicer
from messaging.providers import Carrier, InboundText, Receipt
from messaging.providers.sandbox import Sandbox
from messaging.suppression import Suppressor
from messaging.use_cases import delivery, inbound

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    profiles: Profiles | None = None,
    carrier: Carrier | None = None,
) -> Service:
    """Return messaging, ready to run; tests hand in a clock, a profiles of their own, or a carrier that misbehaves."""
    foundation = Foundation.lay("messaging", settings, clock=clock)
    database, clock = foundation.database, foundation.clock
    profiles = profiles or GrpcProfiles(foundation.channel(settings.profiles_address), foundation.signer)
    suppressor = Suppressor(settings.suppression_key)
    due = asyncio.Event()
    components: list[Component] = []
    sandbox = None
    if settings.carrier == "sandbox":
        sandbox = make_sandbox(settings, database=database, clock=clock, due=due)
        components.append(Background("sandbox receipts", sandbox.run))
    if (network := carrier or sandbox) is not None:
        courier = Courier(
            database=database,
            clock=clock,
            carrier=network,
            suppressor=suppressor,
            due=due,
            poll_seconds=settings.sending_poll_seconds,
            timeout_seconds=settings.carrier_timeout_seconds,
            lease_seconds=settings.carrier_lease_seconds,
        )
        components.append(Background("courier", courier.run))
    servicer = MessagingServicer(
        database=database, clock=clock, profiles=profiles, suppressor=suppressor, due=due, sandbox=sandbox
    )
    heard = handlers(
        database=database, profiles=profiles, clock=clock, suppressor=suppressor, sandbox=sandbox
    )
    return foundation.service(
        contracts={
            "carnet.messaging.v1.MessagingService": partial(
                messaging_pb2_grpc.add_MessagingServiceServicer_to_server, servicer
            ),
            "carnet.privacy.v1.ClientRecordsService": partial(
                privacy_pb2_grpc.add_ClientRecordsServiceServicer_to_server, ClientRecordsServicer(database)
            ),
        },
        subscriptions=[Subscription("permissions", heard)],
        components=components,
    )


def make_sandbox(settings: Settings, *, database: Database, clock: Clock, due: asyncio.Event) -> Sandbox:
    """Return the sandbox network, connected to the intakes that a real carrier's webhooks would use."""
    suppressor = Suppressor(settings.suppression_key)

    async def take_receipt(receipt: Receipt) -> None:
        await delivery.note_receipt(database=database, clock=clock, suppressor=suppressor, receipt=receipt)

    async def take_inbound(text: InboundText) -> None:
        await inbound.receive_text(
            database=database, clock=clock, suppressor=suppressor, due=due, inbound=text
        )

    return Sandbox(
        database=database,
        clock=clock,
        delay_seconds=settings.sandbox_delay_seconds,
        receipts=take_receipt,
        inbound=take_inbound,
    )
