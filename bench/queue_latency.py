"""How soon an event is seen on a queue: from its publishing to the first ListQueue that shows what it says.

    python bench/queue_latency.py [--events 200] [--burst 2000]

Stands in for profiles: publishes a second visit within a month, of clients whom outreach knows, to the stream that
profiles keeps, and asks the real gRPC server of an outreach process for the queue of the client's associate until the
client is on it. First one after the other, then a burst of events at once, which are taken over and looked at in sets.
Servers, service and database as `make up` runs them, on disks that sync. Prints percentiles in milliseconds.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats
import uvloop
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.outreach.v1 import outreach_pb2_grpc
from carnet.profiles.v1 import events_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from import_clients import serving
from jwt.algorithms import OKPAlgorithm
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

import outreach
from carnet_local.databases import ensure_service_database
from carnet_local.nats_permissions import ADMIN
from carnet_local.servers import running_servers
from chassis.caller import Caller, CallerSigner, set_caller
from chassis.clock import SystemClock
from chassis.events import wrap
from chassis.ids import new_id
from chassis.migrations import upgrade
from chassis.testing import channel_to, free_port
from chassis.values import timestamp_of

CHAIN = "chn_bench"
VERSIONS = Path(outreach.__file__).parent / "migrations" / "versions"
_ASK_SECONDS = 0.005
_GIVE_UP_SECONDS = 240


class ProfilesStandIn:
    """Says facts of clients as profiles would."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def say(self, *events: Message) -> None:
        """Publish events, in this order."""
        for event in events:
            envelope = wrap(event, source="profiles", chain_id=CHAIN, entity_id="", now=datetime.now(UTC))
            await self._jetstream.publish(
                f"{envelope.event_type}.{CHAIN}", envelope.body, headers=dict(envelope.headers)
            )

    async def say_client(self, number: int) -> None:
        """Tell of a client who came in once, three weeks ago."""
        fact = events_pb2.ClientFact(
            client_id=f"cli_{number:06}",
            home_store_id="sto_1",
            associate_id=f"asc_{number:06}",
            language="en-US",
            time_zone="America/New_York",
            version=1,
        )
        await self.say(events_pb2.ClientCreated(client=fact), visit(number, days=20))


def visit(number: int, *, days: int) -> Message:
    """Return a visit of a client, so many days ago."""
    return events_pb2.VisitRecorded(
        visit_id=new_id("vis"),
        client_id=f"cli_{number:06}",
        store_id="sto_1",
        visit_time=timestamp_of(datetime.now(UTC) - timedelta(days=days)),
    )


class Asker:
    """Asks for queues as the gateway would."""

    def __init__(self, stub: outreach_pb2_grpc.OutreachServiceStub, signer: CallerSigner) -> None:
        self._stub = stub
        self._signer = signer

    async def is_pressing(self, number: int) -> bool:
        """Return whether the client's associate sees that the client came twice."""
        set_caller(self._signer.sign(Caller(CHAIN, "bench", "admin", frozenset({"queue:read"}))))
        answer = await self._stub.ListQueue(pb.ListQueueRequest(associate_id=f"asc_{number:06}"))
        return any(
            reason.signal == pb.SIGNAL_HIGH_INTENT
            for suggestion in answer.suggestions
            for reason in suggestion.reasons
        )


async def until_seen(asker: Asker, number: int, said: float) -> float:
    """Return the seconds from `said` until the client is on the queue for it."""
    while not await asker.is_pressing(number):
        if time.perf_counter() - said > _GIVE_UP_SECONDS:
            raise SystemExit(f"client {number} does not come on the queue")
        await asyncio.sleep(_ASK_SECONDS)
    return time.perf_counter() - said


def line(name: str, waits: list[float]) -> None:
    """Print the percentiles of one kind in milliseconds."""
    ordered = sorted(waits)
    p50, p95 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.95))
    print(
        f"{name:<28} p50 {p50 * 1000:7.1f} ms   p95 {p95 * 1000:7.1f} ms   most {ordered[-1] * 1000:7.1f} ms"
        f"   n {len(ordered)}",
        flush=True,
    )


async def measure(events: int, burst: int, asker: Asker, url: str) -> None:
    """Measure and print."""
    broker = await nats.connect(url)
    jetstream = broker.jetstream(timeout=10)
    await jetstream.add_stream(StreamConfig(name="PROFILES", subjects=["carnet.profiles.>"]))
    stand_in = ProfilesStandIn(jetstream)
    await stand_in.say(
        events_pb2.ChainCreated(
            chain_id=CHAIN, country="US", currency_code="USD", time_zone="America/New_York"
        )
    )
    for number in range(events + burst):
        await stand_in.say_client(number)
    last = events + burst - 1
    await stand_in.say(visit(last, days=1))
    await until_seen(asker, last, time.perf_counter())

    waits: list[float] = []
    for number in range(events):
        said = time.perf_counter()
        await stand_in.say(visit(number, days=1))
        waits.append(await until_seen(asker, number, said))
    line("one event after the other", waits)

    moments: dict[int, float] = {}
    for number in range(events, last):
        moments[number] = time.perf_counter()
        await stand_in.say(visit(number, days=1))
    through = time.perf_counter()
    # Only the last one is waited for: to ask for all of them meanwhile would take the machine from who is measured.
    waits = [await until_seen(asker, last - 1, moments[last - 1])]
    line(f"the last of {burst} at once", waits)
    others = range(events, last - 1)
    late = [number for number in others if not await asker.is_pressing(number)]
    for number in late:
        await until_seen(asker, number, moments[number])
    print(
        f"{burst} events said in {through - moments[events]:.2f} s; when the last one was seen,"
        f" {len(late)} of the others were not",
        flush=True,
    )
    await broker.close()


async def main(events: int, burst: int) -> None:
    """Run everything that is needed."""
    key = Ed25519PrivateKey.generate()
    signing = json.dumps({**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": "gateway"})
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "gateway", "scopes": ["*"]}
    with tempfile.TemporaryDirectory(dir=os.environ.get("CARNET_BENCH_DIR")) as directory:
        folder = Path(directory)
        async with running_servers(folder, durable=True) as servers:
            made = await ensure_service_database(
                servers.postgres_url, "outreach", owner_password="owner", runtime_password="runtime"
            )
            await upgrade(VERSIONS, made.owner_url)
            environment = {
                "CARNET_DATABASE_URL": made.runtime_url,
                "CARNET_NATS_URL": servers.nats_url("outreach"),
                "CARNET_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
                "CARNET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
                "CARNET_SIGNING_KEY": signing,
                "CARNET_CALLER_KEYS": json.dumps({"keys": [public]}),
                "CARNET_PROFILES_ADDRESS": "127.0.0.1:1",
                "CARNET_MESSAGING_ADDRESS": "127.0.0.1:1",
                "CARNET_LOG_LEVEL": "WARNING",
            }
            async with (
                serving("outreach", environment, folder / "outreach.log") as service,
                channel_to(service.address) as channel,
            ):
                stub = outreach_pb2_grpc.OutreachServiceStub(channel)
                asker = Asker(stub, CallerSigner(signing, SystemClock()))
                await measure(events, burst, asker, servers.nats_url(ADMIN))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--burst", type=int, default=2_000)
    wanted = parser.parse_args()
    uvloop.run(main(wanted.events, wanted.burst))
