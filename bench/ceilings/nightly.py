"""The bare pipeline of numpy over COPY beside which `bench/nightly.py` sets a ranking; prints what it took as JSON.

    python bench/ceilings/nightly.py postgresql://... chn_1 <process id of Postgres>

COPY of the same columns out of the same tables into numpy, P(alive), expected purchases and spend by the formulas with
parameters given, RFM quintiles over the chain, the 50 best of each associate, and COPY of the very suggestions into a
table like theirs, with its indexes. No fit, no signals, no words, no lease, no job, no diff.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import asyncpg
import numpy as np
import uvloop

from outreach.purchase_model import BgNbd, GammaGamma
from outreach.signals.book import season_span
from outreach.signals.finding import day_number

KEEP = 50
BG_NBD = BgNbd(r=0.24, alpha=4.4, a=0.79, b=2.4, log_likelihood=0.0, clients=0, converged=False)
GAMMA_GAMMA = GammaGamma(p=6.2, q=3.7, gamma=500.0, log_likelihood=0.0, clients=0, converged=False)


def postgres_cpu_seconds(postmaster: int) -> float:
    """Return what the server's processes used so far, those that ended too."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def copied(
    database: asyncpg.Connection, sizes: list[int], query: str, *arguments: object
) -> list[np.ndarray]:
    """Return the columns of a query, read by binary COPY at a fixed stride."""
    taken = BytesIO()

    async def take(chunk: bytes) -> None:
        taken.write(chunk)

    await database.copy_from_query(query, *arguments, output=take, format="binary")
    row = np.dtype(
        [("fields", ">i2"), *((part, kind) for at, size in enumerate(sizes)
                              for part, kind in ((f"size{at}", ">i4"), (f"c{at}", f">i{size}")))]
    )  # fmt: skip
    rows = np.frombuffer(taken.getbuffer()[19 : taken.tell() - 2], dtype=row)
    return [rows[f"c{at}"].astype(np.int64) for at in range(len(sizes))]


async def ceiling(url: str, chain_id: str, postmaster: int) -> None:
    """Run the bare pipeline once, and print its seconds and the memory it took as JSON."""
    database = await asyncpg.connect(url)
    suggestions = await database.fetch(
        "select * from suggestions where chain_id = $1 and state = 'open'", chain_id
    )
    for row in suggestions[:1]:
        columns = list(row.keys())
    records = [tuple(row) for row in suggestions]
    await database.execute("drop table if exists bare_suggestions")
    await database.execute("create table bare_suggestions (like suggestions including all)")
    await database.execute("checkpoint")
    since, until = season_span(day_number(datetime.now(UTC).date()))
    near = "between" if since <= until else "not between"
    low, high = (since, until) if since <= until else (until + 1, since - 1)
    today = day_number(datetime.now(UTC).date())

    processor, postgres = time.process_time(), postgres_cpu_seconds(postmaster)
    started = time.perf_counter()
    number, days, first, last, home_days, total, home_repeat, associate, *_ = await copied(
        database,
        [8, 4, 4, 4, 4, 8, 8, *(4,) * 7],
        "select number, purchase_days, first_purchase, last_purchase, home_days, total_minor, home_repeat_minor,"
        " associate, store, last_text, last_answer, last_visit, earlier_visit, touched from client_facts"
        " where chain_id = $1",
        chain_id,
    )
    await copied(
        database,
        [8, 2, 4, 4],
        "select number, what, day, value from client_days where chain_id = $1",
        chain_id,
    )
    await copied(
        database,
        [8, *(2,) * 6],
        "select number, kind, year, season, recurrence, lead_days, relationship from client_occasions"
        f" where chain_id = $1 and season {near} {low} and {high}",
        chain_id,
    )
    read = time.perf_counter()
    has_bought = days > 0
    frequency, recency, tenure = (
        np.where(has_bought, column, 0) for column in (days - 1, (last - first) / 7, (today - first) / 7)
    )
    alive = BG_NBD.probability_alive(frequency, recency, tenure)
    purchases = BG_NBD.expected_purchases(52, frequency, recency, tenure)
    repeats = np.maximum(home_days - 1, 0)
    spend = GAMMA_GAMMA.expected_value(repeats, home_repeat / np.maximum(repeats, 1) / 100)
    quintiles = [
        np.searchsorted(np.quantile(column[has_bought], (0.2, 0.4, 0.6, 0.8)), column)
        for column in (last, days, total)
    ]
    score = np.where(has_bought, purchases * spend, 0.0) * (1 + 0.01 * sum(quintiles)) * (0.5 + 0.5 * alive)
    order = np.lexsort((-score, associate))
    owner = associate[order]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    best = number[order[place < KEEP]]
    worked_out = time.perf_counter()
    async with database.transaction():
        await database.copy_records_to_table("bare_suggestions", records=records, columns=columns)
    written = time.perf_counter()
    peak = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    print(
        json.dumps(
            {
                "seconds": written - started,
                "read": read - started,
                "work": worked_out - read,
                "write": written - worked_out,
                "processor": time.process_time() - processor,
                "postgres": postgres_cpu_seconds(postmaster) - postgres,
                "best": len(best),
                "suggestions": len(records),
                "megabytes": int(peak.split()[1]) // 1024,
            }
        )
    )
    await database.close()


if __name__ == "__main__":
    uvloop.run(ceiling(sys.argv[1], sys.argv[2], int(sys.argv[3])))
