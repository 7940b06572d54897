"""How fast one courier hands texts over and writes down what became of them, and whether it keeps a sender's speed.

    python bench/sending.py [--texts 3000] [--speed 120] [--profile]

Texts of one sender wait in the queue; one courier takes them to a carrier that answers after 50 ms and says
"delivered" a moment later, both written down as in service. First without a limit, against a ceiling of the same run:
the same texts as bare rows that are set to SENDING and to SENT, each in a commit of its own, over as many connections.
Then at a sender's speed: how long the queue takes, against what the speed promises. Postgres as `make up` runs it, on a
disk that syncs.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import uvloop
from sqlalchemy import text as sql

import messaging
from carnet_local.databases import ensure_service_database
from carnet_local.servers import Servers, ServerSettings, running
from chassis.database import Database, connect
from chassis.ids import new_id
from chassis.migrations import upgrade
from messaging.answers import Answers
from messaging.courier import Courier
from messaging.domain import Channel, PermissionEntry, Purpose, Sender
from messaging.domain.permissions import Change
from messaging.providers import Accepted, Found, Receipt, Status, Text
from messaging.store import pacing, permissions, senders
from messaging.suppression import Suppressor
from messaging.use_cases import delivery
from messaging.use_cases.writing import Draft, write_all

CHAIN = "chn_bench"
VERSIONS = Path(messaging.__file__).parent / "migrations" / "versions"
_ANSWERS_AFTER = 0.05
_WITHIN = 240.0
_CONNECTIONS = 4


class NoonClock:
    """Goes as time goes, from noon in New York on: at night nothing goes out."""

    def __init__(self) -> None:
        real = datetime.now(UTC)
        self._ahead = real.replace(hour=17, minute=0) - real

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self._ahead


CLOCK = NoonClock()


class Carrier:
    """Takes every text after a while and says later that it arrived."""

    def __init__(self, database: Database, suppressor: Suppressor) -> None:
        self.taken: list[float] = []
        self._answers = Answers(self._note)
        self._database = database
        self._suppressor = suppressor
        self._receipts: set[asyncio.Task[None]] = set()

    async def send(self, text: Text) -> Accepted:
        """Take one text."""
        await asyncio.sleep(_ANSWERS_AFTER)
        self.taken.append(time.perf_counter())
        provider_message_id = new_id("crr")
        receipt = asyncio.create_task(self._deliver(text, provider_message_id))
        self._receipts.add(receipt)
        receipt.add_done_callback(self._receipts.discard)
        return Accepted(provider_message_id, 1)

    async def find(self, text: Text) -> Found | None:
        """Nobody asks: no answer is lost here."""
        return None

    async def _deliver(self, text: Text, provider_message_id: str) -> None:
        await asyncio.sleep(2 * _ANSWERS_AFTER)
        await self._answers.add(CHAIN, Receipt(CHAIN, text.reference, provider_message_id, Status.DELIVERED))

    async def _note(self, chain_id: str, words: object) -> None:
        await delivery.note_words(
            database=self._database,
            clock=CLOCK,
            suppressor=self._suppressor,
            chain_id=chain_id,
            words=words,  # type: ignore[arg-type]
            lease=timedelta(seconds=60),
        )


async def fill(database: Database, suppressor: Suppressor, texts: int, speed: float, first: int) -> float:
    """Let texts to so many numbers wait for a new sender; return the seconds that writing them took."""
    now = CLOCK.now()
    sender = Sender(
        new_id("snd"), "sto_1", f"+1202555{first:04}", "Maison Aurore", now, segments_per_second=speed
    )
    phones = [f"+1212{first + number:07}" for number in range(texts)]
    async with database.transaction(CHAIN) as tx:
        await senders.add(tx, sender)
        await pacing.hold_turn(tx, sender.sender_id, is_stopped=True)
        await permissions.add(
            tx,
            [
                PermissionEntry(
                    new_id("prm"), phone, Purpose.SERVICE, Change.GRANTED, "Yes", "consent", "asc_1",
                    new_id("con"), now - timedelta(days=1), channel=Channel.SMS,
                )
                for phone in phones
            ],
            now,
        )  # fmt: skip
    begun = time.perf_counter()
    for start in range(0, texts, 200):
        async with database.transaction(CHAIN) as tx:
            drafts = [
                Draft(
                    new_id("msg"), sender, phone, f"cli_{phone[1:]}", "America/New_York",
                    "Maison Aurore: your ring is ready.", Purpose.SERVICE, "system",
                )
                for phone in phones[start : start + 200]
            ]  # fmt: skip
            await write_all(tx, drafts, suppressor=suppressor, now=now)
    took = time.perf_counter() - begun
    async with database.transaction(CHAIN) as tx:
        await pacing.hold_turn(tx, sender.sender_id, is_stopped=False)
    return took


async def states(database: Database) -> dict[str, int]:
    """Return how many messages are in which state."""
    async with database.transaction(CHAIN) as tx:
        found = await tx.execute("select state, count(*) as count from messages group by state")
        return {row.state: row.count for row in found}


async def drain(database: Database, suppressor: Suppressor, texts: int) -> tuple[float, float]:
    """Let a courier work until all is delivered; return the seconds, and those from the first to the last hand-over."""
    carrier = Carrier(database, suppressor)
    courier = Courier(
        database=database,
        clock=CLOCK,
        carrier=carrier,
        suppressor=suppressor,
        due=asyncio.Event(),
        poll_seconds=0.5,
        timeout_seconds=10,
        lease_seconds=60,
    )
    before = (await states(database)).get("DELIVERED", 0)
    begun = time.perf_counter()
    running_courier = asyncio.create_task(courier.run())
    while (await states(database)).get("DELIVERED", 0) - before < texts:
        if time.perf_counter() - begun > _WITHIN:
            raise SystemExit(f"not through after {_WITHIN:.0f} s: {await states(database)}")
        await asyncio.sleep(0.5)
    took = time.perf_counter() - begun
    running_courier.cancel()
    await asyncio.wait([running_courier])
    return took, carrier.taken[-1] - carrier.taken[0]


def processor_seconds(parent: int) -> float:
    """Return the processor time of a server and its children, those that ended included."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == parent:
            ticks += sum(int(fields[place]) for place in (11, 12, 13, 14))
        elif int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def ceiling(url: str, texts: int) -> float:
    """Set bare rows to SENDING and to SENT, each in a commit of its own; return the seconds."""
    pool = await asyncpg.create_pool(url, min_size=_CONNECTIONS, max_size=_CONNECTIONS)
    await pool.execute("create temporary table if not exists nothing ()")
    await pool.execute(
        "create unlogged table if not exists bare (id text primary key, state text, at timestamptz)"
    )
    await pool.execute("alter table bare set logged")
    await pool.execute("truncate bare")
    ids = [new_id("msg") for _ in range(texts)]
    await pool.executemany("insert into bare values ($1, 'QUEUED', now())", [(one,) for one in ids])
    waiting = iter(ids)

    async def work() -> None:
        for one in waiting:
            for state in ("SENDING", "SENT"):
                await pool.execute("update bare set state = $2, at = now() where id = $1", one, state)

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
    took = time.perf_counter() - begun
    await pool.execute("drop table bare")
    await pool.close()
    return took


async def run(texts: int, speed: float, *, is_profiled: bool) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers.at(Path(folder), ServerSettings.generate(), durable=True)
        async with running([servers.postgres]):
            urls = await ensure_service_database(
                servers.postgres_url, "messaging", owner_password="owner", runtime_password="runtime"
            )
            await upgrade(VERSIONS, urls.owner_url)
            database = Database(
                connect(urls.runtime_url, pool_size=10, application="bench"),
                source="messaging",
                clock=CLOCK,
            )
            suppressor = Suppressor("k" * 32)
            async with database.platform_transaction() as connection:
                await connection.execute(sql("select 1"))
            await ceiling(urls.owner_url, 100)
            written = await fill(database, suppressor, texts, 1000, 0)
            print(f"written          {texts / written:8.0f} texts/s, gate asked", flush=True)
            least = await ceiling(urls.owner_url, texts)
            profile = cProfile.Profile()
            if is_profiled:
                profile.enable()
            ours, theirs = time.process_time(), processor_seconds(servers.postgres.pid)
            took, _ = await drain(database, suppressor, texts)
            ours, theirs = time.process_time() - ours, processor_seconds(servers.postgres.pid) - theirs
            if is_profiled:
                profile.disable()
                pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
                pstats.Stats(profile).sort_stats("tottime").print_stats(40)
            print(f"ceiling          {texts / least:8.0f} texts/s, two commits each", flush=True)
            print(
                f"sent, delivered  {texts / took:8.0f} texts/s, {least / took:.2f} of the ceiling",
                flush=True,
            )
            print(
                f"processor time   {1000 * ours / texts:8.2f} ms a text here,"
                f" {1000 * theirs / texts:.2f} ms in Postgres",
                flush=True,
            )
            paced = int(speed * 20)
            await fill(database, suppressor, paced, speed, 5000)
            _, between = await drain(database, suppressor, paced)
            # What a sender that was idle may make up for goes out at once.
            promised = (paced - 1) / speed
            print(
                f"at {speed:g}/s          {paced} texts in {between:.2f} s, promised {promised:.2f} s:"
                f" {100 * (between / promised - 1):+.1f} %",
                flush=True,
            )
            await database.stop()


def main() -> None:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--speed", type=float, default=120.0)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    uvloop.run(run(arguments.texts, arguments.speed, is_profiled=arguments.profile))


if __name__ == "__main__":
    main()
