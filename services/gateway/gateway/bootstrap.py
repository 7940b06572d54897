"""Where the gateway's parts are made and put together."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
from carnet.gateway.v1 import gateway_pb2_grpc
from cryptography.fernet import Fernet
from starlette.types import ASGIApp

from chassis.clock import Clock
from chassis.database import Database
from chassis.http import HttpServer
from chassis.runtime import Background, every
from chassis.service import Foundation, Service
from gateway.auth import store as auth_store
from gateway.auth.authenticator import Authenticator, CredentialCache
from gateway.auth.passwords import Passwords
from gateway.clients import Chains, ProfilesChains
from gateway.config import Settings
from gateway.consumers import subscriptions
from gateway.feeds import live
from gateway.grpc_api import GatewayServicer, Parts
from gateway.limits import Limit, Limiter
from gateway.rest.admission import Admission
from gateway.rest.app import RestApp, Work
from gateway.rest.idempotency import IdempotencyMemory
from gateway.rest.routes import derived_router
from gateway.valkey import Valkey
from gateway.webhooks import domain as webhook_rules
from gateway.webhooks.sender import Sends, WebhookSender
from gateway.webhooks.use_cases import deliver_next
from gateway.webhooks.worker import POLL_SECONDS, DeliveryWorker

VERSIONS = Path(__file__).parent / "migrations" / "versions"
_CLEAN_SECONDS = 600.0


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    chains: Chains | None = None,
    passwords: Passwords | None = None,
    sender: Sends | None = None,
    webhook_schedule: Sequence[float] = webhook_rules.SCHEDULE,
    webhook_poll_seconds: float = POLL_SECONDS,
    heartbeat_seconds: float = 15.0,
) -> Service:
    """Return the gateway. What can be given instead of being made is for tests."""
    foundation = Foundation.lay("gateway", settings, clock=clock)
    database, clock = foundation.database, foundation.clock
    valkey, fernet, cache = Valkey(settings.valkey_url), Fernet(settings.encryption_key), CredentialCache()
    limiter = Limiter(valkey.client, limits_of(settings))
    channels = open_channels(settings, foundation)
    wakeups = live.Wakeups(valkey.client, valkey.listening)
    http_sender = WebhookSender(allow_private=settings.allow_private_webhooks)
    worker = DeliveryWorker(
        partial(
            deliver_next,
            database=database,
            clock=clock,
            fernet=fernet,
            sender=sender or http_sender,
            schedule=webhook_schedule,
            random=random.random,
        ),
        poll_seconds=webhook_poll_seconds,
    )
    servicer = GatewayServicer(
        Parts(
            database=database,
            clock=clock,
            passwords=passwords or Passwords(),
            limiter=limiter,
            chains=chains or ProfilesChains(channels["profiles"], foundation.signer),
            cache=cache,
            fernet=fernet,
            allow_private_webhooks=settings.allow_private_webhooks,
            session_lifetime=timedelta(hours=settings.session_hours),
        )
    )
    authenticator = Authenticator(
        database=database,
        signer=foundation.signer,
        clock=clock,
        operator_key_hash=settings.operator_key_hash,
        cache=cache,
    )
    admission = Admission(authenticator, limiter)
    router = derived_router(
        channels=channels,
        admission=admission,
        memory=IdempotencyMemory(valkey.client, settings.encryption_key),
        stream=live.LiveStream(database, admission, wakeups, heartbeat_seconds=heartbeat_seconds),
        public_url=settings.public_url,
    )
    app: ASGIApp = Work(RestApp(router))
    service = foundation.service(
        contracts={
            "carnet.gateway.v1.GatewayService": lambda server: (
                gateway_pb2_grpc.add_GatewayServiceServicer_to_server(servicer, server)
            )
        },
        subscriptions=subscriptions(clock=clock, tell=wakeups.tell, wake=worker.wake),
        components=[
            valkey,
            http_sender,
            Background("wake-ups", wakeups.listen),
            Background("webhooks", worker.run),
            Background("cleaning", every(_CLEAN_SECONDS, partial(_clean, database, clock))),
        ],
    )
    # Last to start and first to stop: whoever comes in finds everything behind it running.
    http = HttpServer("http", app, settings.http_address, drain_seconds=settings.drain_seconds)
    return replace(service, components=[*service.components, http, wakeups])


def limits_of(settings: Settings) -> dict[str, Limit]:
    """Return the table of limits."""
    address = Limit(settings.address_rate_per_second, settings.address_burst)
    return {
        "credential": Limit(settings.rate_per_second, settings.rate_burst),
        "address": address,
        "public": address,
        "outside": Limit(settings.outside_rate_per_second, settings.outside_burst),
        # Half a minute for every further guess; a right password gives the allowance back.
        "sign_in": Limit(1 / 30, settings.sign_in_burst),
    }


def open_channels(settings: Settings, foundation: Foundation) -> dict[str, grpc.aio.Channel]:
    """Return a channel to every service by its short name, to the gateway's own over the loopback."""
    host, _, port = settings.grpc_address.rpartition(":")
    own = f"{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 - compared, not bound
    addresses = {
        "gateway": own,
        "profiles": settings.profiles_address,
        "outreach": settings.outreach_address,
        "messaging": settings.messaging_address,
        "waitlist": settings.waitlist_address,
        "appointments": settings.appointments_address,
    }
    return {name: foundation.channel(address) for name, address in addresses.items()}


async def _clean(database: Database, clock: Clock) -> None:
    async with database.platform_transaction() as connection:
        await auth_store.delete_expired_sessions(connection, clock.now())
    await live.drop_old_events(database=database, clock=clock)
