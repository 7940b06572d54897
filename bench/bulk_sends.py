"""How fast a bulk send is taken, and whether it goes out at the speed that the carrier allows.

    python bench/bulk_sends.py [--recipients 50000] [--texts 24000] [--speed 60] [--rounds 3] [--receipts delivered]

The whole platform as `make up` runs it, on disks that sync, with Twilio as its carrier: a stand-in in a process of its
own, over HTTP, that signs and calls back at the gateway with what became of each text.

Taking: CreateBulkSend with so many recipients over REST, from the first byte to the answer; beside it the ceiling, in
turns: COPY of the same rows into a table like `bulk_recipients`, as only the superuser may. Then reading its progress,
pausing and cancelling it. Draining: so many of the recipients are clients with numbers of their own who agreed, put
there by an import and by COPY; the time from the first to the last text that the carrier took, against what the
sender's speed promises.
"""

import argparse
import asyncio
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import uvloop

# The stand-in of the tests: one Twilio for both.
sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "messaging" / "tests"))

from twilio_stand_in import ACCOUNT, TOKEN, StoodIn, TwilioStandIn

from carnet_local import runner
from carnet_local.api import Api, Json
from carnet_local.databases import database_url
from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import House, open_house
from carnet_local.demo.telling import Teller
from carnet_local.ports import free_port
from carnet_local.process import ProcessRecord
from carnet_local.state import open_state, save_state
from carnet_local.terminal import Terminal

_BODY = "Fifth Avenue: the new pieces are in the case. Reply STOP to opt out."
_AREAS = ("212", "617", "312", "512")
_ROWS_A_PIECE = 20_000


def stand_in(port: int, record: str, receipts: tuple[str, ...]) -> None:
    """Be Twilio until the process is ended, and write down when each text was taken."""

    async def serve() -> None:
        async with httpx.AsyncClient(
            timeout=30, trust_env=False, limits=httpx.Limits(max_connections=16)
        ) as http:

            async def deliver(method: str, url: str, headers: Any, body: bytes) -> tuple[int, bytes]:
                await asyncio.sleep(1)
                answer = await http.request(method, url, headers=dict(headers), content=body)
                return answer.status_code, answer.content

            with Path(record).open("a", buffering=1) as file:

                class Recording(TwilioStandIn):
                    def put(self, fields: Any) -> StoodIn:
                        file.write(f"{time.time():.4f} {fields['To'][0]}\n")
                        return super().put(fields)

                network = Recording(deliver=deliver, tells=receipts)
                await network.start(f"127.0.0.1:{port}")
                await asyncio.Event().wait()

    uvloop.run(serve())


@asynccontextmanager
async def platform(directory: Path, port: int) -> AsyncIterator[tuple[runner.Platform, Api]]:
    """Run everything, with the stand-in for a carrier."""
    os.environ |= {
        "CARNET_CARRIER": "twilio",
        "CARNET_TWILIO_ACCOUNT_SID": ACCOUNT,
        "CARNET_TWILIO_AUTH_TOKENS": TOKEN,
        "CARNET_TWILIO_BASE_URL": f"http://127.0.0.1:{port}",
    }
    state = open_state(directory)
    chosen: list[int] = [port]
    for _ in state.ports:
        chosen.append(free_port(avoid=chosen))
    save_state(directory, replace(state, ports=dict(zip(state.ports, chosen[1:], strict=True))))
    log = StringIO()
    try:
        async with (
            runner.platform(directory, Terminal(log), hurry=asyncio.Event()) as running,
            Api.at(running.state.api_url) as anybody,
        ):
            yield running, anybody
    except BaseException:
        print(log.getvalue())
        raise


async def bring_clients(house: House, running: runner.Platform, count: int) -> list[str]:
    """Import clients with numbers and put their consents down; return their ids."""
    lines = ["Customer No,First Name,Last Name,Mobile"]
    for number in range(count):
        phone = f"+1{_AREAS[number % 4]}{200 + number // 40_000}{number // 4 % 10_000:04}"
        lines.append(f"C{number:06},Ada,Client{number},{phone}")
    mapping = await house.admin.post(
        "/v1/import_mappings",
        {
            "display_name": "Bench",
            "source": "bench",
            "format": "IMPORT_FORMAT_DELIMITED",
            "columns": {
                "Customer No": "client_external_id",
                "First Name": "given_name",
                "Last Name": "family_name",
                "Mobile": "phone",
            },
            "delimiter": ",",
            "encoding": "utf-8",
        },
    )
    announced = await house.admin.post(
        "/v1/imports",
        {
            "source": "bench",
            "store_id": house.store_id,
            "format": "IMPORT_FORMAT_DELIMITED",
            "import_mapping_id": mapping["import_mapping_id"],
        },
    )

    async def content() -> AsyncIterator[bytes]:
        for start in range(0, len(lines), 5000):
            yield ("\n".join(lines[start : start + 5000]) + "\n").encode()

    await house.admin.upload(f"/v1/imports/{announced['import_id']}/content", content(), "text/csv")
    profiles = await asyncpg.connect(database_url(running.servers.postgres_url, "profiles"))
    # Somewhere where it is day, so that nothing waits for the morning.
    await profiles.execute("update clients set time_zone = $1", awake_zone(datetime.now(UTC)))
    rows = await profiles.fetch(
        "select c.client_id, c.chain_id, p.value from clients c join contact_points p using (client_id)"
        " where p.kind = 'phone' order by c.client_id"
    )
    await profiles.close()
    if len(rows) != count:
        raise SystemExit(f"{len(rows)} clients have a number, not {count}")
    now = datetime.now(UTC)
    messaging = await asyncpg.connect(database_url(running.servers.postgres_url, "messaging"))
    await messaging.copy_records_to_table(
        "permission_entries",
        columns=[
            "entry_id", "chain_id", "phone", "purpose", "change", "evidence", "source", "actor", "cause_id",
            "occurred_at", "recorded_at",
        ],
        records=[
            (
                f"prm_bench{number}", row["chain_id"], row["value"], "MARKETING", "GRANTED", "Yes", "consent",
                row["client_id"], f"con_bench{number}", now - timedelta(days=1), now,
            )
            for number, row in enumerate(rows)
        ],
    )  # fmt: skip
    await messaging.execute("vacuum analyze permission_entries")
    await messaging.close()
    return [row["client_id"] for row in rows]


def order(house: House, client_ids: list[str], **more: Any) -> Json:
    """Return a bulk send to clients."""
    return {
        "request_id": f"bench-{time.time_ns()}",
        "display_name": "Bench",
        "store_id": house.store_id,
        "purpose": "PURPOSE_MARKETING",
        "body": _BODY,
        "recipients": [{"client_id": client_id} for client_id in client_ids],
        **more,
    }


async def ceiling(url: str, client_ids: list[str], turn: int) -> float:
    """Copy the same rows; return the seconds."""
    connection = await asyncpg.connect(url)
    await connection.execute("drop table if exists bare")
    await connection.execute("create table bare (like bulk_recipients including all)")
    started = time.perf_counter()
    await connection.copy_records_to_table(
        "bare",
        columns=["chain_id", "bulk_send_id", "position", "client_id", "values", "message_id", "reason"],
        records=[
            ("chn_bench", f"blk_{turn}", position, client_id, None, "", "")
            for position, client_id in enumerate(client_ids, start=1)
        ],
    )
    took = time.perf_counter() - started
    await connection.execute("drop table bare")
    await connection.close()
    return took


async def take(house: House, running: runner.Platform, recipients: int, rounds: int) -> None:
    """Measure how long it takes until a bulk send is taken, read and taken back."""
    url = database_url(running.servers.postgres_url, "messaging")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    ours, theirs = [], []
    made: Json = {}
    for turn in range(rounds):
        client_ids = [f"cli_01kbench{turn}{number:014}" for number in range(recipients)]
        theirs.append(await ceiling(url, client_ids, turn))
        wanted = order(house, client_ids, send_time=later)
        started = time.perf_counter()
        made = await house.admin.post("/v1/bulk_sends", wanted)
        ours.append(time.perf_counter() - started)
        if int(made["recipient_count"]) != recipients:
            raise SystemExit(f"not all were taken: {made}")
    each = ", ".join(f"{one:.2f}" for one in ours)
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"{recipients} recipients taken in {each} s; COPY of the rows {statistics.median(theirs):.2f} s:"
        f" {ratio:.1f} times as long"
    )
    path = f"/v1/bulk_sends/{made['bulk_send_id']}"
    reads = []
    for _ in range(20):
        started = time.perf_counter()
        await house.admin.get(path)
        reads.append(time.perf_counter() - started)
    print(f"its progress is read in {1000 * statistics.median(reads):.0f} ms")
    for verb in ("pause", "resume", "cancel"):
        started = time.perf_counter()
        await house.admin.post(f"{path}:{verb}")
        print(f"{verb:7} {1000 * (time.perf_counter() - started):.0f} ms")


def processor_seconds(directory: Path, running: runner.Platform, network: int) -> dict[str, float]:
    """Return the processor time of each process until now; Postgres with the processes of its connections."""
    pids = {name: _pid(directory, name) for name in ("messaging", "gateway", "profiles", "outreach")}
    pids |= {"postgres": running.servers.postgres.pid, "carrier": network}
    took = dict.fromkeys(pids, 0.0)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        for name, pid in pids.items():
            if int(stat.parent.name) == pid:
                took[name] += sum(int(fields[place]) for place in (11, 12, 13, 14))
            elif name == "postgres" and int(fields[1]) == pid:
                took[name] += int(fields[11]) + int(fields[12])
    return {name: ticks / os.sysconf("SC_CLK_TCK") for name, ticks in took.items()}


def _pid(directory: Path, service: str) -> int:
    record = ProcessRecord.read(directory / "run" / f"{service}.json")
    if record is None:
        raise SystemExit(f"{service} does not run")
    return record.pid


async def drain(house: House, record: Path, client_ids: list[str], speed: float, within: float) -> None:
    """Measure how fast a bulk send goes out."""
    page = await house.admin.get("/v1/senders")
    [sender] = [one for one in page["senders"] if one["store_id"] == house.store_id]
    await house.admin.put(
        f"/v1/senders/{sender['sender_id']}",
        {"display_name": sender["display_name"], "segments_per_second": speed},
    )
    started = time.time()
    made = await house.admin.post("/v1/bulk_sends", order(house, client_ids))
    taken = time.time()
    path = f"/v1/bulk_sends/{made['bulk_send_id']}"
    while True:
        await asyncio.sleep(2)
        found = await house.admin.get(path)
        if found["state"] == "BULK_SEND_STATE_FINISHED" or time.time() - taken > within:
            break
    finished = time.time()
    texts = [line.split() for line in record.read_text().splitlines()]
    times = sorted(float(moment) for moment, _ in texts)
    if len({phone for _, phone in texts}) != len(texts):
        raise SystemExit("somebody got it twice")
    if len(times) < 2:
        raise SystemExit(f"nothing went out: {found}")
    between, promised = times[-1] - times[0], (len(times) - 1) / speed
    per_minute = [
        sum(start <= one - times[0] < start + 60 for one in times) for start in range(0, int(between), 60)
    ]
    print(f"taken in {taken - started:.2f} s, the first text {times[0] - taken:.1f} s later")
    print(
        f"{len(times)} texts in {between:.1f} s, promised at {speed:g}/s {promised:.1f} s:"
        f" {100 * (between / promised - 1):+.2f} %; each minute {per_minute}"
    )
    print(
        f"finished {finished - times[-1]:.1f} s after the last one: {found['counts']} {found['denied_by_reason']}"
    )


async def run(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        directory, record = Path(folder) / "carnet", Path(folder) / "texts"
        directory.mkdir()
        record.touch()
        port = free_port()
        network = multiprocessing.get_context("spawn").Process(
            target=stand_in,
            args=(port, str(record), tuple(filter(None, arguments.receipts.split(",")))),
            daemon=True,
        )
        network.start()
        try:
            async with platform(directory, port) as (running, anybody):
                house = await open_house(Teller(StringIO()), anybody, running.state.operator_key)
                house.admin.http.timeout = httpx.Timeout(120)
                await take(house, running, arguments.recipients, arguments.rounds)
                if arguments.texts:
                    client_ids = await bring_clients(house, running, arguments.texts)
                    print(f"{len(client_ids)} clients are there", flush=True)
                    within = 1.5 * arguments.texts / arguments.speed + 60
                    before = processor_seconds(directory, running, network.pid or 0)
                    await drain(house, record, client_ids, arguments.speed, within)
                    after = processor_seconds(directory, running, network.pid or 0)
                    each = {name: 1000 * (after[name] - before[name]) / arguments.texts for name in after}
                    told = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in each.items())
                    print(f"processor time in ms a text: {told}")
        finally:
            network.terminate()
            network.join()


def main() -> None:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=50_000)
    parser.add_argument("--texts", type=int, default=24_000)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--receipts", default="delivered", help="what the carrier says of each text")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
