"""Put one service together: the parts that none may lack, in the order in which they start, and its command line.

python -m <service> serve | migrate | dead-letters list | dead-letters replay | republish --hours N, and what a service
has of its own.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import grpc
import uvloop
from sqlalchemy import text

from chassis.broker import Broker
from chassis.caller import CallerSigner, CallerVerifier
from chassis.clock import Clock, SystemClock
from chassis.config import ConfigError, MigrationSettings, ServiceSettings, load
from chassis.consumer import Consumer, Subscription
from chassis.contracts import event_type_of, stream_of
from chassis.database import Database, connect
from chassis.grpc_client import open_channel
from chassis.grpc_server import GrpcServer, Register
from chassis.http import HttpServer, operator_app
from chassis.outbox import OutboxRelay, republish
from chassis.runtime import Background, Component, run_until_signalled
from chassis.telemetry import start_logging, start_tracing


@dataclass
class Foundation:
    """What a service is built on: one database, one broker connection, keys, clock, channels to others."""

    name: str
    settings: ServiceSettings
    clock: Clock
    database: Database
    broker: Broker
    signer: CallerSigner
    verifier: CallerVerifier
    _channels: list[grpc.aio.Channel] = field(default_factory=list)

    @classmethod
    def lay(cls, name: str, settings: ServiceSettings, *, clock: Clock | None = None) -> "Foundation":
        """Make the parts from settings; nothing connects yet."""
        clock = clock or SystemClock()
        engine = connect(settings.database_url, pool_size=settings.database_pool_size, application=name)
        return cls(
            name=name,
            settings=settings,
            clock=clock,
            database=Database(engine, source=name, clock=clock),
            broker=Broker(settings.nats_url, client_name=name),
            signer=CallerSigner(settings.signing_key, clock),
            verifier=CallerVerifier(settings.caller_keys, clock),
        )

    def channel(self, address: str) -> grpc.aio.Channel:
        """Return a channel to another service; it is closed with this one."""
        channel = open_channel(address)
        self._channels.append(channel)
        return channel

    def service(
        self,
        *,
        contracts: Mapping[str, Register],
        subscriptions: Sequence[Subscription] = (),
        components: Sequence[Component] = (),
    ) -> "Service":
        """Return the whole service: `contracts` are its proto services, each with what adds its servicer to the server.

        `components` are what only this service runs: background work, other servers.
        """
        consumers = [
            Consumer(
                service=self.name,
                subscription=subscription,
                stream=stream,
                database=self.database,
                broker=self.broker,
                signer=self.signer,
                clock=self.clock,
            )
            for subscription in subscriptions
            for stream in sorted({stream_of(event_type_of(message)) for message in subscription.handlers})
        ]
        relay = OutboxRelay(
            self.database,
            self.broker,
            stream=self.name.upper(),
            replicas=self.settings.stream_replicas,
            clock=self.clock,
        )
        server = GrpcServer(
            address=self.settings.grpc_address,
            services=list(contracts),
            register=list(contracts.values()),
            verifier=self.verifier,
            drain_seconds=self.settings.drain_seconds,
        )
        return Service(
            foundation=self,
            server=server,
            consumers=consumers,
            relay=relay,
            components=[
                self.database,
                self.broker,
                _Channels(self._channels),
                Background(relay.name, relay.run),
                *(Background(consumer.name, consumer.run) for consumer in consumers),
                *components,
                server,
                HttpServer("operator http", operator_app(), self.settings.metrics_address),
            ],
        )


@dataclass(frozen=True)
class Service:
    """One service, ready to run."""

    foundation: Foundation
    server: GrpcServer
    consumers: Sequence[Consumer]
    relay: OutboxRelay
    components: Sequence[Component]


class _Channels:
    name = "channels"

    def __init__(self, channels: list[grpc.aio.Channel]) -> None:
        self._channels = channels

    async def start(self) -> None:
        """Do nothing: channels connect when they are first used."""

    async def stop(self) -> None:
        """Close them."""
        await asyncio.gather(*(channel.close() for channel in self._channels))


Settings = TypeVar("Settings", bound=ServiceSettings)


@dataclass(frozen=True)
class ChainCommand:
    """Something that only a service itself can do for a chain when a person asks; returns what to print."""

    help: str
    run: Callable[[Service, str], Awaitable[str]]


@dataclass(frozen=True)
class Program(Generic[Settings]):
    """The command line of one service."""

    name: str
    settings: type[Settings]
    build: Callable[[Settings], Service]
    versions: Path
    chain_commands: Mapping[str, ChainCommand] = field(default_factory=dict)

    def main(self) -> None:
        """Do what the arguments say; exits 2 for a faulty configuration."""
        parser = argparse.ArgumentParser(prog=f"python -m {self.name}")
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("serve", help="run the service until it is told to stop")
        commands.add_parser("migrate", help="bring the database to the newest version, as its owner")
        letters = commands.add_parser("dead-letters", help="events that were set aside")
        letters.add_argument("action", choices=["list", "replay"])
        again = commands.add_parser("republish", help="publish recent events again")
        again.add_argument("--hours", type=float, default=24.0)
        for name, command in self.chain_commands.items():
            commands.add_parser(name, help=command.help).add_argument("chain_id")
        arguments = parser.parse_args()
        if arguments.command == "migrate":
            self._migrate()
            return
        try:
            settings = load(self.settings)
        except ConfigError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        start_logging(service=self.name, level=settings.log_level, form=settings.log_format)
        start_tracing(service=self.name, endpoint=settings.otlp_endpoint)
        if arguments.command == "serve":
            uvloop.run(self._serve(settings))
        elif arguments.command in self.chain_commands:
            command = self.chain_commands[arguments.command]
            print(asyncio.run(self._run_for_chain(settings, command, arguments.chain_id)))
        elif arguments.command == "republish":
            print(f"{asyncio.run(self._republish(settings, arguments.hours))} events will be published again")
        elif arguments.action == "list":
            asyncio.run(self._list_dead_letters(settings))
        else:
            through, failed = asyncio.run(self._replay(settings))
            print(f"{through} events went through, {failed} failed again")
            sys.exit(1 if failed else 0)

    def _migrate(self) -> None:
        try:
            url = load(MigrationSettings).database_url
        except ConfigError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        from chassis.migrations import run_upgrade  # noqa: PLC0415 - Alembic is a tenth of a serving process's start

        run_upgrade(self.versions, url)
        print(f"{self.name}: the database is at the newest version")

    async def _serve(self, settings: Settings) -> None:
        service = self.build(settings)
        # Modules and the service itself stay for good: looking through them again and again for garbage took a seventh
        # of an import's time (py-spy, bench/import_clients.py).
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        await run_until_signalled(service.components)

    async def _run_for_chain(self, settings: Settings, command: ChainCommand, chain_id: str) -> str:
        service = self.build(settings)
        try:
            return await command.run(service, chain_id)
        finally:
            await service.foundation.database.stop()

    async def _republish(self, settings: Settings, hours: float) -> int:
        service = self.build(settings)
        try:
            return await republish(service.foundation.database, hours=hours, clock=service.foundation.clock)
        finally:
            await service.foundation.database.stop()

    async def _list_dead_letters(self, settings: Settings) -> None:
        database = self.build(settings).foundation.database
        async with database.platform_transaction() as connection:
            rows = await connection.execute(
                text(
                    "select dead_letter_id, consumer, event_type, event_id, reason, failed_at from dead_letters"
                    " where replayed_at is null order by failed_at"
                )
            )
            for row in rows:
                print(f"{row.failed_at:%Y-%m-%dT%H:%M:%SZ}  {row.dead_letter_id}  {row.consumer}  {row.event_type}"
                      f"  {row.event_id}  {row.reason}")  # fmt: skip
        await database.stop()

    async def _replay(self, settings: Settings) -> tuple[int, int]:
        service = self.build(settings)
        outcomes = [await consumer.replay() for consumer in service.consumers]
        await service.foundation.database.stop()
        return sum(through for through, _ in outcomes), sum(failed for _, failed in outcomes)
