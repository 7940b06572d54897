"""Time from commit at the producer to handled at the consumer, at a steady 200 events a second.

The ceiling, taken in turns with it: the same rate of bare JetStream publishes to a bare pull consumer. Prints both and
their ratio. Talks only to servers that it starts itself on loopback; `python bench/event_latency.py` runs alone.
"""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import nats
from carnet.waitlist.v1 import events_pb2, waitlist_pb2_grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

import waitlist
from carnet_local.databases import ensure_service_database
from carnet_local.servers import Servers, running_servers
from chassis.config import ServiceSettings
from chassis.consumer import Delivery, Subscription
from chassis.migrations import upgrade
from chassis.runtime import start_all, stop_all
from chassis.service import Foundation, Service

RATE = 200  # events a second
SECONDS = 4
ROUNDS = 3
VERSIONS = Path(waitlist.__file__).parent / "migrations" / "versions"


async def paced(publish) -> None:  # type: ignore[no-untyped-def]
    """Call `publish(number)` RATE times a second for SECONDS, whatever each call takes."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    running = []
    for number in range(RATE * SECONDS):
        await asyncio.sleep(max(0.0, start + number / RATE - loop.time()))
        running.append(asyncio.create_task(publish(number)))
    await asyncio.gather(*running)


async def platform_round(service: Service, chain_id: str, committed: dict[str, float]) -> None:
    """Write one event a transaction through the outbox."""
    database = service.foundation.database

    async def publish(number: int) -> None:
        name = f"{chain_id}-{number}"
        async with database.transaction(chain_id) as tx:
            tx.publish(events_pb2.InterestRegistered(interest_id=name), entity_id=name)
        committed[name] = time.perf_counter()

    await paced(publish)


async def bare_round(jetstream: JetStreamContext, waits: list[float]) -> None:
    """Publish the same count straight to a stream and pull it one by one."""
    pull = await jetstream.pull_subscribe_bind("bare", "WAITLIST_BARE")

    async def consume() -> None:
        for _ in range(RATE * SECONDS):
            (message,) = await pull.fetch(1, timeout=10)
            waits.append(time.perf_counter() - float(message.data))
            await message.ack()

    consuming = asyncio.create_task(consume())

    async def publish(_: int) -> None:
        await jetstream.publish("bare.waitlist", str(time.perf_counter()).encode())

    await paced(publish)
    await consuming


async def build(servers: Servers, handled: dict[str, float]) -> Service:
    """Return a service that only publishes and handles."""
    made = await ensure_service_database(
        servers.postgres_url, "waitlist", owner_password="o", runtime_password="r"
    )
    await upgrade(VERSIONS, made.owner_url)
    key = Ed25519PrivateKey.generate()
    private = {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": "waitlist"}
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "waitlist", "scopes": []}
    settings = ServiceSettings.model_validate(
        {
            "database_url": made.runtime_url,
            "nats_url": servers.nats_url("waitlist"),
            "grpc_address": "127.0.0.1:0",
            "metrics_address": "127.0.0.1:0",
            "signing_key": json.dumps(private),
            "caller_keys": json.dumps({"keys": [public]}),
        }
    )

    async def on_registered(delivery: Delivery[events_pb2.InterestRegistered]) -> None:
        async with delivery.transaction():
            pass
        handled[delivery.event.interest_id] = time.perf_counter()

    servicer = waitlist_pb2_grpc.WaitlistServiceServicer()
    return Foundation.lay("waitlist", settings).service(
        contract="carnet.waitlist.v1.WaitlistService",
        register=lambda server: waitlist_pb2_grpc.add_WaitlistServiceServicer_to_server(servicer, server),
        subscriptions=[Subscription("bench", {events_pb2.InterestRegistered: on_registered})],
    )


def line(name: str, waits: list[float]) -> float:
    """Print the percentiles of one side in milliseconds and return its median."""
    ordered = sorted(waits)
    median, late = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(f"{name:<28} p50 {median * 1000:6.1f} ms   p99 {late * 1000:6.1f} ms   n {len(ordered)}")
    return median


async def main() -> None:
    """Run ROUNDS of both in turns and print."""
    committed: dict[str, float] = {}
    handled: dict[str, float] = {}
    bare: list[float] = []
    with tempfile.TemporaryDirectory(prefix="carnet-bench-") as directory:
        async with running_servers(Path(directory), durable=True) as servers:
            service = await build(servers, handled)
            await start_all(service.components)
            try:
                client = await nats.connect(servers.nats_url("admin"))
                jetstream = client.jetstream()
                await jetstream.add_stream(StreamConfig(name="WAITLIST_BARE", subjects=["bare.waitlist"]))
                await jetstream.add_consumer(
                    "WAITLIST_BARE", ConsumerConfig(durable_name="bare", ack_policy=AckPolicy.EXPLICIT)
                )
                for number in range(ROUNDS):
                    await platform_round(service, f"chn_{number}", committed)
                    async with asyncio.timeout(30):
                        while len(handled) < len(committed):
                            await asyncio.sleep(0.01)
                    await bare_round(jetstream, bare)
                await client.close()
            finally:
                await stop_all(service.components)
    waits = [handled[name] - moment for name, moment in committed.items()]
    print(f"commit to handled, {RATE} events/s for {SECONDS} s, {ROUNDS} rounds in turns with the ceiling")
    ours = line("through outbox and inbox", waits)
    ceiling = line("ceiling: bare JetStream", bare)
    print(f"ratio of medians {ours / ceiling:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
