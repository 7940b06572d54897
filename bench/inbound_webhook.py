"""How fast a carrier gets its answer to an inbound text: 100 a second, signed, through the gateway, kept durably.

    python bench/inbound_webhook.py [--rate 100] [--seconds 30] [--rounds 3]

Gateway and messaging run as processes of their own, as in service; messaging works on the texts meanwhile. The ceiling,
in turns with it and at the same rate: the same requests to a bare HTTP server that inserts each as one row and answers.
At the end every text must have become a message, once. Postgres syncs its commits.
"""

import argparse
import asyncio
import itertools
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import asyncpg
import httpx
import psutil
import uvloop
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import text as sql
from starlette.requests import Request
from starlette.responses import Response

from carnet_local.databases import ensure_service_database
from carnet_local.servers import running_servers
from chassis.clock import SystemClock
from chassis.database import Database, connect
from chassis.http import HttpServer
from chassis.migrations import upgrade
from gateway.bootstrap import VERSIONS as GATEWAY_VERSIONS
from messaging.bootstrap import VERSIONS as MESSAGING_VERSIONS
from messaging.domain import Sender
from messaging.outside.twilio import signature
from messaging.store import senders

CHAIN = "chn_bench"
TOKEN = "the auth token of this benchmark"
PUBLIC_URL = "https://carnet.example"
PATH = "/outside/twilio/inbound"
STORE_PHONE = "+12025550100"
_NUMBERS = [f"+1{area}5550{line}" for area in ("212", "646", "917") for line in range(100, 200)]
_DRAIN_SECONDS = 120.0
_START_SECONDS = 60.0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def texts() -> "itertools.count[int]":
    """Return the numbers of the texts."""
    return itertools.count(1)


def request_of(number: int) -> tuple[dict[str, str], bytes]:
    """Return headers and body of one inbound text, as Twilio sends it."""
    sid = f"SM{number:032x}"
    fields = {
        "ToCountry": "US", "ToState": "DC", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "WASHINGTON",
        "FromZip": "10001", "SmsSid": sid, "FromState": "NY", "SmsStatus": "received", "FromCity": "NEW YORK",
        "Body": f"Is my ring ready? ({number})", "FromCountry": "US", "To": STORE_PHONE, "ToZip": "20001",
        "NumSegments": "1", "MessageSid": sid, "AccountSid": "AC" + "0" * 32,
        "From": _NUMBERS[number % len(_NUMBERS)], "ApiVersion": "2010-04-01",
    }  # fmt: skip
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        "x-twilio-signature": signature(PUBLIC_URL + PATH, fields.items(), TOKEN),
    }
    return headers, urlencode(fields).encode()


async def load(
    http: httpx.AsyncClient, url: str, numbers: "itertools.count[int]", rate: int, seconds: float
) -> list[float]:
    """Send `rate` texts a second, whatever each takes, and return the seconds until each answer."""
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    late: list[int] = []

    async def one() -> None:
        headers, body = request_of(next(numbers))
        began = time.perf_counter()
        answer = await http.post(url, headers=headers, content=body)
        while answer.status_code == 503:  # a carrier comes again, and the text was kept or not
            late.append(answer.status_code)
            answer = await http.post(url, headers=headers, content=body)
        taken.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"answered {answer.status_code}: {answer.text[:200]}")

    start, running = loop.time(), []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
        running.append(asyncio.create_task(one()))
    await asyncio.gather(*running)
    if late:
        print(f"{len(late)} requests were asked to come again", flush=True)
    return taken


async def serve_ceiling(address: str, dsn: str) -> None:
    """Be the bare server: one insert, one answer."""
    pool = await asyncpg.create_pool(dsn, min_size=10, max_size=10)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = await Request(scope, receive).body()
        fields = dict(parse_qsl(body.decode()))
        await pool.execute(
            "insert into bare_texts (sid, payload) values ($1, $2) on conflict do nothing",
            fields["MessageSid"],
            json.dumps(fields),
        )
        await Response(b"<Response></Response>", media_type="text/xml")(scope, receive, send)

    server = HttpServer("ceiling", app, address)
    await server.start()
    await asyncio.Event().wait()


@asynccontextmanager
async def process(
    arguments: list[str], environment: Mapping[str, str], log: Path, address: str
) -> AsyncIterator[psutil.Process]:
    """Run a program until the block ends; it is there once it listens."""
    with log.open("wb") as output:
        started = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env={**os.environ, **environment}, stdout=output, stderr=output
        )
        try:
            host, _, port = address.rpartition(":")
            until = time.monotonic() + _START_SECONDS
            while True:
                try:
                    _, writer = await asyncio.open_connection(host, int(port))
                    writer.close()
                    break
                except OSError:
                    if started.returncode is not None or time.monotonic() > until:
                        raise RuntimeError(log.read_text()[-2000:]) from None
                    await asyncio.sleep(0.1)
            yield psutil.Process(started.pid)
        finally:
            if started.returncode is None:
                started.terminate()
            await started.wait()


def cpu_seconds(*processes: psutil.Process) -> list[float]:
    """Return what each process has used of the processors."""
    return [one.cpu_times().user + one.cpu_times().system for one in processes]


def told(taken: list[float]) -> str:
    """Say percentiles."""
    cuts = statistics.quantiles(taken, n=1000)
    return (
        f"p50 {cuts[499] * 1000:.1f} ms, p95 {cuts[949] * 1000:.1f} ms, p99 {cuts[989] * 1000:.1f} ms,"
        f" longest {max(taken) * 1000:.0f} ms"
    )


async def drained(database: Database) -> float:
    """Wait until every text was worked on, and return how long that took."""
    began = time.monotonic()
    while True:
        async with database.platform_transaction() as connection:
            waiting = int((await connection.execute(sql("select count(*) from due_inbound"))).scalar_one())
        if waiting == 0:
            return time.monotonic() - began
        if time.monotonic() - began > _DRAIN_SECONDS:
            raise RuntimeError(f"{waiting} texts were not worked on")
        await asyncio.sleep(0.1)


async def main(wanted: argparse.Namespace) -> None:
    """Measure and print."""
    key = Ed25519PrivateKey.generate()
    signing = {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": "gateway"}
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "gateway", "scopes": ["*"]}
    with tempfile.TemporaryDirectory(dir=os.environ.get("CARNET_BENCH_DIR")) as directory:
        folder = Path(directory)
        async with running_servers(folder, durable=True) as servers:
            environments: dict[str, dict[str, str]] = {}
            for service, versions in (("messaging", MESSAGING_VERSIONS), ("gateway", GATEWAY_VERSIONS)):
                database = await ensure_service_database(
                    servers.postgres_url, service, owner_password="owner", runtime_password="runtime"
                )
                await upgrade(versions, database.owner_url)
                environments[service] = {
                    "CARNET_DATABASE_URL": database.runtime_url,
                    "CARNET_NATS_URL": servers.nats_url(service),
                    "CARNET_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
                    "CARNET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
                    "CARNET_SIGNING_KEY": json.dumps(signing),
                    "CARNET_CALLER_KEYS": json.dumps({"keys": [public]}),
                    "CARNET_LOG_LEVEL": "WARNING",
                    "CARNET_PUBLIC_URL": PUBLIC_URL,
                    **{
                        f"CARNET_{name}_ADDRESS": "127.0.0.1:1"
                        for name in ("PROFILES", "OUTREACH", "WAITLIST", "APPOINTMENTS")
                    },
                }
            environments["messaging"] |= {
                "CARNET_SUPPRESSION_KEY": "a key of this benchmark, long enough",
                "CARNET_LINK_KEY": "another key of this benchmark, long enough",
                "CARNET_OBJECTS_DIR": str(folder / "objects"),
                "CARNET_CARRIER": "off",
                "CARNET_TWILIO_AUTH_TOKENS": TOKEN,
            }
            http_address = f"127.0.0.1:{free_port()}"
            environments["gateway"] |= {
                "CARNET_HTTP_ADDRESS": http_address,
                "CARNET_MESSAGING_ADDRESS": environments["messaging"]["CARNET_GRPC_ADDRESS"],
                "CARNET_VALKEY_URL": servers.valkey_url,
                "CARNET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
            }
            admin = await asyncpg.connect(servers.postgres_url)
            await admin.execute("create table bare_texts (sid text primary key, payload jsonb not null)")
            clock = SystemClock()
            reading = Database(
                connect(environments["messaging"]["CARNET_DATABASE_URL"], pool_size=2, application="bench"),
                source="bench",
                clock=clock,
            )
            async with reading.transaction(CHAIN) as tx:
                await senders.add(
                    tx, Sender("snd_bench", "sto_bench", STORE_PHONE, "Bench", datetime.now(UTC))
                )
            bare_address = f"127.0.0.1:{free_port()}"
            async with (
                process(
                    [__file__, "--ceiling", bare_address, servers.postgres_url],
                    {},
                    folder / "bare.log",
                    bare_address,
                ),
                process(
                    ["-m", "messaging", "serve"],
                    environments["messaging"],
                    folder / "messaging.log",
                    environments["messaging"]["CARNET_GRPC_ADDRESS"],
                ) as texting,
                process(
                    ["-m", "gateway", "serve"], environments["gateway"], folder / "gateway.log", http_address
                ) as door,
                httpx.AsyncClient(trust_env=False, timeout=30) as http,
            ):
                numbers = texts()
                await load(http, f"http://{http_address}{PATH}", numbers, 20, 2)  # connections, caches
                await load(http, f"http://{bare_address}/", texts(), 20, 2)
                used = cpu_seconds(door, texting)
                ours: list[float] = []
                bare: list[float] = []
                bare_numbers = itertools.count(1_000_000)
                for number in range(1, wanted.rounds + 1):
                    seconds = wanted.seconds / wanted.rounds
                    bare_round = await load(
                        http, f"http://{bare_address}/", bare_numbers, wanted.rate, seconds
                    )
                    our_round = await load(
                        http, f"http://{http_address}{PATH}", numbers, wanted.rate, seconds
                    )
                    drain = await drained(reading)
                    print(
                        f"round {number}: {len(our_round)} texts: {told(our_round)}; worked on {drain:.1f} s after the"
                        f" last; bare: {told(bare_round)}",
                        flush=True,
                    )
                    ours += our_round
                    bare += bare_round
                used = [now - before for now, before in zip(cpu_seconds(door, texting), used, strict=True)]
                sent = next(numbers) - 1
                async with reading.transaction(CHAIN) as tx:
                    found = await tx.execute(
                        "select count(*), count(distinct provider_message_id) from messages where direction = 'INBOUND'"
                    )
                    row = found.one()
                if tuple(row) != (sent, sent):
                    raise RuntimeError(f"{sent} texts became {tuple(row)} messages")
                ratio = statistics.quantiles(ours, n=100)[98] / statistics.quantiles(bare, n=100)[98]
                print(
                    f"all: {told(ours)}; bare: {told(bare)}; ratio of the p99s {ratio:.1f}; {sent} texts, once each"
                )
                each = [seconds * 1000 / len(ours) for seconds in used]
                print(
                    f"processor time a text: gateway {each[0]:.1f} ms, messaging with all its work {each[1]:.1f} ms"
                )
            await reading.stop()
            await admin.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ceiling"]:
        uvloop.run(serve_ceiling(sys.argv[2], sys.argv[3]))
    else:
        parser = argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--rate", type=int, default=100)
        parser.add_argument("--seconds", type=float, default=30)
        parser.add_argument("--rounds", type=int, default=3)
        uvloop.run(main(parser.parse_args()))
