"""How fast clients are found as somebody types, and how fast timelines are read, among a million clients.

    python bench/search_and_timeline.py [--clients 1000000] [--lines 10000000] [--seconds 60] [--callers 6]
        [--shared-buffers 4GB] [--cold] [--keep FOLDER]

Runs the whole platform, puts a chain of invented people with skewed names into the database of profiles, two
pieces bought by each on average and ten lines of timeline each (one client has fifty thousand), and takes everything
away at the end. Then so many people at a time type words letter by letter, each letter a call, and open timelines, half
of them straight at the gRPC server and half through the gateway. The ceiling is taken in turns with them: the read of
one store by its key, the smallest answer that the same way gives. Prints percentiles in milliseconds, and the ratio of
each median to that of its ceiling; then those of search by what somebody types, and by how much of it is typed. Not
limited to its own share of the machine: what else runs slows it down.

Before, Postgres reads the tables that searches and timelines read, as after a morning's work: 4.9 GB for a million
clients. With --cold it begins with nothing in memory but what a warm-up of a quarter of the time brings.

With --keep the databases stay in a folder, and a later run with the same folder measures over them without filling them
again; --clients and --lines are then those of the first run. Migrations that came since are run.
"""

import argparse
import asyncio
import heapq
import io
import json
import math
import os
import random
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import asyncpg
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import profiles_pb2_grpc

from carnet_local import runner
from carnet_local.account import own_refuge
from carnet_local.api import Api, Refused
from carnet_local.databases import database_url
from carnet_local.demo.house import open_house
from carnet_local.demo.telling import Teller
from carnet_local.services import grpc_address
from carnet_local.terminal import Terminal
from chassis.caller import Caller, CallerSigner, set_caller
from chassis.clock import SystemClock
from chassis.errors import ServiceError
from chassis.testing import channel_to


def listed(words: str) -> list[str]:
    """Return words."""
    return words.split()


# Given names that are frequent somewhere, most frequent first; the rest of the names is made of syllables.
_GIVEN = listed(
    "Maria Jose John James Ana Robert Michael William David Mary Carmen Linda Richard Juan Elizabeth Antonio Jennifer"
    " Luis Thomas Susan Francisco Sarah Laura Carlos Karen Isabel Daniel Paul Lucia Mark Manuel Nancy Pedro Emma Sofia"
    " Marta Kevin Elena Brian Julia George Andrea Steven Paula Anna Jesus Marie Pierre Katherine Catherine Chloe Léa"
    " Zoë Björn Søren Jürgen Łukasz Mateusz Wei Mei Yuki Priya Aisha Omar Fatima Kwame Siobhán Aoife Giulia Marco"
)
_FAMILY = listed(
    "Garcia Smith Johnson Rodriguez Martinez Williams Brown Jones Lopez Gonzalez Hernandez Miller Davis Perez Sanchez"
    " Wilson Anderson Taylor Thomas Moore Martin Jackson Lee Kim Nguyen White Harris Clark Lewis Robinson Walker Young"
    " Müller Schmidt Meyer O'Brien O'Neill Dubois Lefèvre Rossi Ferrari Novák Kowalski Ivanova Tanaka Chen Wang Singh"
)
_ONSETS = listed("b br c ch d dr f fl g gr h j k kr l m n p pr r s sch st t tr v w z")
_RIMES = listed("a al an ar e el en er es i in is o ol on or os u un ur ai au ie oa")
_STONES = ("diamond", "sapphire", "ruby", "emerald", "pearl", "opal", "garnet", "")
_CATEGORIES = ("ring", "pendant", "earrings", "bracelet", "necklace", "watch", "brooch")
_METALS = ("platinum", "yellow gold", "white gold", "rose gold", "silver", "steel")
_BRANDS = ("Aurelle", "Montclair", "Vesper", "Halden", "Oriel")
_TAGS = ("vip", "collector", "press", "bridal", "watches")
_STORES = 25
_HEAVY_LINES = 50_000
_KINDS = ("message", "purchase", "visit", "appointment", "consent", "profile", "waitlist", "note")
_BATCH = 5_000
_READ_TABLES = ("client_search", "client_words", "clients", "contact_points", "timeline_entries")
_TYPING_SECONDS = 0.15  # between two letters of somebody who types fast
_PAGE = 20
_LONG = 8  # letters
_SLOWEST = 5


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist."""

    given_name: str
    family_name: str
    phone: str
    email: str
    store: int
    tags: Sequence[str]
    pieces: Sequence[tuple[date, int, str, str, str]]  # day, brand, category, metal, stone


def people(chance: random.Random, count: int) -> Iterator[Person]:
    """Yield people whose names are as unevenly spread as names are."""
    given = [*_GIVEN, *_made_names(chance, 8_000)]
    family = [*_FAMILY, *_made_names(chance, 120_000)]
    # Zipf's law, flattened at the top: the most frequent family name has a little under one in a hundred.
    given_weights = list(accumulate(1 / (rank + 8) for rank in range(len(given))))
    family_weights = list(accumulate(1 / (rank + 12) for rank in range(len(family))))
    for number in range(count):
        first = chance.choices(given, cum_weights=given_weights)[0]
        last = chance.choices(family, cum_weights=family_weights)[0]
        yield Person(
            first,
            last,
            f"+1{chance.randrange(201, 990)}{chance.randrange(200, 1000)}{number % 10_000:04}",
            f"{first}.{last}{number}@{chance.choice(('mail', 'post', 'home'))}.example".lower(),
            min(int(chance.expovariate(1 / 6)), _STORES - 1),
            tuple(tag for tag in _TAGS if chance.random() < 0.03),
            tuple(
                (
                    date(2016, 1, 1) + timedelta(days=chance.randrange(3_700)),
                    chance.randrange(len(_BRANDS)),
                    chance.choice(_CATEGORIES),
                    chance.choice(_METALS),
                    chance.choice(_STONES),
                )
                for _ in range(min(int(chance.expovariate(0.4)), 12))
            ),
        )


def _made_names(chance: random.Random, count: int) -> list[str]:
    onsets, rimes = _ONSETS, _RIMES
    names: dict[str, None] = {}
    while len(names) < count:
        syllables = chance.choices((2, 3, 4), (5, 4, 1))[0]
        names[
            "".join(chance.choice(onsets) + chance.choice(rimes) for _ in range(syllables)).capitalize()
        ] = None
    return list(names)


async def fill(
    postgres: "asyncpg.Connection[asyncpg.Record]",
    chain_id: str,
    stores: Sequence[str],
    brands: Sequence[str],
    *,
    clients: int,
) -> list[Person]:
    """Copy people with contact points and purchases past row-level security, as only a superuser may; return a few."""
    chance = random.Random(3)
    made_at = datetime(2026, 1, 1, tzinfo=UTC)
    known: list[Person] = []
    crowd = enumerate(people(chance, clients))
    while chunk := list(islice(crowd, 20_000)):
        known += chance.sample([person for _, person in chunk if person.pieces], 50)
        bought = [
            (f"pur_{number:012}_{index}", client_id(number), stores[person.store], piece)
            for number, person in chunk
            for index, piece in enumerate(person.pieces)
        ]
        for table, columns, records in (
            (
                "clients",
                "client_id given_name family_name home_store_id tags created_at updated_at",
                [
                    (
                        client_id(number), person.given_name, person.family_name, stores[person.store],
                        person.tags, made_at, made_at,
                    )
                    for number, person in chunk
                ],
            ),
            (
                "contact_points",
                "contact_point_id client_id kind value match_key",
                [
                    (f"cpt_{kind}{number:012}", client_id(number), kind, value, value)
                    for number, person in chunk
                    for kind, value in (("phone", person.phone), ("email", person.email))
                ],
            ),
            (
                "purchases",
                "purchase_id client_id store_id purchased_on total_minor currency_code created_at",
                [
                    (purchase, client, store, piece[0], 120_000, "USD", made_at)
                    for purchase, client, store, piece in bought
                ],
            ),
            (
                "purchase_lines",
                "purchase_id position quantity amount_minor brand_id category metal stone",
                [(purchase, 0, 1, 120_000, brands[piece[1]], *piece[2:]) for purchase, _, _, piece in bought],
            ),
        ):  # fmt: skip
            await postgres.copy_records_to_table(
                table,
                columns=("chain_id", *columns.split()),
                records=[(chain_id, *record) for record in records],
            )
    return known


async def index_words(postgres: "asyncpg.Connection[asyncpg.Record]", clients: int) -> float:
    """Let the service's own function make the words of everybody; return its microseconds a client."""
    started = time.perf_counter()
    for first in range(0, clients, _BATCH):
        ids = [client_id(number) for number in range(first, min(first + _BATCH, clients))]
        await postgres.execute("select count(*) from refresh_search($1, null)", ids)
    return 1e6 * (time.perf_counter() - started) / clients


async def fill_timelines(
    postgres: "asyncpg.Connection[asyncpg.Record]", chain_id: str, *, lines: int, clients: int
) -> None:
    """Give everybody lines, some many and most few, and the first client _HEAVY_LINES."""
    key = await postgres.fetchval(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'timeline_entries_pkey'"
    )
    await postgres.execute("alter table timeline_entries drop constraint timeline_entries_pkey")
    each = max(lines - _HEAVY_LINES, 0) / clients
    await postgres.execute(
        """
        insert into timeline_entries (chain_id, client_id, entry_id, kind, occurred_at, summary, subject_id)
        select $1, c.client_id, 'tle_' || c.client_id || '_' || n, ($2::text[])[1 + (number * 7 + n / 3 + n) % $3],
            timestamptz '2026-01-01' - n * interval '17 days' - number % 1000 * interval '1 minute',
            'Bought 1 piece for USD 1,200.00', 'pur_' || n
        from (
            select client_id, row_number() over (order by client_id) as number from clients where chain_id = $1
        ) c
        cross join lateral generate_series(
            1, case when number = 1 then $4 else round($5 * 3 * power(number * 0.6180339887 % 1, 2))::int end) n
        """,
        chain_id,
        _KINDS,
        len(_KINDS),
        min(_HEAVY_LINES, lines),
        each,
        timeout=3_600,
    )
    await postgres.execute(
        f"alter table timeline_entries add constraint timeline_entries_pkey {key}", timeout=3_600
    )
    await postgres.execute("vacuum analyze", timeout=3_600)


def client_id(number: int) -> str:
    """Return the id of one of the invented people."""
    return f"cli_{number:012}"


def queries(chance: random.Random, known: Sequence[Person]) -> Iterator[tuple[str, str]]:
    """Yield without end what people type when they look for somebody, and what kind of words that is."""
    while True:
        person = chance.choice(known)
        day, brand, category, metal, stone = chance.choice(person.pieces)
        name = f"{person.given_name} {person.family_name}"
        kind, query = chance.choices(
            (
                ("full name", name),
                ("family name", person.family_name),
                ("name and beginning", f"{person.given_name} {person.family_name[:3]}"),
                ("name with a slip", slip(chance, name)),
                ("phone", f"{person.phone[2:5]} {person.phone[5:8]}-{person.phone[8:]}"),
                ("end of phone", person.phone[-4:]),
                ("e-mail", person.email),
                ("piece and year", f"{stone or metal} {category} {day.year}"),
                ("name and piece", f"{person.given_name} {stone or category}"),
                ("brand and piece", f"{_BRANDS[brand]} {category}"),
            ),
            (30, 15, 10, 12, 8, 4, 5, 8, 5, 3),
        )[0]
        yield kind, query.lower()


def slip(chance: random.Random, name: str) -> str:
    """Return a name with two letters in the wrong order, or one left out."""
    place = chance.randrange(1, len(name) - 1)
    if chance.random() < 0.5:
        return name[:place] + name[place + 1 :]
    return name[:place] + name[place + 1] + name[place] + name[place + 2 :]


@dataclass(frozen=True)
class Chain:
    """Who was filled in, and who may look: what a later run over the same databases has to know."""

    chain_id: str
    stores: Sequence[str]
    clients: int
    emails: Sequence[str]  # of an admin and of an associate
    password: str
    known: Sequence[Person]

    def write(self, path: Path) -> None:
        """Keep it beside the databases; nobody else may read it."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), default=date.isoformat))

    @classmethod
    def read(cls, path: Path) -> "Chain":
        """Return what an earlier run kept."""
        kept = json.loads(path.read_text())
        for person in kept["known"]:
            person["pieces"] = [(date.fromisoformat(day), *piece) for day, *piece in person["pieces"]]
        return cls(**kept | {"known": [Person(**person) for person in kept["known"]]})


@dataclass
class Times:
    """Milliseconds by what was asked; of searches also by what is typed, and by how much of it."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    by_kind: dict[str, list[float]] = field(default_factory=dict)
    by_length: dict[str, list[float]] = field(default_factory=dict)
    slowest: list[tuple[float, str]] = field(default_factory=list)

    async def of(self, what: str, call: Callable[..., Awaitable[Any]], *arguments: str) -> Any:
        """Make a call and keep how long it took."""
        started = time.perf_counter()
        answer = await call(*arguments)
        self.taken.setdefault(what, []).append(1e3 * (time.perf_counter() - started))
        return answer

    def note_search(self, what: str, kind: str, typed: str) -> None:
        """Keep the time of the last call of `what` as that of a search, too."""
        taken = self.taken[what][-1]
        heapq.heappush(self.slowest, (taken, typed))
        if len(self.slowest) > _SLOWEST:
            heapq.heappop(self.slowest)
        self.by_kind.setdefault(kind, []).append(taken)
        length = len(typed) if len(typed) < _LONG else f"{_LONG} and more"
        self.by_length.setdefault(f"{length} typed", []).append(taken)


class OverGrpc:
    """One person at a terminal, straight at the service."""

    way = "gRPC"

    def __init__(
        self, channel: Any, signing_key: str, chain_id: str, stores: frozenset[str], store_id: str
    ) -> None:
        self._stub = profiles_pb2_grpc.ProfilesServiceStub(channel)
        self._signer = CallerSigner(signing_key, SystemClock())
        scopes = frozenset({"clients:read", "directory:read"})
        self._caller = Caller(chain_id, "usr_bench", "associate", scopes, stores=stores)
        self._store_id = store_id

    def sign(self) -> None:
        """Make the calls from here on this person's; good for a minute."""
        set_caller(self._signer.sign(self._caller))

    async def search(self, query: str) -> Any:
        """Type one letter more."""
        return await self._stub.SearchClients(pb.SearchClientsRequest(query=query, page_size=_PAGE))

    async def timeline(self, of_client: str, kind: str, token: str) -> str:
        """Read a page of a timeline; return the token of the next."""
        kinds = [pb.TimelineKind.Value(kind)] if kind else []
        request = pb.ListTimelineRequest(client_id=of_client, kinds=kinds, page_size=50, page_token=token)
        return str((await self._stub.ListTimeline(request)).next_page_token)

    async def ceiling(self) -> Any:
        """Read the smallest thing there is."""
        return await self._stub.GetStore(pb.GetStoreRequest(store_id=self._store_id))


class OverRest:
    """One person in the app, through the gateway."""

    way = "REST"

    def __init__(self, api: Api, store_id: str) -> None:
        self._api, self._store_id = api, store_id

    def sign(self) -> None:
        """Do nothing: the session lasts for hours."""

    async def search(self, query: str) -> Any:
        """Type one letter more."""
        return await self._api.get("/v1/clients:search", query=query, page_size=_PAGE)

    async def timeline(self, of_client: str, kind: str, token: str) -> str:
        """Read a page of a timeline; return the token of the next."""
        kinds = {"kinds": [kind]} if kind else {}
        page = await self._api.get(
            f"/v1/clients/{of_client}/timeline", page_size=50, page_token=token, **kinds
        )
        return str(page.get("next_page_token", ""))

    async def ceiling(self) -> Any:
        """Read the smallest thing there is."""
        return await self._api.get(f"/v1/stores/{self._store_id}")


async def work(
    person: OverGrpc | OverRest,
    times: Times,
    chain: Chain,
    *,
    seed: int,
    until: float,
) -> int:
    """Look for clients letter by letter and open timelines, as one person does; return how many calls were refused."""
    chance = random.Random(seed)
    refused = 0
    typed = queries(chance, chain.known)

    async def timed(what: str, call: Callable[..., Awaitable[Any]], *arguments: str, kind: str = "") -> Any:
        nonlocal refused
        try:
            answer = await times.of(f"{what}, {person.way}", call, *arguments)
            if kind:
                times.note_search(f"{what}, {person.way}", kind, arguments[0])
            return answer
        except (ServiceError, Refused) as error:
            refused += 1
            print(f"{what}: {error}")
            return ""

    while time.monotonic() < until:
        person.sign()
        kind_of_query, query = next(typed)
        for length in range(1, len(query) + 1):
            if query[length - 1] == " ":
                continue
            await timed("SearchClients", person.search, query[:length], kind=kind_of_query)
            await timed("ceiling", person.ceiling)
            await asyncio.sleep(chance.uniform(0.5, 1.5) * _TYPING_SECONDS)
        for _ in range(4):
            who = client_id(0 if chance.random() < 0.1 else chance.randrange(chain.clients))
            kind = f"TIMELINE_KIND_{chance.choice(_KINDS).upper()}" if chance.random() < 0.4 else ""
            token = await timed("ListTimeline", person.timeline, who, kind, "")
            await timed("ceiling", person.ceiling)
            if token:
                await timed("ListTimeline", person.timeline, who, kind, token)
                await timed("ceiling", person.ceiling)
            await asyncio.sleep(_TYPING_SECONDS)
    return refused


def report(times: Times) -> None:
    """Print a line for each kind of call, then for each kind of search."""
    medians = {what: statistics.median(taken) for what, taken in times.taken.items()}
    print(f"{'':24}{'calls':>8}{'p50':>8}{'p95':>8}{'p99':>8}   p50 / ceiling")
    for what, taken in sorted(times.taken.items()):
        way = what.rsplit(", ", 1)[1]
        ratio = "" if what.startswith("ceiling") else f"{medians[what] / medians[f'ceiling, {way}']:10.1f}"
        print(f"{what:24}{percentiles(taken)}{ratio}")
    for what, taken in (*sorted(times.by_kind.items()), *sorted(times.by_length.items(), key=typed_length)):
        print(f"  {what:22}{percentiles(taken)}")
    print(
        "  slowest: "
        + ", ".join(f"{typed!r} {taken:.0f}" for taken, typed in sorted(times.slowest, reverse=True))
    )


def percentiles(taken: Sequence[float]) -> str:
    """Return how many there are, their median, and the 95th and 99th of a hundred."""
    ordered = sorted(taken)
    at = [ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1] for share in (0.5, 0.95, 0.99)]
    return f"{len(ordered):8}{at[0]:8.1f}{at[1]:8.1f}{at[2]:8.1f}"


def typed_length(row: tuple[str, list[float]]) -> int:
    """Return by what lengths are put in order."""
    return int(row[0].split()[0])


async def measure(
    signed_in: Sequence[Api], channel: Any, signing_key: str, chain: Chain, options: argparse.Namespace
) -> None:
    """Let everybody work at once: once to warm up, and once to be measured."""
    stores = chain.stores
    bindings: tuple[frozenset[str], ...] = (
        frozenset(stores[:1]),
        frozenset(),
        frozenset(stores[2:5]),
        frozenset(stores[20:21]),
    )
    admin, associate = signed_in
    for seconds, is_measured in ((options.seconds / 4, False), (options.seconds, True)):
        times = Times()
        until = time.monotonic() + seconds
        refused = await asyncio.gather(
            *(
                asyncio.create_task(
                    work(
                        OverGrpc(
                            channel, signing_key, chain.chain_id, bindings[number // 2 % len(bindings)], stores[0]
                        )
                        if number % 2
                        else OverRest(associate if number % 4 else admin, stores[0]),
                        times, chain, seed=number + 100 * is_measured, until=until,
                    )
                )
                for number in range(options.callers)
            )
        )  # fmt: skip
        if is_measured:
            report(times)
            print(
                f"{sum(map(len, times.taken.values())) / seconds:.0f} calls a second; {sum(refused)} refused"
            )


async def open_chain(
    anybody: Api,
    operator_key: str,
    postgres: "asyncpg.Connection[asyncpg.Record]",
    options: argparse.Namespace,
) -> Chain:
    """Open a chain, fill it, and say what was filled and in what time."""
    house = await open_house(Teller(io.StringIO()), anybody, operator_key)
    stores = [house.store_id]
    for number in range(1, _STORES):
        body = {"display_name": f"Store {number}", "time_zone": "America/New_York", "country": "US"}
        stores.append((await house.admin.post("/v1/stores", body))["store_id"])
    brands = [
        (await house.admin.post("/v1/brands", {"display_name": brand}))["brand_id"] for brand in _BRANDS
    ]
    password = secrets.token_urlsafe(16)
    emails = ["admin@bench.example", "associate@bench.example"]
    roles: tuple[dict[str, object], ...] = (
        {"role": "ROLE_ADMIN"},
        {"role": "ROLE_ASSOCIATE", "associate_id": house.seller_id, "store_ids": stores[:1]},
    )
    for email, role in zip(emails, roles, strict=True):
        user = {"email": email, "password": password, "display_name": "Bench"}
        await house.admin.post("/v1/users", role | user)
    chain_id = await postgres.fetchval("select chain_id from stores where store_id = $1", stores[0])
    await postgres.execute("select set_config('carnet.chain_id', $1, false)", chain_id)
    started = time.perf_counter()
    known = await fill(postgres, chain_id, stores, brands, clients=options.clients)
    print(f"{options.clients:,} clients copied in {time.perf_counter() - started:.0f} s")
    print(f"their words made in {await index_words(postgres, options.clients):.0f} us a client")
    started = time.perf_counter()
    await fill_timelines(postgres, chain_id, lines=options.lines, clients=options.clients)
    count = await postgres.fetchval("select count(*) from timeline_entries")
    print(f"{count:,} lines of timeline made in {time.perf_counter() - started:.0f} s", flush=True)
    return Chain(chain_id, stores, options.clients, emails, password, known)


async def run(directory: Path, options: argparse.Namespace) -> None:
    """Fill what is not filled yet, measure, and print."""
    # Who came in is compared with everybody for hours; here nobody is to wait for that.
    os.environ.setdefault("CARNET_DUPLICATE_POLL_SECONDS", "600")
    kept = directory / "chain.json"
    async with running(directory) as (platform, anybody):
        url = database_url(platform.servers.postgres_url, "profiles")
        async with closing(await asyncpg.connect(url)) as postgres:
            if not kept.exists():
                chain = await open_chain(anybody, platform.state.operator_key, postgres, options)
                chain.write(kept)
            # From the next start on.
            await postgres.execute(f"alter system set shared_buffers = '{options.shared_buffers}'")
    chain = Chain.read(kept)
    async with running(directory) as (platform, anybody):
        if not options.cold:
            await warm(database_url(platform.servers.postgres_url, "profiles"))
        signed_in = [await anybody.sign_in(email, chain.password) for email in chain.emails]
        async with channel_to(grpc_address(platform.state, "profiles")) as channel:
            key = json.dumps(platform.state.signing_keys["gateway"])
            await measure(signed_in, channel, key, chain, options)


async def warm(url: str) -> None:
    """Read what searches and timelines need into Postgres, as after a morning's work, as much as there is room for."""
    async with closing(await asyncpg.connect(url)) as postgres:
        await postgres.execute("create extension if not exists pg_prewarm")
        for table in reversed(_READ_TABLES):  # what is read last stays
            megabytes = await postgres.fetchval(
                "select sum(pg_prewarm(part)) / 128 from (select $1::text::regclass union all select indexrelid"
                " from pg_index where indrelid = $1::text::regclass) as parts (part)",
                table,
                timeout=600,
            )
            print(f"{table} and its indexes read, {megabytes:.0f} MB")


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[tuple[runner.Platform, Api]]:
    """Run the whole platform in a folder, with somebody who is not signed in."""
    async with (
        runner.platform(directory, Terminal(io.StringIO()), hurry=asyncio.Event()) as platform,
        Api.at(platform.state.api_url) as anybody,
    ):
        yield platform, anybody


@asynccontextmanager
async def closing(
    postgres: "asyncpg.Connection[asyncpg.Record]",
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Close a connection at the end."""
    try:
        yield postgres
    finally:
        await postgres.close()


async def main(options: argparse.Namespace) -> None:
    """Run in the folder that is kept, or in one that is taken away."""
    if options.keep:
        options.keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        await run(options.keep, options)
        return
    with tempfile.TemporaryDirectory() as name:
        try:
            await run(Path(name), options)
        finally:
            # Postgres does not run as root: what it wrote then lies outside.
            if refuge := own_refuge(Path(name)):
                shutil.rmtree(refuge)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Search and timelines among a million clients.")
    parser.add_argument("--clients", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--callers", type=int, default=6)
    parser.add_argument(
        "--shared-buffers", default="4GB", help="memory of Postgres; 512MB where nobody sets it"
    )
    parser.add_argument("--cold", action="store_true", help="begin with nothing of it in memory")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    asyncio.run(main(parser.parse_args()))
