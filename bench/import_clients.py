"""How fast a chain's clients and purchases go in, from the upload to the facts in outreach.

    python bench/import_clients.py [--clients 1000000] [--purchases 3] [--rounds 4] [--batch-lines 1000]

Invents a chain's clients (names as unevenly spread as names are, phone, e-mail, birthday, address, tags) with that
many purchases each, and sends them through the real gRPC server of a profiles process, while an outreach process keeps
its facts: servers, services and databases as `make up` runs them, on disks that sync. Time runs from the first byte of
a round's two files until outreach has taken in every event of them. The upload goes on for a while after that: it makes
clients findable by what they bought and counts that for segments, each once; when that is through is printed beside it,
with the ratio for all of it.

Each round is followed by its ceiling: the same rows by COPY into the same tables of a second pair of databases, with
the same indexes, triggers and policies, as only the superuser may, and then the same batches published to a stream by a
window of 100. Prints the seconds of both and their ratio, the processor time that both took (which says more on a
machine that others use, too), and the most memory that either service ever had.

The pass that looks for duplicates and the ranking that an import asks for do not run: they are no part of it.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import nats
import uvloop
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import profiles_pb2_grpc
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from nats.js.api import RetentionPolicy, StorageType

from carnet_local.databases import ServiceDatabase, ensure_service_database
from carnet_local.nats_permissions import ADMIN
from carnet_local.servers import Servers, running_servers
from chassis.caller import Caller, CallerSigner, set_caller
from chassis.clock import SystemClock
from chassis.ids import new_id
from chassis.migrations import upgrade
from chassis.testing import channel_to, free_port
from outreach.bootstrap import VERSIONS as OUTREACH_VERSIONS
from profiles.migrations import VERSIONS as PROFILES_VERSIONS

_SCOPES = frozenset({"chains:write", "directory:write", "imports:write", "imports:read"})
_CHUNK = 256 * 1024
_WINDOW = 100  # as the outbox relay publishes
_NO_RANKING = """
    create function no_ranking() returns trigger language plpgsql as 'begin return null; end';
    create trigger no_ranking before insert on scoring_requests for each row execute function no_ranking();
"""
_LANDED = "carnet.profiles.import_batch.landed.v1"
_GIVEN = [
    "Maria",
    "Jose",
    "John",
    "James",
    "Ana",
    "Robert",
    "Michael",
    "William",
    "David",
    "Mary",
    "Carmen",
    "Linda",
    "Richard",
    "Juan",
    "Zoë",
    "Björn",
]
_FAMILY = [
    "Garcia",
    "Smith",
    "Johnson",
    "Rodriguez",
    "Martinez",
    "Williams",
    "Brown",
    "Jones",
    "Lopez",
    "O'Brien",
    "Müller",
    "Dubois",
    "Novák",
]
_ONSETS = [
    "b",
    "br",
    "c",
    "d",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "z",
]
_RIMES = [
    "a",
    "al",
    "an",
    "ar",
    "e",
    "el",
    "en",
    "er",
    "i",
    "in",
    "is",
    "o",
    "ol",
    "on",
    "or",
    "u",
    "un",
    "ur",
]
_CITIES = (("New York", "NY", "10"), ("Boston", "MA", "02"), ("Chicago", "IL", "60"), ("Austin", "TX", "78"))
_PIECES = (
    ("ring", "platinum", "diamond"), ("ring", "yellow gold", "sapphire"), ("pendant", "white gold", "ruby"),
    ("earrings", "rose gold", "pearl"), ("watch", "steel", ""), ("bracelet", "silver", ""),
)  # fmt: skip
_CLIENT_COLUMNS = {
    "Customer No": "client_external_id", "First Name": "given_name", "Last Name": "family_name", "Mobile": "phone",
    "E-Mail": "email", "Date of Birth": "birthday", "Street": "address_line_1", "City": "locality",
    "State": "region", "Zip": "postal_code", "Groups": "tags",
}  # fmt: skip
_PURCHASE_COLUMNS = {
    "Receipt": "purchase_external_id", "Customer No": "client_external_id", "Date": "purchase_date",
    "Amount": "amount", "Category": "category", "Metal": "metal", "Stone": "stone", "Reference": "reference",
    "Tender": "payment_kind",
}  # fmt: skip

# What a round brought, by the column whose ids are of this round; clients before what hangs on them.
_PROFILES_TABLES = {
    "clients": "client_id", "contact_points": "client_id", "occasions": "client_id", "client_search": "client_id",
    "assignments": "client_id", "purchases": "purchase_id",
    "purchase_lines": "purchase_id", "purchase_payments": "purchase_id", "timeline_entries": "subject_id",
}  # fmt: skip
_OUTREACH_TABLES = {"clients": "client_id", "purchases": "purchase_id"}


def made_names(chance: random.Random, count: int) -> list[str]:
    """Return names of syllables."""
    names: dict[str, None] = {}
    while len(names) < count:
        length = chance.choices((2, 3, 4), (5, 4, 1))[0]
        names["".join(chance.choice(_ONSETS) + chance.choice(_RIMES) for _ in range(length)).capitalize()] = (
            None
        )
    return list(names)


def write_files(folder: Path, numbers: range, purchases: int, chance: random.Random) -> tuple[Path, Path]:
    """Write a file of clients and one of their purchases, and return where they are."""
    given, family = [*_GIVEN, *made_names(chance, 5_000)], [*_FAMILY, *made_names(chance, 60_000)]
    given_weights = list(accumulate(1 / (rank + 8) for rank in range(len(given))))
    family_weights = list(accumulate(1 / (rank + 12) for rank in range(len(family))))
    clients_file, purchases_file = (
        folder / f"clients-{numbers.start}.csv",
        folder / f"purchases-{numbers.start}.csv",
    )
    with clients_file.open("w", encoding="utf-8") as file:
        file.write(",".join(_CLIENT_COLUMNS) + "\n")
        for number in numbers:
            first = chance.choices(given, cum_weights=given_weights)[0]
            last = chance.choices(family, cum_weights=family_weights)[0]
            city, state, code = chance.choice(_CITIES)
            phone = (
                f"+1{chance.choice((212, 617, 312, 512))}{chance.randrange(200, 1000)}{number % 10_000:04}"
            )
            born = date(1940, 1, 1) + timedelta(days=chance.randrange(23_000))
            tags = "vip" if chance.random() < 0.03 else ""
            file.write(
                f"C{number:08},{first},{last},{phone},{first}.{last}{number}@mail.example,{born},"
                f"{chance.randrange(1, 900)} Main St,{city},{state},{code}{chance.randrange(1000):03},{tags}\n"
            )
    with purchases_file.open("w", encoding="utf-8") as file:
        file.write(",".join(_PURCHASE_COLUMNS) + "\n")
        for receipt in range(numbers.start * purchases, numbers.stop * purchases):
            client = chance.randrange(numbers.start, numbers.stop)
            day = date(2016, 1, 1) + timedelta(days=chance.randrange(3_600))
            category, metal, stone = chance.choice(_PIECES)
            tender = "cash" if chance.random() < 0.02 else "card"
            file.write(
                f"R{receipt:09},C{client:08},{day},{chance.randrange(50, 5000)}.{chance.randrange(100):02},"
                f"{category},{metal},{stone},REF-{chance.randrange(4000)},{tender}\n"
            )
    return clients_file, purchases_file


@dataclass
class Process:
    """A service in a process of its own."""

    name: str
    address: str
    child: asyncio.subprocess.Process

    def peak_megabytes(self) -> int:
        """Return the most memory that it ever had."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
        return 0

    def cpu_seconds(self) -> float:
        """Return what it used so far."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def until_ready(address: str, child: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until a service says that it is ready; exits with the end of its log when it ends instead."""
    async with httpx.AsyncClient() as http:
        while child.returncode is None:
            try:
                if (await http.get(f"http://{address}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit(log.read_text()[-3000:])


def postgres_cpu_seconds(postmaster: int) -> float:
    """Return what the server's processes used so far, those that ended too."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(folder.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serving(service: str, environment: dict[str, str], log: Path) -> AsyncIterator[Process]:
    """Run a service until the end of a with block."""
    with log.open("wb") as output:
        command = [sys.executable, "-m", service, "serve"]
        if folder := os.environ.get("CARNET_BENCH_PROFILE"):
            command = [
                sys.executable,
                "-m",
                "cProfile",
                "-o",
                f"{folder}/{service}.prof",
                "-m",
                service,
                "serve",
            ]
        child = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **environment}, stdout=output, stderr=output
        )
        try:
            await until_ready(environment["CARNET_METRICS_ADDRESS"], child, log)
            yield Process(service, environment["CARNET_GRPC_ADDRESS"], child)
        except BaseException:
            print(log.read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            child.terminate()
            await child.wait()


async def content_of(path: Path, import_id: str) -> AsyncIterator[pb.UploadImportContentRequest]:
    """Yield the messages of an upload."""
    yield pb.UploadImportContentRequest(import_id=import_id)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield pb.UploadImportContentRequest(content=chunk)


class Bench:
    """Everything that runs, and what was measured."""

    def __init__(
        self, servers: Servers, databases: dict[str, ServiceDatabase], profiles: Process, outreach: Process
    ) -> None:
        self._servers = servers
        self._urls = databases
        self._profiles = profiles
        self._outreach = outreach

    def superuser_url(self, database: str) -> str:
        """Return the superuser's way into a database."""
        return urlunsplit(urlsplit(self._servers.postgres_url)._replace(path=f"/{database}"))

    async def prepare(self) -> None:
        """Open the chain and copy the empty databases for the ceiling."""
        superuser = await asyncpg.connect(self._servers.postgres_url)
        try:
            for service in ("profiles", "outreach"):
                await superuser.execute(
                    f"create database ceiling_{service} template {service} owner {service}_owner"
                )
        finally:
            await superuser.close()
        outreach = await asyncpg.connect(self.superuser_url("outreach"))
        try:
            await outreach.execute(_NO_RANKING)
        finally:
            await outreach.close()
        self._nats = await nats.connect(self._servers.nats_url(ADMIN))
        self._jetstream = self._nats.jetstream(timeout=10)
        await self._jetstream.add_stream(
            name="CEILING", subjects=["ceiling.>"], retention=RetentionPolicy.LIMITS, storage=StorageType.FILE
        )

    async def close(self) -> None:
        """Leave the broker."""
        await self._nats.close()

    async def events_are_taken_in(self) -> None:
        """Wait until the outbox is empty and outreach has acknowledged everything of profiles."""
        database = await asyncpg.connect(self.superuser_url("profiles"))
        try:
            while await database.fetchval("select exists (select from outbox where published_at is null)"):
                await asyncio.sleep(0.05)
        finally:
            await database.close()
        while True:
            consumers = await self._jetstream.consumers_info("PROFILES")
            ours = [one for one in consumers if one.name.startswith("outreach-")]
            if ours and not any(one.num_pending or one.num_ack_pending for one in ours):
                return
            await asyncio.sleep(0.05)

    async def import_round(
        self, stub: profiles_pb2_grpc.ProfilesServiceStub, sign: Callable[[], None], store_id: str,
        associate_ids: Sequence[str], files: Sequence[tuple[Path, dict[str, str], int]],
    ) -> tuple[float, float]:  # fmt: skip
        """Send a round's files; return the seconds until outreach has their facts, and until the last call returned.

        The call returns when every client is found by what was bought, too.
        """
        started = time.perf_counter()
        for path, columns, lines in files:
            sign()
            begun = time.perf_counter()
            announced = await stub.CreateImport(
                pb.CreateImportRequest(
                    source="pos", file_name=path.name, format=pb.IMPORT_FORMAT_DELIMITED, columns=columns,
                    store_id=store_id, associate_ids=associate_ids,
                )
            )  # fmt: skip
            upload = asyncio.ensure_future(stub.UploadImportContent(content_of(path, announced.import_id)))
            read = pb.GetImportRequest(import_id=announced.import_id)
            while not upload.done():
                sign()
                if (await stub.GetImport(read)).lines_read == lines:
                    break
                await asyncio.sleep(0.1)
            if path is files[-1][0]:
                await self.events_are_taken_in()
                known = time.perf_counter() - started
            done = await upload
            if done.state != pb.IMPORT_STATE_COMPLETED or done.lines_refused or done.lines_read != lines:
                raise SystemExit(f"{path.name}: {done}")
            seconds = time.perf_counter() - begun
            print(f"    {path.name}: {lines} lines in {seconds:.1f} s, {lines / seconds:.0f}/s")
        return known, time.perf_counter() - started

    async def ceiling_round(self, folder: Path, marker: str, position: int) -> tuple[float, float]:
        """Return the seconds of COPY of what came after `marker` and of publishing its batches raw."""
        copying = 0.0
        parts: list[str] = []
        for service, tables in (("profiles", _PROFILES_TABLES), ("outreach", _OUTREACH_TABLES)):
            real = await asyncpg.connect(self.superuser_url(service))
            other = await asyncpg.connect(self.superuser_url(f"ceiling_{service}"))
            try:
                for table, column in tables.items():
                    columns = [
                        row[0]
                        for row in await real.fetch(
                            "select column_name from information_schema.columns where table_name = $1 and"
                            " is_identity = 'NO' and is_generated = 'NEVER' and column_name <> 'changed_in'"
                            " and table_schema = 'public' order by ordinal_position",
                            table,
                        )
                    ]
                    rows = folder / f"{table}.copy"
                    await real.copy_from_query(
                        f"select {', '.join(columns)} from {table}"
                        f" where split_part({column}, '_', 2) > '{marker}'",
                        output=rows,
                        format="binary",
                    )
                    started = time.perf_counter()
                    await other.copy_to_table(table, source=rows, columns=columns, format="binary")
                    seconds = time.perf_counter() - started
                    copying += seconds
                    parts.append(f"{service}.{table} {seconds:.1f}")
                    rows.unlink()
            finally:
                await real.close()
                await other.close()
        database = await asyncpg.connect(self.superuser_url("profiles"))
        try:
            bodies = [
                row[0]
                for row in await database.fetch(
                    "select body from outbox where position > $1 and event_type = $2 order by position",
                    position,
                    _LANDED,
                )
            ]
        finally:
            await database.close()
        print(f"    COPY: {', '.join(parts)}")
        started = time.perf_counter()
        for start in range(0, len(bodies), _WINDOW):
            await asyncio.gather(
                *(self._jetstream.publish("ceiling.batch", body) for body in bodies[start : start + _WINDOW])
            )
        return copying, time.perf_counter() - started

    async def newest_position(self) -> int:
        """Return the position of the newest event."""
        database = await asyncpg.connect(self.superuser_url("profiles"))
        try:
            return int(await database.fetchval("select coalesce(max(position), 0) from outbox"))
        finally:
            await database.close()

    async def compare_facts(self) -> None:
        """Stop when outreach has not what profiles has."""
        counts = []
        for service in ("profiles", "outreach"):
            database = await asyncpg.connect(self.superuser_url(service))
            try:
                counts.append(
                    [await database.fetchval(f"select count(*) from {table}") for table in _OUTREACH_TABLES]
                )
            finally:
                await database.close()
        if counts[0] != counts[1]:
            raise SystemExit(f"profiles and outreach differ: {counts}")

    def cpu_seconds(self) -> float:
        """Return what Postgres and both services used so far."""
        return (
            postgres_cpu_seconds(self._servers.postgres.pid)
            + self._profiles.cpu_seconds()
            + self._outreach.cpu_seconds()
        )

    def memory(self) -> str:
        """Say how much memory and processor time each service took so far."""
        return ", ".join(
            f"{one.name} {one.peak_megabytes()} MB and {one.cpu_seconds():.0f} s CPU"
            for one in (self._profiles, self._outreach)
        )


def slices(clients: int, rounds: int) -> Iterator[range]:
    """Yield the clients of each round."""
    for number in range(rounds):
        yield range(clients * number // rounds, clients * (number + 1) // rounds)


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1_000_000)
    parser.add_argument("--purchases", type=int, default=3, help="of each client on average")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--batch-lines", type=int, default=1000)
    wanted = parser.parse_args()
    key = Ed25519PrivateKey.generate()
    signing = {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": "gateway"}
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "gateway", "scopes": ["*"]}
    with tempfile.TemporaryDirectory(dir=os.environ.get("CARNET_BENCH_DIR")) as directory:
        folder = Path(directory)
        async with running_servers(folder, durable=True) as servers:
            databases: dict[str, ServiceDatabase] = {}
            for service, versions in (("profiles", PROFILES_VERSIONS), ("outreach", OUTREACH_VERSIONS)):
                databases[service] = await ensure_service_database(
                    servers.postgres_url, service, owner_password="owner", runtime_password="runtime"
                )
                await upgrade(versions, databases[service].owner_url)
            ports: list[int] = []
            for _ in range(4):
                ports.append(free_port())
            both = {
                "CARNET_SIGNING_KEY": json.dumps(signing),
                "CARNET_CALLER_KEYS": json.dumps({"keys": [public]}),
                "CARNET_LOG_LEVEL": "WARNING",
                **{
                    f"CARNET_{name}_ADDRESS": "127.0.0.1:1"
                    for name in ("PROFILES", "OUTREACH", "MESSAGING", "WAITLIST", "APPOINTMENTS")
                },
            }

            def environment(service: str, number: int) -> dict[str, str]:
                return both | {
                    "CARNET_DATABASE_URL": databases[service].runtime_url,
                    "CARNET_NATS_URL": servers.nats_url(service),
                    "CARNET_GRPC_ADDRESS": f"127.0.0.1:{ports[2 * number]}",
                    "CARNET_METRICS_ADDRESS": f"127.0.0.1:{ports[2 * number + 1]}",
                }

            profiles_environment = environment("profiles", 0) | {
                "CARNET_SUPPRESSION_KEY": "a key of this benchmark, long enough",
                "CARNET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
                "CARNET_OBJECTS_DIR": str(folder / "objects"),
                "CARNET_DUPLICATE_POLL_SECONDS": "600",
                "CARNET_IMPORT_BATCH_LINES": str(wanted.batch_lines),
            }
            outreach_environment = environment("outreach", 1)
            # The copies for the ceiling are made while nobody is connected.
            bench = Bench(servers, databases, None, None)  # type: ignore[arg-type]
            await bench.prepare()
            async with (
                serving("profiles", profiles_environment, folder / "profiles.log") as profiles,
                serving("outreach", outreach_environment, folder / "outreach.log") as outreach,
                channel_to(profiles.address) as channel,
            ):
                bench._profiles, bench._outreach = profiles, outreach
                stub = profiles_pb2_grpc.ProfilesServiceStub(channel)
                signer = CallerSigner(json.dumps(signing), SystemClock())
                set_caller(signer.sign(Caller("", "bench", "admin", _SCOPES)))
                chain = await stub.CreateChain(
                    pb.CreateChainRequest(
                        display_name="Bench", country="US", currency_code="USD", time_zone="America/New_York"
                    )
                )
                caller = Caller(chain.chain_id, "bench", "admin", _SCOPES)
                set_caller(signer.sign(caller))
                store = await stub.CreateStore(
                    pb.CreateStoreRequest(display_name="Bench", country="US", time_zone="America/New_York")
                )
                associates = [
                    await stub.CreateAssociate(
                        pb.CreateAssociateRequest(
                            store_id=store.store_id,
                            display_name=f"A{number}",
                            email=f"a{number}@bench.example",
                        )
                    )
                    for number in range(20)
                ]
                chance = random.Random(7)
                totals = [0.0, 0.0, 0.0]
                for number, numbers in enumerate(slices(wanted.clients, wanted.rounds), 1):
                    files = write_files(folder, numbers, wanted.purchases, chance)
                    marker, position = new_id("x").partition("_")[2], await bench.newest_position()
                    cpu = [bench.cpu_seconds()]
                    seconds, returned = await bench.import_round(
                        stub,
                        lambda: set_caller(signer.sign(caller)),
                        store.store_id,
                        [one.associate_id for one in associates],
                        (
                            (files[0], _CLIENT_COLUMNS, len(numbers)),
                            (files[1], _PURCHASE_COLUMNS, len(numbers) * wanted.purchases),
                        ),
                    )
                    cpu.append(bench.cpu_seconds())
                    copying, publishing = await bench.ceiling_round(folder, marker, position)
                    cpu.append(bench.cpu_seconds())
                    for index, one in enumerate((seconds, copying, publishing)):
                        totals[index] += one
                    print(
                        f"round {number}: {len(numbers)} clients with {len(numbers) * wanted.purchases} purchases in"
                        f" {seconds:.1f} s; COPY {copying:.1f} s, publishing {publishing:.1f} s; ratio"
                        f" {(copying + publishing) / seconds:.2f}; found by everything after {returned:.1f} s, ratio"
                        f" {(copying + publishing) / returned:.2f};"
                        f" processors {cpu[1] - cpu[0]:.1f} s and {cpu[2] - cpu[1]:.1f} s;"
                        f" peak so far: {bench.memory()}",
                        flush=True,
                    )
                    for path in files:
                        path.unlink()
                await bench.compare_facts()
                print(
                    f"all: import {totals[0]:.1f} s, ceiling {totals[1] + totals[2]:.1f} s,"
                    f" ratio {(totals[1] + totals[2]) / totals[0]:.2f}"
                )
                await bench.close()


if __name__ == "__main__":
    uvloop.run(main())
