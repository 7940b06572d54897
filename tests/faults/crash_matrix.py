"""Kill everything at every point while texts go out, and count what arrived.

    python tests/faults/crash_matrix.py [--texts 2000] [--seed 1]

Two replicas of messaging, a real Postgres and a real NATS, both on disks that sync, and a Twilio over real HTTP that
breaks off, answers 500 after it took a text, hangs, throttles, and tells everything twice and in any order. Texts are
sent over gRPC all the while, by a caller who repeats a call that failed with the same request id. One replica is killed
at each labelled point (messaging/points.py), the other one at any time, Postgres and NATS with SIGKILL. At the end each
text must have been taken by the carrier once, none be unknown, and each event be in the stream once.
"""

# ruff: noqa: E402 - what the tests of messaging share lies beside them

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx
import nats
from carnet.messaging.v1 import events_pb2, messaging_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import text as sql

sys.path[:0] = [
    str(Path(__file__).parents[2] / "services" / "messaging" / "tests"),
    str(Path(__file__).parent),
]

from outside_calls import call_outside
from serve import serve
from twilio_stand_in import (
    ACCEPT,
    ACCOUNT,
    DROP,
    DROP_AFTER,
    FAIL,
    FAIL_AFTER,
    HANG_AFTER,
    THROTTLE,
    TOKEN,
    TwilioStandIn,
    stand_in,
)

import messaging
from carnet_local.caller_scopes import CALLER_SCOPES
from carnet_local.databases import ensure_service_database
from carnet_local.nats_permissions import ADMIN
from carnet_local.servers import Servers, running_servers
from chassis.caller import Caller, CallerSigner, CallerVerifier, set_caller
from chassis.clock import SystemClock
from chassis.contracts import event_type_of
from chassis.database import Database, connect
from chassis.errors import Kind, ServiceError
from chassis.grpc_client import open_channel
from chassis.grpc_server import GrpcServer
from chassis.ids import new_id
from chassis.migrations import upgrade
from chassis.testing import free_port
from messaging.domain import Change, PermissionEntry, Purpose, message_id_of
from messaging.store import permissions

POINTS = (
    "writing.written",
    "writing.committed",
    "sending.taken",
    "sending.committed",
    "sending.answered",
    "noting.begun",
    "noting.written",
    "noting.committed",
    "asking.committed",
    "asking.answered",
    "receipt.begun",
    "receipt.written",
    "receipt.committed",
    "relay.published",
)
POSTGRES, NATS, OTHER = "kill -9 Postgres", "kill -9 NATS", "kill -9 the other replica"
FULL = (
    *POINTS[:5], POSTGRES, *POINTS[5:8], NATS, *POINTS[8:10], OTHER, POSTGRES, *POINTS[10:13], NATS, POINTS[13], OTHER,
)  # fmt: skip

# Loading messaging takes seconds, and it is started dozens of times.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["serve"])


def load() -> None:
    """Let the process that the replicas are copied from load messaging."""
    former = os.environ.get("PYTHONPATH")
    # Which is told where to look by its environment alone.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), former]))
    try:
        forkserver.ensure_running()
    finally:
        if former is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = former


CHAIN = "chn_faults"
VERSIONS = Path(messaging.__file__).parent / "migrations" / "versions"
_SENDERS = 4
_SPEED = 25.0
_AT_ONCE = 8
_ROUND_SECONDS = 300.0
_SETTLE_SECONDS = 600.0
# How often the carrier misbehaves, in hundredths; what is left is taken as it should be.
_MISDEEDS = ((DROP_AFTER, 5), (FAIL_AFTER, 4), (HANG_AFTER, 2), (DROP, 2), (FAIL, 2))


def where_it_is_noon() -> str:
    """Return a zone in which texts may be sent for the next hours."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


class PlayedProfiles(profiles_pb2_grpc.ProfilesServiceServicer):
    """Knows every client that it is asked for; the number is in the id."""

    def __init__(self) -> None:
        self._zone = where_it_is_noon()

    async def GetClient(self, request: profiles_pb2.GetClientRequest, context: Any) -> profiles_pb2.Client:
        return profiles_pb2.Client(
            client_id=request.client_id,
            time_zone=self._zone,
            contact_points=[
                profiles_pb2.ContactPoint(
                    kind=profiles_pb2.CONTACT_KIND_PHONE, value=phone_of(request.client_id)
                )
            ],
        )

    async def GetStore(self, request: profiles_pb2.GetStoreRequest, context: Any) -> profiles_pb2.Store:
        return profiles_pb2.Store(store_id=request.store_id, display_name="Maison Aurore")


def phone_of(client_id: str) -> str:
    """Return a client's number, one in the east of the US."""
    number = int(client_id.rpartition("_")[2])
    return f"+1{(212, 646, 718, 917)[number % 4]}{2_000_000 + number:07}"


@dataclass
class Replica:
    """One process of messaging, which ends and is started again."""

    environment: Mapping[str, str]
    log: Path
    process: BaseProcess | None = None
    channel: Any = None
    channels: list[Any] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)

    @property
    def is_up(self) -> bool:
        """Return whether it takes calls."""
        return self.channel is not None and self.process is not None and self.process.exitcode is None

    async def start(self, stop_at: str = "") -> None:
        """Start, to be killed at a point, and return when it is ready or gone."""
        self.process = _PROCESSES.Process(
            target=serve, args=({**self.environment, "CARNET_STOP_AT": stop_at}, str(self.log))
        )
        self.process.start()
        # A new one, which does not wait to try again; calls may be under way on the former one.
        self.channel = open_channel(self.environment["CARNET_GRPC_ADDRESS"])
        self.channels.append(self.channel)
        async with httpx.AsyncClient(trust_env=False) as http:
            while self.process.exitcode is None:
                try:
                    address = self.environment["CARNET_METRICS_ADDRESS"]
                    if (await http.get(f"http://{address}/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        if self.process.exitcode != -signal.SIGKILL:
            raise SystemExit(self.log.read_text()[-3000:])

    async def _ended(self) -> int | None:
        assert self.process is not None
        while self.process.exitcode is None:
            await asyncio.sleep(0.05)
        return self.process.exitcode

    async def until_killed(self, why: str) -> None:
        """Wait until it has killed itself; exits when it does not come to that."""
        async with asyncio.timeout(_ROUND_SECONDS):
            code = await self._ended()
        if code != -signal.SIGKILL:
            raise SystemExit(f"{why}: ended with {code}\n{self.log.read_text()[-3000:]}")
        self.deaths[why] += 1

    async def kill(self) -> None:
        """Kill it, wherever it is."""
        assert self.process is not None
        if self.process.exitcode is None:
            self.process.kill()
            await self._ended()
            self.deaths["at any time"] += 1

    async def stop(self) -> None:
        """End it in peace."""
        if self.process is not None and self.process.exitcode is None:
            self.process.terminate()
            await self._ended()


@dataclass(frozen=True)
class Count:
    """What there was at the end."""

    asked: int
    states: Mapping[str, int]
    taken: Counter[str]
    sent_events: Counter[str]
    delivered_events: Counter[str]
    failed_events: int
    events_twice: int
    unpublished: int
    questions: int
    deaths: Mapping[str, int]
    seconds: float

    def faults(self) -> list[str]:
        """Return what must not be."""
        found = []
        twice = [one for one, times in self.taken.items() if times > 1]
        if twice:
            found.append(f"{len(twice)} texts were sent twice: {twice[:5]}")
        if len(self.taken) != self.asked:
            found.append(f"{self.asked - len(self.taken)} texts were lost")
        if set(self.states) - {"SENT", "DELIVERED"} or sum(self.states.values()) != self.asked:
            found.append(f"states at the end: {dict(self.states)}")
        for name, events in (("sent", self.sent_events), ("delivered", self.delivered_events)):
            if any(times > 1 for times in events.values()):
                found.append(f"message.{name} twice for a text")
        if len(self.sent_events) != self.asked:
            found.append(f"message.sent is missing for {self.asked - len(self.sent_events)} texts")
        if self.failed_events or self.events_twice or self.unpublished:
            found.append(
                f"{self.failed_events} failures, {self.events_twice} events twice, {self.unpublished} not published"
            )
        return found


class Matrix:
    """Everything that runs, and what is done to it."""

    def __init__(
        self,
        servers: Servers,
        database: Database,
        twilio: TwilioStandIn,
        replicas: Sequence[Replica],
        signer: CallerSigner,
        seed: int,
    ) -> None:
        self._servers = servers
        self._database = database
        self._twilio = twilio
        self._first, self._second = replicas
        self._signer = signer
        self._random = random.Random(seed)
        self._throttles = 3
        self._texts = self._begun = 0
        self._asked: set[str] = set()
        self._stores: list[str] = []
        self._senders: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(_AT_ONCE)
        twilio.behaviour_of = self._behaviour
        twilio.deliver = self._deliver

    def _behaviour(self, fields: Mapping[str, list[str]]) -> str:
        drawn = self._random.randrange(100)
        if drawn == 99 and self._throttles:
            self._throttles -= 1
            return THROTTLE
        for behaviour, share in _MISDEEDS:
            if drawn < share:
                return behaviour
            drawn -= share
        return ACCEPT

    async def _deliver(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Hand a receipt to one of the replicas, as the gateway does; when none takes it, it is gone."""
        for replica in self._shuffled():
            try:
                status, _, content = await call_outside(replica.channel, method, url, headers, body)
            except ServiceError:
                continue
            return status, content
        return 0, b""

    def _shuffled(self) -> list[Replica]:
        return sorted(
            (replica for replica in (self._first, self._second) if replica.is_up),
            key=lambda _: self._random.random(),
        )

    async def _call(self, method: str, request: Any) -> Any:
        """Call whichever replica answers, again and again with the same request id."""
        begun = time.monotonic()
        while True:
            for replica in self._shuffled():
                caller = Caller(CHAIN, "faults", "admin", frozenset({"senders:write", "messages:send"}))
                set_caller(self._signer.sign(caller))
                stub = messaging_pb2_grpc.MessagingServiceStub(replica.channel)
                try:
                    return await getattr(stub, method)(request, timeout=10)
                except ServiceError as error:
                    if error.kind not in (Kind.UNAVAILABLE, Kind.CONFLICT):
                        raise
                    await asyncio.sleep(0.1)
            if time.monotonic() - begun > _ROUND_SECONDS:
                raise SystemExit(f"{method} was never answered")
            await asyncio.sleep(0.2)

    async def open_stores(self) -> None:
        """Give stores their numbers."""
        for number in range(_SENDERS):
            store_id = f"sto_{number}"
            await self._call(
                "CreateSender",
                pb.CreateSenderRequest(
                    request_id=f"store {number}",
                    store_id=store_id,
                    phone=f"+1202555010{number}",
                    display_name="Maison Aurore",
                    segments_per_second=_SPEED,
                ),
            )
            self._stores.append(store_id)

    async def agree(self, texts: int) -> None:
        """Let so many clients agree to texts of service."""
        self._texts = texts
        now = datetime.now(UTC)
        async with self._database.transaction(CHAIN) as tx:
            await permissions.add(
                tx,
                [
                    PermissionEntry(
                        new_id("prm"), phone_of(f"cli_{number}"), Purpose.SERVICE, Change.GRANTED, "Yes", "consent",
                        "asc_1", f"con_{number}", now - timedelta(days=1),
                    )
                    for number in range(texts)
                ],
                now,
            )  # fmt: skip

    def send(self, count: int) -> None:
        """Begin to send a text to each of the next clients."""
        for number in range(self._begun, min(self._begun + count, self._texts)):
            self._senders.add(asyncio.create_task(self._send(number)))
        self._begun = min(self._begun + count, self._texts)

    async def _send(self, number: int) -> None:
        async with self._gate:
            message = await self._call(
                "SendMessage",
                pb.SendMessageRequest(
                    request_id=f"text {number}",
                    client_id=f"cli_{number}",
                    store_id=self._stores[number % len(self._stores)],
                    body=f"Maison Aurore: number {number} is ready for you.",
                    purpose=pb.PURPOSE_SERVICE,
                ),
            )
        self._asked.add(message.message_id)

    async def strike(self, what: str, share: int) -> None:
        """Kill something while a share of the texts goes out, and start it again."""
        if what in POINTS:
            await self._strike_at(what, share)
            return
        self.send(share)
        await asyncio.sleep(self._random.random())
        if what == POSTGRES:
            os.kill(self._servers.postgres.pid, signal.SIGKILL)
            await asyncio.sleep(0.5)
            await self._servers.postgres.start()
        elif what == NATS:
            os.kill(self._servers.nats.pid, signal.SIGKILL)
            await asyncio.sleep(0.5)
            await self._servers.nats.start()
        else:
            await self._second.kill()
            await asyncio.sleep(self._random.random())
            await self._second.start()

    async def _strike_at(self, point: str, share: int) -> None:
        await self._first.stop()
        await self._first.start(f"{point}:{self._random.randint(1, 3)}")
        # What one replica of the two does alone, or hardly ever, is left to the one that is to be killed.
        if point.startswith(("relay", "asking")) or self._random.random() < 0.5:
            await self._second.kill()
        self.send(share)
        killed = asyncio.create_task(self._first.until_killed(point))
        while not (await asyncio.wait([killed], timeout=5))[0]:
            self.send(10)
        await killed
        await asyncio.sleep(self._random.random())
        await asyncio.gather(
            *(replica.start() for replica in (self._first, self._second) if not replica.is_up)
        )

    async def settle(self) -> None:
        """Wait until every text was asked for, nothing is due and everything was said."""
        self.send(self._texts)
        await asyncio.gather(*self._senders)
        begun = time.monotonic()
        while await self._left():
            if time.monotonic() - begun > _SETTLE_SECONDS:
                return
            await asyncio.sleep(0.5)
        await asyncio.sleep(1)
        while await self._left():
            await asyncio.sleep(0.5)

    async def _left(self) -> int:
        async with self._database.platform_transaction() as connection:
            found = await connection.execute(
                sql(
                    "select (select count(*) from due_messages)"
                    " + (select count(*) from outbox where published_at is null)"
                )
            )
            return int(found.scalar_one())

    async def count(self, begun: float) -> Count:
        """Return what there is now."""
        async with self._database.transaction(CHAIN) as tx:
            found = await tx.execute("select state, count(*) as count from messages group by state")
            states = {row.state: row.count for row in found}
        said, ids = await self._events()
        return Count(
            asked=len(self._asked),
            states=states,
            taken=Counter(message_id_of(text.reference) for text in self._twilio.texts),
            sent_events=said[event_type_of(events_pb2.MessageSent)],
            delivered_events=said[event_type_of(events_pb2.MessageDelivered)],
            failed_events=said[event_type_of(events_pb2.MessageFailed)].total(),
            events_twice=sum(times - 1 for times in ids.values()),
            unpublished=await self._left(),
            questions=self._twilio.calls["list"] + self._twilio.calls["fetch"],
            deaths=self._first.deaths + self._second.deaths,
            seconds=time.monotonic() - begun,
        )

    async def _events(self) -> tuple[Mapping[str, Counter[str]], Counter[str]]:
        kinds = (events_pb2.MessageSent, events_pb2.MessageDelivered, events_pb2.MessageFailed)
        said: dict[str, Counter[str]] = {event_type_of(kind): Counter() for kind in kinds}
        ids: Counter[str] = Counter()
        broker = await nats.connect(self._servers.nats_url(ADMIN))
        try:
            jetstream = broker.jetstream(timeout=10)
            subscription = await jetstream.subscribe("carnet.messaging.>", ordered_consumer=True)
            left = (await jetstream.stream_info("MESSAGING")).state.messages
            for _ in range(left):
                message = await subscription.next_msg(timeout=20)
                ids[(message.headers or {})["Nats-Msg-Id"]] += 1
                for kind in kinds:
                    if message.subject.startswith(event_type_of(kind) + "."):
                        said[event_type_of(kind)][kind.FromString(message.data).message_id] += 1
        finally:
            await broker.close()
        return said, ids


def environment_of(
    servers: Servers,
    database_url: str,
    keys: tuple[Mapping[str, str], str],
    twilio: TwilioStandIn,
    more: Mapping[str, str],
) -> dict[str, str]:
    """Return what a replica is told."""
    signing, public = keys
    return {
        "CARNET_DATABASE_URL": database_url,
        "CARNET_NATS_URL": servers.nats_url("messaging"),
        "CARNET_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
        "CARNET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        "CARNET_SIGNING_KEY": signing["messaging"],
        "CARNET_CALLER_KEYS": public,
        "CARNET_LOG_FORMAT": "json",
        "CARNET_SUPPRESSION_KEY": "k" * 32,
        "CARNET_LINK_KEY": "l" * 32,
        "CARNET_PUBLIC_URL": twilio.public_url,
        "CARNET_CARRIER": "twilio",
        "CARNET_TWILIO_ACCOUNT_SID": ACCOUNT,
        "CARNET_TWILIO_AUTH_TOKENS": TOKEN,
        "CARNET_TWILIO_BASE_URL": twilio.base_url,
        **more,
    }


def make_keys() -> tuple[dict[str, str], str]:
    """Return a signing key of each signer, and the public set."""
    signing, public = {}, []
    for signer, scopes in CALLER_SCOPES.items():
        key = Ed25519PrivateKey.generate()
        signing[signer] = json.dumps({**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": signer})
        public.append(
            {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": signer, "scopes": scopes}
        )
    return signing, json.dumps({"keys": public})


@asynccontextmanager
async def prepared(
    folder: Path, *, is_durable: bool, lease_seconds: float, timeout_seconds: float, seed: int
) -> AsyncIterator[Matrix]:
    """Run everything for the time of a with block."""
    load()
    keys = make_keys()
    port = free_port()
    profiles = GrpcServer(
        address=f"127.0.0.1:{port}",
        services=["carnet.profiles.v1.ProfilesService"],
        register=[
            lambda server: profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(PlayedProfiles(), server)
        ],
        verifier=CallerVerifier(keys[1], SystemClock()),
        drain_seconds=0,
    )
    async with (
        running_servers(folder / "servers", durable=is_durable) as servers,
        stand_in(tells=("sent", "delivered"), doubles=True, reorders=True, seed=seed) as twilio,
    ):
        urls = await ensure_service_database(
            servers.postgres_url, "messaging", owner_password="owner", runtime_password="runtime"
        )
        await upgrade(VERSIONS, urls.owner_url)
        database = Database(
            connect(urls.runtime_url, pool_size=4, application="faults"),
            source="faults",
            clock=SystemClock(),
        )
        await profiles.start()
        more = {
            "CARNET_PROFILES_ADDRESS": f"127.0.0.1:{port}",
            "CARNET_OBJECTS_DIR": str(folder / "objects"),
            "CARNET_CARRIER_LEASE_SECONDS": str(lease_seconds),
            "CARNET_CARRIER_TIMEOUT_SECONDS": str(timeout_seconds),
        }
        replicas = [
            Replica(
                environment_of(servers, urls.runtime_url, keys, twilio, more), folder / f"replica{number}.log"
            )
            for number in (1, 2)
        ]
        try:
            await asyncio.gather(*(replica.start() for replica in replicas))
            matrix = Matrix(
                servers, database, twilio, replicas, CallerSigner(keys[0]["gateway"], SystemClock()), seed
            )
            yield matrix
        finally:
            for replica in replicas:
                await replica.stop()
                for channel in replica.channels:
                    await channel.close()
            await profiles.stop()
            await database.stop()


async def run(
    folder: Path,
    *,
    texts: int,
    strikes: Sequence[str],
    seed: int,
    is_durable: bool = True,
    lease_seconds: float = 30.0,
    timeout_seconds: float = 5.0,
    is_told: bool = True,
) -> Count:
    """Strike while texts go out, a share of them with each strike, and return what there was at the end."""
    async with prepared(
        folder,
        is_durable=is_durable,
        lease_seconds=lease_seconds,
        timeout_seconds=timeout_seconds,
        seed=seed,
    ) as matrix:
        begun = time.monotonic()
        await matrix.open_stores()
        await matrix.agree(texts)
        for what in strikes:
            struck = time.monotonic()
            await matrix.strike(what, texts // len(strikes))
            if is_told:
                print(f"{what:<28} {time.monotonic() - struck:5.1f} s", flush=True)
        await matrix.settle()
        return await matrix.count(begun)


def main() -> None:
    """Run the whole matrix, print what there was, and exit 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    # A carrier that breaks off in the middle is what uvicorn complains about.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        count = asyncio.run(run(Path(folder), texts=arguments.texts, strikes=FULL, seed=arguments.seed))
        faults = count.faults()
        if faults:
            for log in sorted(Path(folder).glob("*.log")):
                kept = Path(tempfile.gettempdir()) / f"faults-{log.name}"
                kept.write_bytes(log.read_bytes()[-2_000_000:])
                print(f"log: {kept}")
    print(
        f"{count.asked} texts, {sum(count.taken.values())} taken by the carrier for {len(count.taken)} of them,"
        f" {count.questions} questions to it, {dict(count.states)}, {count.seconds:.0f} s"
    )
    print(
        f"events: {len(count.sent_events)} sent, {len(count.delivered_events)} delivered, {count.events_twice} twice;"
        f" deaths: {dict(count.deaths)}"
    )
    for fault in faults:
        print(f"NOT AS IT MUST BE: {fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
