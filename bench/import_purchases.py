"""How fast a file of purchases goes in: CDNOW_master.txt through the real gRPC server onto a real Postgres.

    .venv/bin/python bench/import_purchases.py [path of CDNOW_master.txt]

Prints the time, lines a second, CPU by line of the service and its peak memory, for the first run and for a repeat,
beside the time that Postgres takes for a bare COPY of the same lines in the same run. The file comes from the argument,
from CARNET_CDNOW_DIR, or from .carnet/data/cdnow.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import uvloop
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import profiles_pb2_grpc
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from carnet_local.databases import ensure_service_database
from carnet_local.servers import running_servers
from chassis.caller import Caller, CallerSigner, set_caller
from chassis.clock import SystemClock
from chassis.migrations import upgrade
from chassis.testing import channel_to, free_port, running
from profiles.bootstrap import build
from profiles.config import Settings
from profiles.migrations import VERSIONS

_NAME = "CDNOW_master.txt"
_COLUMNS = {
    "customer_id": "client_external_id",
    "date": "purchase_date",
    "number_of_cds": "quantity",
    "dollar_value": "amount",
}
_SCOPES = frozenset({"chains:write", "directory:write", "imports:write"})


def find_file() -> Path:
    """Return where the file is; exits with one line when it is nowhere."""
    places = [Path(argument) for argument in sys.argv[1:]]
    if folder := os.environ.get("CARNET_CDNOW_DIR"):
        places.append(Path(folder) / _NAME)
    places.append(Path(__file__).parents[1] / ".carnet/data/cdnow" / _NAME)
    for place in places:
        if place.is_file():
            return place
    sys.exit(f"{_NAME} is not there; looked at {', '.join(map(str, places))}")


async def content_of(path: Path, import_id: str) -> AsyncIterator[pb.UploadImportContentRequest]:
    """Yield the messages of an upload."""
    yield pb.UploadImportContentRequest(import_id=import_id)
    with path.open("rb") as file:
        while chunk := file.read(64 * 1024):
            yield pb.UploadImportContentRequest(content=chunk)


async def bare_copy(url: str, path: Path) -> float:
    """Return the seconds that Postgres takes for the same lines in a table without anything on it."""
    rows = [(a, b, int(c), d) for a, b, c, d in (line.split() for line in path.read_text().splitlines()[1:])]
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("create temp table bare (client text, day text, quantity int, amount text)")
        started = time.perf_counter()
        await connection.copy_records_to_table("bare", records=rows)
        return time.perf_counter() - started
    finally:
        await connection.close()


def cpu_seconds() -> float:
    """Return what this process used so far; server and client run in it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    """Measure and print."""
    path = find_file()
    key = Ed25519PrivateKey.generate()
    signing = {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": "gateway"}
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "gateway", "scopes": ["*"]}
    with tempfile.TemporaryDirectory() as directory:
        async with running_servers(Path(directory), durable=True) as servers:
            database = await ensure_service_database(
                servers.postgres_url, "profiles", owner_password="owner", runtime_password="runtime"
            )
            await upgrade(VERSIONS, database.owner_url)
            settings = Settings.model_validate(
                {
                    "database_url": database.runtime_url,
                    "nats_url": servers.nats_url("profiles"),
                    "grpc_address": f"127.0.0.1:{free_port()}",
                    "metrics_address": f"127.0.0.1:{free_port()}",
                    "signing_key": json.dumps(signing),
                    "caller_keys": json.dumps({"keys": [public]}),
                    "suppression_key": "k" * 32,
                    "encryption_key": Fernet.generate_key().decode(),
                    "outreach_address": "127.0.0.1:1",
                    "messaging_address": "127.0.0.1:1",
                    "waitlist_address": "127.0.0.1:1",
                    "appointments_address": "127.0.0.1:1",
                }
            )
            signer = CallerSigner(settings.signing_key, SystemClock())
            async with (
                running(build(settings), without=("consumer",)) as address,
                channel_to(address) as channel,
            ):
                stub = profiles_pb2_grpc.ProfilesServiceStub(channel)
                set_caller(signer.sign(Caller("", "bench", "admin", _SCOPES)))
                chain = await stub.CreateChain(
                    pb.CreateChainRequest(
                        display_name="Bench", country="US", currency_code="USD", time_zone="America/New_York"
                    )
                )
                set_caller(signer.sign(Caller(chain.chain_id, "bench", "admin", _SCOPES)))
                store = await stub.CreateStore(
                    pb.CreateStoreRequest(display_name="Bench", country="US", time_zone="America/New_York")
                )
                announced = await stub.CreateImport(
                    pb.CreateImportRequest(
                        source="cdnow",
                        file_name=_NAME,
                        format=pb.IMPORT_FORMAT_DELIMITED,
                        delimiter=" ",
                        columns=_COLUMNS,
                        store_id=store.store_id,
                    )
                )
                copied = await bare_copy(database.runtime_url, path)
                print(f"bare COPY of the same lines: {copied:.2f} s")
                for run in ("first run", "repeat"):
                    cpu, started = cpu_seconds(), time.perf_counter()
                    done = await stub.UploadImportContent(content_of(path, announced.import_id))
                    seconds = time.perf_counter() - started
                    spent = (cpu_seconds() - cpu) / done.lines_read * 1e6
                    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                    print(
                        f"{run}: {done.lines_read} lines in {seconds:.2f} s ({done.lines_read / seconds:.0f} lines/s), "
                        f"{spent:.0f} us CPU a line (client, server and relay in one process), peak {peak:.0f} MB; "
                        f"{done.clients_created} clients and {done.purchases_created} purchases new, "
                        f"{done.purchases_unchanged} lines unchanged, {done.lines_refused} refused"
                    )


if __name__ == "__main__":
    uvloop.run(main())
