"""How a pass over all clients of a chain scales: pairs found among generated clients with known duplicates.

    .venv/bin/python bench/duplicates.py [clients ...]        (250000 and 1000000 by default)

Prints for each size the time of a first pass (every client gets its keys) and of a second one, the pairs compared per
client, which must not grow with the number of clients, how many of the seeded duplicates were found, and how many of
those found were seeded. The ceiling of the same run: COPY of the same rows out of Postgres, and the same number of
pairs scored from memory. Then some clients change, and the queue is worked off.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import asyncpg
import uvloop

from carnet_local.databases import database_url, ensure_service_database
from carnet_local.servers import running_servers
from chassis.clock import SystemClock
from chassis.database import Database, connect
from chassis.migrations import upgrade
from profiles.domain.duplicates import features_of, score
from profiles.migrations import VERSIONS
from profiles.store import duplicates as store
from profiles.store import matching as match_store
from profiles.use_cases.matching import match_changed, move_pass

_CHAIN = "chn_bench"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SEEDED = 0.03  # of the clients have a second record
_HOUSEHOLDS = 0.10  # of the clients share telephone and address with somebody of the family
_CHANGED = 5_000
_SCORED = 100_000
_SHORT = (
    ("robert", "bob"), ("william", "bill"), ("elizabeth", "liz"), ("margaret", "peggy"), ("michael", "mike"),
    ("katherine", "kate"), ("richard", "rick"), ("jennifer", "jenny"), ("thomas", "tom"), ("maria", "mary"),
)  # fmt: skip


@dataclass
class Person:
    """One generated record."""

    client_id: str
    given_name: str
    family_name: str
    phone: str = ""
    email: str = ""
    street: str = ""
    postal_code: str = ""
    birthday: tuple[int, int, int] | None = None


@dataclass
class House:
    """A chain's records, with which of them are one person."""

    people: list[Person] = field(default_factory=list)
    twins: set[tuple[str, str]] = field(default_factory=set)


def names(chance: random.Random, count: int, syllables: int) -> list[str]:
    """Return made-up names that do not all sound alike."""
    heads = (
        "b",
        "br",
        "c",
        "d",
        "dr",
        "f",
        "g",
        "gr",
        "h",
        "j",
        "k",
        "kl",
        "l",
        "m",
        "n",
        "p",
        "r",
        "s",
        "st",
        "t",
        "v",
        "w",
    )
    tails = ("", "l", "m", "n", "r", "s", "t", "nd", "rk")
    made: dict[str, None] = {}
    while len(made) < count:
        parts = (
            chance.choice(heads) + chance.choice("aeiou") + chance.choice(tails)
            for _ in range(chance.randint(1, syllables))
        )
        made["".join(parts)] = None
    return list(made)


def generate(count: int) -> House:
    """Return `count` records; the same ones every time."""
    chance = random.Random(count)
    given = [formal for formal, _ in _SHORT] + names(chance, 1500, 2)
    family = names(chance, 40_000, 3)
    # Names are as unequal as they are: the commonest given name has one person in fifty.
    given_weights = [1 / (rank + 10) for rank in range(len(given))]
    family_weights = [1 / (rank + 60) for rank in range(len(family))]
    house = House()
    batch = 50_000
    while len(house.people) < count:
        firsts = chance.choices(given, given_weights, k=batch)
        lasts = chance.choices(family, family_weights, k=batch)
        for first, last in zip(firsts, lasts, strict=True):
            if len(house.people) >= count:
                break
            one = _person(chance, len(house.people), first, last)
            house.people.append(one)
            draw = chance.random()
            if draw < _SEEDED:
                twin = _twin(chance, len(house.people), one)
                house.people.append(twin)
                house.twins.add((one.client_id, twin.client_id))
            elif draw < _SEEDED + _HOUSEHOLDS:
                other = _person(chance, len(house.people), chance.choice(given), last)
                if other.given_name != one.given_name:
                    other.phone, other.street, other.postal_code = one.phone, one.street, one.postal_code
                house.people.append(other)
    return house


def _person(chance: random.Random, number: int, first: str, last: str) -> Person:
    local = chance.choice((f"{first}.{last}", f"{first[0]}{last}", f"{last}{chance.randint(1, 9999)}"))
    return Person(
        f"cli_{number:09}",
        first.capitalize(),
        last.capitalize(),
        f"+1{chance.randint(2_000_000_000, 9_999_999_999)}" if chance.random() < 0.85 else "",
        f"{local}{chance.randint(1, 999)}@{chance.choice(('a', 'b', 'c'))}.example"
        if chance.random() < 0.7
        else "",
        f"{chance.randint(1, 2000)} {last.capitalize()} Street" if chance.random() < 0.5 else "",
        f"{chance.randint(10_000, 39_999)}",
        (chance.randint(1940, 2005), chance.randint(1, 12), chance.randint(1, 28))
        if chance.random() < 0.4
        else None,
    )


def _typo(chance: random.Random, word: str) -> str:
    at = chance.randrange(1, max(2, len(word) - 1))
    return chance.choice((
        word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
        word[:at] + word[at : at + 1] + word[at:],
        word[:at] + chance.choice("aeiou") + word[at:],
    ))  # fmt: skip


def _twin(chance: random.Random, number: int, one: Person) -> Person:
    """Return the same person once more, as another till wrote it down; something always agrees beside the name."""
    twin = Person(f"cli_{number:09}", one.given_name, one.family_name)
    kind = chance.randrange(7)
    if kind in (0, 1, 2, 3):
        twin.phone = one.phone = one.phone or f"+1{chance.randint(2_000_000_000, 9_999_999_999)}"
    if kind == 1:
        twin.family_name = _typo(chance, one.family_name)
    elif kind == 2:
        formal, short = chance.choice(_SHORT)
        one.given_name, twin.given_name = formal.capitalize(), short.capitalize()
    elif kind == 3:
        twin.given_name, twin.family_name = one.family_name, one.given_name
    elif kind == 4:
        one.email = one.email or f"{one.family_name.lower()}{number}@a.example"
        twin.email = one.email.partition("@")[0] + "@d.example"
    elif kind == 5:
        one.street = one.street or f"{number % 2000} Main Street"
        twin.street, twin.postal_code = one.street.replace("Street", "St."), one.postal_code
    elif kind == 6:
        twin.birthday = one.birthday = one.birthday or (1970, 1 + number % 12, 1 + number % 28)
    return twin


def rows_of(house: House) -> Iterator[tuple[str, list[str], list[tuple[object, ...]]]]:
    """Yield tables with their columns and rows."""
    yield "clients", [
        "chain_id", "client_id", "given_name", "family_name", "address_lines", "postal_code", "home_store_id",
        "created_at", "updated_at",
    ], [
        (_CHAIN, p.client_id, p.given_name, p.family_name, [p.street] if p.street else [],
         p.postal_code if p.street else "", "sto_bench", _NOW, _NOW)
        for p in house.people
    ]  # fmt: skip
    yield (
        "contact_points",
        ["chain_id", "contact_point_id", "client_id", "kind", "value", "match_key"],
        [
            (_CHAIN, f"cpt_{p.client_id}_{kind}", p.client_id, kind, value, value)
            for p in house.people
            for kind, value in (("phone", p.phone), ("email", p.email))
            if value
        ],
    )
    yield (
        "occasions",
        ["chain_id", "occasion_id", "client_id", "kind", "year", "month", "day"],
        [
            (_CHAIN, f"occ_{p.client_id}", p.client_id, "birthday", *p.birthday)
            for p in house.people
            if p.birthday
        ],
    )


async def _triggers(admin: "asyncpg.Connection[asyncpg.Record]", what: str) -> None:
    """Enable or disable what else would queue every row while the chain is filled."""
    for table in ("clients", "contact_points", "occasions"):
        await admin.execute(f"alter table {table} {what} trigger user")


class _Sink:
    """Takes what COPY gives and forgets it."""

    def __init__(self) -> None:
        self.size = 0

    async def __call__(self, data: bytes) -> None:
        self.size += len(data)


async def copy_out(connection: "asyncpg.Connection[asyncpg.Record]") -> float:
    """Return the seconds in which Postgres gives away the same rows."""
    started = time.perf_counter()
    for query in (
        "select client_id, given_name, family_name, nickname, address_lines, postal_code, locality from clients",
        "select client_id, kind, match_key from contact_points",
        "select client_id, year, month, day from occasions where kind = 'birthday'",
    ):
        await connection.copy_from_query(query, output=_Sink())
    return time.perf_counter() - started


def bare_scoring(house: House) -> float:
    """Return the seconds for one pair, from memory."""
    features = [
        features_of(
            p.client_id, given_name=p.given_name, family_name=p.family_name, phones=[p.phone] if p.phone else (),
            emails=[p.email] if p.email else (), address_lines=[p.street] if p.street else (),
            postal_code=p.postal_code, birthday=p.birthday,
        )
        for p in house.people[: _SCORED + 1]
    ]  # fmt: skip
    pairs = list(pairwise(features))
    started = time.perf_counter()
    for one, other in pairs:
        score(one, other)
    return (time.perf_counter() - started) / len(pairs)


async def run_pass(database: Database, number: int) -> tuple[float, int, int]:
    """Return seconds, pairs compared and pairs found of one pass."""
    pass_id = f"dpp_{number}"
    clock = SystemClock()
    async with database.transaction(_CHAIN) as tx:
        await store.add_pass(tx, pass_id, now=clock.now())
    started = time.perf_counter()
    while await move_pass(database=database, clock=clock, chain_id=_CHAIN, pass_id=pass_id):
        pass
    seconds = time.perf_counter() - started
    async with database.transaction(_CHAIN) as tx:
        done = await store.get_pass(tx, pass_id)
    return seconds, done.pairs_compared, done.duplicates_found


async def measure(count: int) -> None:
    """Measure one size, on a server of its own."""
    house = generate(count)
    with tempfile.TemporaryDirectory() as directory:
        async with running_servers(Path(directory), durable=True) as servers:
            urls = await ensure_service_database(
                servers.postgres_url, "profiles", owner_password="owner", runtime_password="runtime"
            )
            await upgrade(VERSIONS, urls.owner_url)
            # Past row-level security, as nothing in the service is: only to have the rows there.
            admin = await asyncpg.connect(database_url(servers.postgres_url, "profiles"))
            await _triggers(admin, "disable")
            for table, columns, rows in rows_of(house):
                await admin.copy_records_to_table(table, columns=columns, records=rows)
            await _triggers(admin, "enable")
            await admin.execute("vacuum analyze")
            database = Database(
                connect(urls.runtime_url, pool_size=4, application="bench"),
                source="profiles",
                clock=SystemClock(),
            )
            copied = [await copy_out(admin)]
            bare = [bare_scoring(house)]
            first, compared, found = await run_pass(database, 1)
            copied.append(await copy_out(admin))
            bare.append(bare_scoring(house))
            second, _, _ = await run_pass(database, 2)
            ceiling = min(copied) + min(bare) * compared
            pairs = {
                (row[0], row[1])
                for row in await admin.fetch("select first_client_id, second_client_id from duplicates")
            }
            right = len(pairs & house.twins)
            print(
                f"{len(house.people)} clients, {len(house.twins)} of them twice: first pass {first:.1f} s, second "
                f"{second:.1f} s; {compared / len(house.people):.2f} pairs compared per client; {found} pairs found, "
                f"recall {right / len(house.twins):.3f}, precision {right / max(1, len(pairs)):.3f}"
            )
            print(
                f"  ceiling: COPY out {min(copied):.2f} s + {min(bare) * 1e6:.1f} us a pair = {ceiling:.1f} s; "
                f"first pass at {ceiling / first:.3f} of its speed, second at {ceiling / second:.3f}"
            )
            changed = [p.client_id for p in house.people[:: max(1, len(house.people) // _CHANGED)]]
            async with database.transaction(_CHAIN) as tx:
                await match_store.queue(tx, changed)
            started = time.perf_counter()
            while await match_changed(database=database, clock=SystemClock(), chain_id=_CHAIN):
                pass
            seconds = time.perf_counter() - started
            print(f"  queue: {len(changed) / seconds:.0f} changed clients a second")
            await database.stop()
            await admin.close()


async def main() -> None:
    """Measure and print."""
    for count in [int(argument) for argument in sys.argv[1:]] or [250_000, 1_000_000]:
        await measure(count)


if __name__ == "__main__":
    uvloop.run(main())
