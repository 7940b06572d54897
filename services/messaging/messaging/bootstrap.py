"""The one place where messaging's parts are made and put together."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from carnet.messaging.v1 import (
    bulk_pb2_grpc,
    conversations_pb2_grpc,
    gate_pb2_grpc,
    media_pb2_grpc,
    messaging_pb2_grpc,
    outside_pb2_grpc,
    reports_pb2_grpc,
    senders_pb2_grpc,
    templates_pb2_grpc,
)
from carnet.privacy.v1 import privacy_pb2_grpc

from chassis.clock import Clock
from chassis.consumer import Subscription
from chassis.database import Database
from chassis.objects import ObjectStore, open_objects
from chassis.runtime import Background, Component
from chassis.service import Foundation, Service
from messaging.bulk_sender import BulkSender
from messaging.clients import GrpcProfiles, Profiles
from messaging.config import Settings
from messaging.consumers import assignment_handlers, handlers
from messaging.courier import Courier
from messaging.domain import PHONE_CHANNELS, Channel
from messaging.emails import Attachment
from messaging.grpc_api import (
    BulkSendsServicer,
    ClientRecordsServicer,
    ConversationsServicer,
    GateServicer,
    MediaServicer,
    MessagingReportsServicer,
    MessagingServicer,
    OutsideServicer,
    SendersServicer,
    TemplatesServicer,
)
from messaging.links import Links
from messaging.parts import Parts
from messaging.providers import Carrier, InboundText, MediaSource, Picture, Receipt
from messaging.providers import sandbox as sandbox_network
from messaging.providers import twilio as twilio_network
from messaging.providers.email import MailServer, Smtp
from messaging.providers.router import Router
from messaging.providers.sandbox import Sandbox
from messaging.providers.twilio import Twilio
from messaging.receiver import Receiver
from messaging.staff import Staff
from messaging.suppression import Suppressor
from messaging.use_cases import delivery, inbound
from messaging.use_cases.media import open_content

SERVICERS: Mapping[str, tuple[Callable[..., None], Callable[[Parts], object]]] = {
    "MessagingService": (messaging_pb2_grpc.add_MessagingServiceServicer_to_server, MessagingServicer),
    "BulkSendsService": (bulk_pb2_grpc.add_BulkSendsServiceServicer_to_server, BulkSendsServicer),
    "ConversationsService": (
        conversations_pb2_grpc.add_ConversationsServiceServicer_to_server,
        ConversationsServicer,
    ),
    "GateService": (gate_pb2_grpc.add_GateServiceServicer_to_server, GateServicer),
    "MediaService": (media_pb2_grpc.add_MediaServiceServicer_to_server, MediaServicer),
    "OutsideService": (outside_pb2_grpc.add_OutsideServiceServicer_to_server, OutsideServicer),
    "MessagingReportsService": (
        reports_pb2_grpc.add_MessagingReportsServiceServicer_to_server,
        MessagingReportsServicer,
    ),
    "SendersService": (senders_pb2_grpc.add_SendersServiceServicer_to_server, SendersServicer),
    "TemplatesService": (templates_pb2_grpc.add_TemplatesServiceServicer_to_server, TemplatesServicer),
}
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
    staff = Staff(profiles, clock)
    suppressor = Suppressor(settings.suppression_key)
    objects, links = open_objects(settings), Links(settings.link_key, settings.public_url)
    due, arrived = asyncio.Event(), asyncio.Event()
    components: list[Component] = []
    sources: dict[str, MediaSource] = {}
    sandbox = twilio = None
    if settings.twilio_account_sid and settings.auth_tokens:
        twilio = sources[twilio_network.PROVIDER] = make_twilio(settings, database=database, clock=clock)
        components.append(twilio)
    if settings.carrier == "sandbox":
        sandbox = make_sandbox(
            settings, database=database, clock=clock, objects=objects, links=links, due=due
        )
        sources[sandbox_network.PROVIDER] = sandbox
        components.append(Background("sandbox receipts", sandbox.run))
    carriers: dict[Channel, Carrier] = {}
    if (phones := twilio if settings.carrier == "twilio" else sandbox) is not None:
        carriers |= dict.fromkeys(PHONE_CHANNELS, phones)
        if sandbox is not None:
            carriers[Channel.EMAIL] = sandbox
        if settings.smtp_url:
            smtp = make_smtp(settings, database=database, clock=clock, objects=objects, links=links)
            carriers[Channel.EMAIL] = smtp
            components.append(smtp)
    network = carrier or (Router(carriers) if carriers else None)
    if network is not None:
        courier = Courier(
            database=database,
            clock=clock,
            carrier=network,
            suppressor=suppressor,
            due=due,
            poll_seconds=settings.sending_poll_seconds,
            timeout_seconds=settings.carrier_timeout_seconds,
            lease_seconds=settings.carrier_lease_seconds,
            links=links,
        )
        components.append(Background("courier", courier.run))
    bulk_sender = BulkSender(
        database=database,
        clock=clock,
        profiles=profiles,
        suppressor=suppressor,
        due=due,
        poll_seconds=settings.sending_poll_seconds,
        ahead_seconds=settings.bulk_ahead_seconds,
    )
    components.append(Background("bulk sender", bulk_sender.run))
    receiver = Receiver(
        database=database,
        clock=clock,
        suppressor=suppressor,
        objects=objects,
        sources=sources,
        media_max_bytes=settings.media_max_bytes,
        arrived=arrived,
        due=due,
    )
    components += [
        Background("receiver", receiver.run),
        Background("pictures", receiver.run_media),
        Background("tidying", receiver.tidy),
    ]
    parts = Parts(
        settings=settings,
        database=database,
        clock=clock,
        profiles=profiles,
        staff=staff,
        suppressor=suppressor,
        objects=objects,
        links=links,
        due=due,
        sandbox=sandbox,
        arrived=arrived,
    )
    heard = handlers(
        database=database, profiles=profiles, clock=clock, suppressor=suppressor, sandbox=sandbox
    )
    return foundation.service(
        contracts={
            **{
                f"carnet.messaging.v1.{name}": partial(add, servicer(parts))
                for name, (add, servicer) in SERVICERS.items()
            },
            "carnet.privacy.v1.ClientRecordsService": partial(
                privacy_pb2_grpc.add_ClientRecordsServiceServicer_to_server, ClientRecordsServicer(database)
            ),
        },
        subscriptions=[
            Subscription("permissions", heard),
            Subscription(
                "assignment", assignment_handlers(database=database, profiles=profiles, staff=staff)
            ),
        ],
        components=components,
    )


def make_twilio(settings: Settings, *, database: Database, clock: Clock) -> Twilio:
    """Return Twilio, called with the API key when there is one, else with the account's first token."""
    by_key = bool(settings.twilio_api_key_sid)
    return Twilio(
        database=database,
        clock=clock,
        account_sid=settings.twilio_account_sid,
        username=settings.twilio_api_key_sid if by_key else settings.twilio_account_sid,
        password=settings.twilio_api_key_secret if by_key else settings.auth_tokens[0],
        base_url=settings.twilio_base_url,
        public_url=settings.public_url,
    )


def make_smtp(
    settings: Settings, *, database: Database, clock: Clock, objects: ObjectStore, links: Links
) -> Smtp:
    """Return the mail server, whose pictures go along with the e-mail."""

    async def fetch(chain_id: str, picture: Picture) -> Attachment:
        medium, chunks = await open_content(
            database=database, objects=objects, chain_id=chain_id, media_id=picture.media_id
        )
        content = b"".join([chunk async for chunk in chunks])
        return Attachment(content, medium.content_type, medium.file_name)

    return Smtp(
        server=MailServer.at(settings.smtp_url),
        clock=clock,
        links=links,
        timeout_seconds=settings.smtp_timeout_seconds,
        content_seconds=settings.carrier_timeout_seconds,
        most_idle=settings.smtp_connections,
        return_domain=settings.email_return_domain,
        fetch=fetch,
    )


def make_sandbox(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    objects: ObjectStore,
    links: Links,
    due: asyncio.Event,
) -> Sandbox:
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
        objects=objects,
        links=links,
        delay_seconds=settings.sandbox_delay_seconds,
        receipts=take_receipt,
        inbound=take_inbound,
    )
