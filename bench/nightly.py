"""The nightly run of a large chain beside the bare pipeline of numpy over COPY, and looking again at one client in 100.

    python bench/nightly.py [--clients 1000000 [5000000]] [--rounds 3] [--shared-buffers 4GB]

Invents a chain's clients with what is counted of them (a client_facts row each, visits, gifts, marks, occasions)
straight in the tables, 500 associates, and asks for a ranking as the night does: time runs from the request until the
queues are written. What runs is an outreach process as `make up` runs it, on disks that sync: fit, slices by jobs over
JetStream, every signal, top 50 of each associate, words, suggestions written over those of yesterday.

Each round is followed by its ceiling (`ceilings/nightly.py`), in a process of its own. Prints the seconds of both,
their ratio, the processor time that both took with Postgres (which says more on a machine that others use, too), the
memory that the outreach process and the ceiling ever had, and with two sizes the ratio of the runs.

Then one client in a hundred comes in for a second visit within a month, all at once: time runs until every one was
looked at again; and once more with everything that was told of them to be counted anew before. Prints the share of a
full run in seconds and in processor time.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from import_clients import Process, postgres_cpu_seconds, serving
from jwt.algorithms import OKPAlgorithm

import outreach
from carnet_local.account import own_refuge
from carnet_local.databases import ensure_service_database
from carnet_local.servers import Servers, ServerSettings, running_servers
from chassis.migrations import upgrade
from chassis.testing import free_port
from outreach.signals.book import GIFT_REACH_DAYS, MARKS, NEVER, VISIT_REACH_DAYS
from outreach.signals.finding import day_number
from outreach.store.chains import Chain
from outreach.store.refresh import GIFT, VISIT, basis_of

ASSOCIATES = 500
VERSIONS = Path(outreach.__file__).parent / "migrations" / "versions"

# Each client has one row of chances, from which everything else follows.
_CLIENTS = """
    create temporary table made as
    select n, $1 || '_' || n as client_id, random() as a, random() as b, random() as c, random() as d, random() as e,
        random() as f, random() as g
    from generate_series(1, $2) as n
"""
_FACTS = f"""
    with days as (
        select n, client_id, b, c, d, e, f, g,
            case when a < 0.25 then 0 else 1 + floor(-ln(random()) * 0.8)::int end as bought,
            30 + floor(b * 2900)::int as since
        from made
    ), dated as (
        select *, case when bought > 1 then 1 + floor((since - 1) * sqrt(c))::int else 0 end as span,
            floor(bought * exp(10 + 1.1 * (d + e + f - 1.5) * 2))::bigint as total from days
    )
    insert into client_facts (chain_id, number, client_id, associate, store, last_text, last_answer, purchase_days,
        first_purchase, last_purchase, last_visit, earlier_visit, home_days, touched, total_minor, home_repeat_minor,
        price_low_minor, price_high_minor, basis, changes_on)
    select $1, $2 + n, client_id, $3 + 1 + floor(g * {ASSOCIATES})::int, $3 + {ASSOCIATES} + 1 + floor(g * 40)::int,
        case when d < 0.06 then $4 - floor(d * 1000)::int else {NEVER} end,
        case when e < 0.02 then $4 - floor(e * 1000)::int else {NEVER} end,
        bought, case when bought > 0 then $4 - since else {NEVER} end,
        case when bought > 0 then $4 - since + span else {NEVER} end,
        case when f < 0.3 then $4 - 1 - floor(f * 1500)::int else {NEVER} end,
        case when f < 0.05 then $4 - 11 - floor(f * 1500)::int else {NEVER} end,
        bought, case when d < 0.1 then $4 - floor(d * 1000)::int else {NEVER} end,
        total, case when bought > 1 then total * (bought - 1) / bought else 0 end, 0, 0, $5, '9999-12-31'
    from dated
"""
_OTHERS = (
    """
    insert into clients (chain_id, client_id, number, associate_id, store_id, language, time_zone, version, touched_at)
        overriding system value
        select $1, client_id, $2 + n, 'asc_' || floor(g * 500)::int, 'sto_' || floor(g * 40)::int, 'en-US',
        'America/New_York', 1, now() - interval '2 days' from made
    """,
    f"""
    insert into client_days (chain_id, number, what, day, value)
        select $1, $2 + n, {VISIT}, $3 - 1 - floor(f * 1500)::int, 0 from made where f * 1500 < {VISIT_REACH_DAYS}
        union all
        select $1, $2 + n, {VISIT}, $3 - 11 - floor(f * 1500)::int, 0 from made where f < 0.05
        union all
        select $1, $2 + n, {GIFT}, $3 - floor(c * {GIFT_REACH_DAYS})::int, 1 + floor(d * 5)::int from made where e < 0.1
        union all
        select $1, $2 + n, mark, $3 - floor(d * 400)::int, 0 from made
            cross join generate_series(1, {len(MARKS) - 2}) as mark where (n + mark * 7) % 50 = 0
    """,
    """
    insert into client_occasions (chain_id, number, kind, year, season, recurrence, lead_days, relationship)
        select $1, $2 + n, 1, 0, (1 + floor(b * 12)::int) * 100 + 1 + floor(c * 28)::int, 0, -1, 0
            from made where d < 0.6
        union all
        select $1, $2 + n, 2, 2015, (1 + floor(c * 12)::int) * 100 + 1 + floor(b * 28)::int, 0, -1, 1
            from made where e < 0.25
    """,
)

_VISITS_COUNTED = """
    update client_facts set last_visit = $2, earlier_visit = $2 - 20 where chain_id = $1 and number % 100 = $3
"""
_VISITS_IN_REACH = f"""
    insert into client_days (chain_id, number, what, day, value)
    select chain_id, number, {VISIT}, day, 0 from client_facts, unnest(array[last_visit, earlier_visit]) as day
    where chain_id = $1 and number % 100 = $2
"""
_FACTS_BEHIND = (
    # Two lines each, as many days and as much money as was counted.
    """
    insert into purchases (chain_id, purchase_id, client_id, purchase_day, total_minor, currency_code, store_id, lines)
    select chain_id, client_id || '_' || n, client_id,
        date '1970-01-01' + first_purchase
            + (last_purchase - first_purchase) * (n - 1) / greatest(purchase_days - 1, 1),
        total_minor / purchase_days, 'USD', 'sto_1', jsonb_build_array(
            jsonb_build_array('brd_' || number % 40, 'Ring', 'Gold', 'Diamond', '', 1, total_minor / purchase_days / 2),
            jsonb_build_array('brd_' || (number + n) % 40, 'Bracelet', 'Silver', '', '', 1, 0))
    from client_facts, generate_series(1, purchase_days) as n where chain_id = $1 and number % 100 = $2
    """,
    """
    insert into visits (chain_id, visit_id, client_id, visited_at)
    select chain_id, client_id || '_' || day, client_id, (date '1970-01-01' + day + time '12:00') at time zone
        'America/New_York' from client_facts, unnest(array[last_visit, earlier_visit]) as day
    where chain_id = $1 and number % 100 = $2
    """,
)
_MARK_DUE = """
    insert into due_clients (chain_id, client_id, number, marked_at)
    select chain_id, client_id, number, now() from client_facts where chain_id = $1 and number % 100 = $2
"""
_MARK_UNCOUNTED = """
    insert into uncounted_clients (chain_id, client_id, queued_at, tastes)
    select chain_id, client_id, now(), false from client_facts where chain_id = $1 and number % 100 = $2
"""


async def make_chain(database: asyncpg.Connection, chain_id: str, clients: int) -> None:
    """Write a chain's clients; numbers of clients and names are given, as Postgres would."""
    started = time.perf_counter()
    chain = Chain(chain_id, "America/New_York", "USD")
    today = day_number(chain.today(datetime.now(UTC)))
    first = await database.fetchval("select coalesce(max(number), 0) from clients")
    name = await database.fetchval("select coalesce(max(number), 0) from numbered_names")
    await database.execute("set synchronous_commit = off; select setseed(0.4)")
    await database.execute(
        "insert into chains (chain_id, time_zone, currency_code) values ($1, $2, $3)",
        chain_id,
        chain.time_zone,
        chain.currency,
    )
    await database.execute(
        "insert into numbered_names (chain_id, name, number) overriding system value"
        " select $1, 'asc_' || n, $2 + 1 + n from generate_series(0, 499) as n union all"
        " select $1, 'sto_' || n, $2 + 501 + n from generate_series(0, 39) as n",
        chain_id,
        name,
    )
    await database.execute("drop table if exists made")
    await database.execute(_CLIENTS, chain_id, clients, timeout=1200)
    await database.execute(_FACTS, chain_id, first, name, today, basis_of(chain), timeout=1200)
    await database.execute(_OTHERS[0], chain_id, first, timeout=1200)
    await database.execute(_OTHERS[1], chain_id, first, today, timeout=1200)
    await database.execute(_OTHERS[2], chain_id, first, timeout=1200)
    await database.execute("drop table made")
    for table in ("clients", "client_facts", "client_days", "client_occasions"):
        await database.execute(f"vacuum analyze {table}", timeout=1200)
    await database.execute("checkpoint", timeout=600)
    print(f"{chain_id}: {clients} clients made in {time.perf_counter() - started:.0f} s", flush=True)


async def rank(database: asyncpg.Connection, chain_id: str) -> float:
    """Ask for a ranking as the night does; return the seconds until its queues are written."""
    # What stands there is of yesterday.
    await database.execute(
        "update suggestions set as_of = as_of - 1, updated_at = updated_at - interval '1 day' where chain_id = $1",
        chain_id,
    )
    await database.execute("checkpoint")
    started = time.perf_counter()
    await database.execute(
        "insert into scoring_requests (chain_id, requested_at, due_at, reason) values ($1, now(), now(), 'night')",
        chain_id,
    )
    while await database.fetchval(
        "select exists (select from scoring_requests where chain_id = $1)", chain_id
    ):
        if time.perf_counter() - started > 300:
            raise SystemExit("the ranking does not end")
        await asyncio.sleep(0.01)
    return time.perf_counter() - started


async def come_in_again(database: asyncpg.Connection, chain_id: str, which: int, *, with_facts: bool) -> None:
    """Have the clients whose number leaves a remainder of a hundred come in twice within a month.

    `with_facts` writes what that, and what stands counted of them, would have been counted from.
    """
    today = Chain(chain_id, "America/New_York", "USD").today(datetime.now(UTC))
    await database.execute(_VISITS_COUNTED, chain_id, day_number(today), which)
    if with_facts:
        for statement in _FACTS_BEHIND:
            await database.execute(statement, chain_id, which)
    else:
        await database.execute(_VISITS_IN_REACH, chain_id, which)
    # As autovacuum does in the hours after a night and an import.
    for table in ("clients", "client_facts", "client_days", "purchases", "visits", "suggestions"):
        await database.execute(f"vacuum analyze {table}", timeout=600)
    await database.execute("checkpoint")
    # As the transactions that told of them did.
    await database.execute(
        "update clients set touched_at = now() where chain_id = $1 and number % 100 = $2", chain_id, which
    )


async def look_again(
    database: asyncpg.Connection, chain_id: str, which: int, *, with_facts: bool
) -> tuple[int, float]:
    """Have one client in a hundred looked at again; return how many, and the seconds until all of them were."""
    async with database.transaction():
        marked = await database.execute(_MARK_DUE, chain_id, which)
        if with_facts:
            await database.execute(_MARK_UNCOUNTED, chain_id, which)
        # From when the transactions that told of them are through.
    started = time.perf_counter()
    while await database.fetchval("select exists (select from due_clients where chain_id = $1)", chain_id):
        await asyncio.sleep(0.01)
    return int(marked.split()[-1]), time.perf_counter() - started


async def bare(url: str, chain_id: str, postmaster: int) -> dict[str, float]:
    """Run the ceiling in a process of its own and return what it printed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent / "ceilings" / "nightly.py"),
        url,
        chain_id,
        str(postmaster),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    if child.returncode:
        raise SystemExit("the ceiling failed")
    found: dict[str, float] = json.loads(output)
    return found


async def measure(
    database: asyncpg.Connection, url: str, postmaster: int, outreach: Process, clients: int, rounds: int
) -> float:
    """Measure one size and print; return the median seconds of a full run."""
    chain_id = f"chn_{clients}"
    await make_chain(database, chain_id, clients)
    first = await rank(database, chain_id)
    stands = await database.fetchval(
        "select count(*) from suggestions where chain_id = $1 and state = 'open'", chain_id
    )
    print(f"  first run, queues empty: {first:.2f} s, {stands} suggestions", flush=True)
    ours: list[float] = []
    theirs: list[float] = []
    processors: list[float] = []
    used: list[float] = []
    for number in range(1, rounds + 1):
        cpu = [outreach.cpu_seconds() + postgres_cpu_seconds(postmaster)]
        ours.append(await rank(database, chain_id))
        cpu.append(outreach.cpu_seconds() + postgres_cpu_seconds(postmaster))
        used.append(cpu[1] - cpu[0])
        found = await bare(url, chain_id, postmaster)
        theirs.append(found["seconds"])
        bare_cpu = found["processor"] + found["postgres"]
        processors.append((cpu[1] - cpu[0]) / bare_cpu)
        print(
            f"  round {number}: nightly run {ours[-1]:.2f} s; bare {theirs[-1]:.2f} s (read {found['read']:.2f},"
            f" work {found['work']:.2f}, write {found['write']:.2f}; {found['megabytes']} MB);"
            f" ratio {ours[-1] / theirs[-1]:.2f}; processors {cpu[1] - cpu[0]:.2f} s and {bare_cpu:.2f} s, ratio"
            f" {processors[-1]:.2f}; outreach at most {outreach.peak_megabytes()} MB",
            flush=True,
        )
    median = statistics.median(ours)
    print(
        f"  {clients} clients: nightly run {median:.2f} s, bare {statistics.median(theirs):.2f} s,"
        f" ratio {median / statistics.median(theirs):.2f}, of processors {statistics.median(processors):.2f},"
        f" outreach at most {outreach.peak_megabytes()} MB"
    )
    for with_facts, what in ((False, "looked at again"), (True, "counted and looked at again")):
        for number in range(1, rounds + 1):
            which = number + 50 * with_facts
            await come_in_again(database, chain_id, which, with_facts=with_facts)
            cpu = [outreach.cpu_seconds() + postgres_cpu_seconds(postmaster)]
            looked_at, seconds = await look_again(database, chain_id, which, with_facts=with_facts)
            cpu.append(outreach.cpu_seconds() + postgres_cpu_seconds(postmaster))
            print(
                f"  {looked_at} clients {what} in {seconds:.3f} s, {seconds / median:.1%} of a run; processors"
                f" {cpu[1] - cpu[0]:.2f} s, {(cpu[1] - cpu[0]) / statistics.median(used):.1%}",
                flush=True,
            )
    return median


async def main(sizes: list[int], rounds: int, shared_buffers: str) -> None:
    """Measure and print."""
    key = Ed25519PrivateKey.generate()
    signing = {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": "outreach"}
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "outreach", "scopes": ["*"]}
    with new_folder() as folder:
        settings = ServerSettings.generate()
        async with running_servers(folder, durable=True, settings=settings) as servers:
            database = await asyncpg.connect(servers.postgres_url)
            # From the next start on.
            await database.execute(f"alter system set shared_buffers = '{shared_buffers}'")
            await database.close()
        async with running_servers(folder, durable=True, settings=settings) as servers:
            made = await ensure_service_database(
                servers.postgres_url, "outreach", owner_password="owner", runtime_password="runtime"
            )
            await upgrade(VERSIONS, made.owner_url)
            url = superuser_url(servers)
            database = await asyncpg.connect(url)
            environment = {
                "CARNET_DATABASE_URL": made.runtime_url,
                "CARNET_NATS_URL": servers.nats_url("outreach"),
                "CARNET_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
                "CARNET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
                "CARNET_SIGNING_KEY": json.dumps(signing),
                "CARNET_CALLER_KEYS": json.dumps({"keys": [public]}),
                "CARNET_PROFILES_ADDRESS": "127.0.0.1:1",
                "CARNET_MESSAGING_ADDRESS": "127.0.0.1:1",
                "CARNET_SCORING_POLL_SECONDS": "0.2",
                "CARNET_LOG_FORMAT": "text",
            }
            async with serving("outreach", environment, folder / "outreach.log") as outreach:
                try:
                    medians = [
                        await measure(database, url, servers.postgres.pid, outreach, size, rounds)
                        for size in sizes
                    ]
                finally:
                    if log := os.environ.get("CARNET_BENCH_LOG"):
                        Path(log).write_bytes((folder / "outreach.log").read_bytes())
            for size, median in zip(sizes[1:], medians[1:], strict=True):
                print(f"{size} clients take {median / medians[0]:.1f} times as long as {sizes[0]}")
            await database.close()


@contextmanager
def new_folder() -> Iterator[Path]:
    """Make a folder for servers, and take it away at the end."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("CARNET_BENCH_DIR")) as directory:
        try:
            yield Path(directory)
        finally:
            # Postgres does not run as root: what it wrote then lies outside.
            if refuge := own_refuge(Path(directory)):
                shutil.rmtree(refuge)


def superuser_url(servers: Servers) -> str:
    """Return the superuser's way into outreach's database."""
    return servers.postgres_url.rpartition("/")[0] + "/outreach"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--shared-buffers", default="4GB", help="memory of Postgres; 512MB where nobody sets it"
    )
    wanted = parser.parse_args()
    uvloop.run(main(wanted.clients, wanted.rounds, wanted.shared_buffers))
