"""Ids that lead to others: the same in every order, rows that follow and come back, and what was forgotten."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import identities
from chassis.clock import FixedClock
from chassis.database import Database, Transaction
from chassis.testing import NOON, MakeDatabase, opened

VERSIONS = Path(__file__).parent / "versions"
_chains = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(make_database: MakeDatabase) -> AsyncIterator[Database]:
    made = await make_database("waitlist", VERSIONS)
    async with opened(made.runtime_url, source="waitlist", clock=FixedClock(NOON)) as database:
        yield database


@pytest.fixture
def chain_id() -> str:
    return f"chn_{next(_chains)}"


async def give(tx: Transaction, belonging_id: str, owner_id: str) -> None:
    """Write a row as an event of `owner_id` would."""
    await identities.hold(tx)
    current = (await identities.resolve(tx, [owner_id])).get(owner_id)
    if current is not None:
        await tx.execute(
            "insert into belongings (belonging_id, chain_id, owner_id, original_owner_id)"
            " values (:id, :chain_id, :current, :original)",
            {
                "id": f"{tx.chain_id} {belonging_id}",
                "chain_id": tx.chain_id,
                "current": current,
                "original": identities.original_of(owner_id, current),
            },
        )


async def merge(tx: Transaction, merge_id: str, kept_id: str, merged_id: str) -> None:
    currents = await identities.merge(tx, merge_id, kept_id=kept_id, merged_id=merged_id)
    await identities.move_rows(tx, "belongings", "owner_id", currents)


async def unmerge(tx: Transaction, merge_id: str, kept_id: str, merged_id: str) -> None:
    currents = await identities.unmerge(tx, merge_id, kept_id=kept_id, merged_id=merged_id)
    await identities.move_rows(tx, "belongings", "owner_id", currents)


async def owners(tx: Transaction) -> dict[str, str]:
    found = await tx.execute("select belonging_id, owner_id from belongings")
    return {row.belonging_id.split()[1]: row.owner_id for row in found}


async def test_everything_moves_and_comes_back_but_what_came_since(database: Database, chain_id: str) -> None:
    async with database.transaction(chain_id) as tx:
        await give(tx, "ring", "ana")
        await give(tx, "watch", "anna")
        await merge(tx, "mrg_1", "ana", "anna")
        await give(tx, "chain", "ana")
        await give(tx, "late", "anna")
        assert set((await owners(tx)).values()) == {"ana"}
        assert await identities.find_current(tx, "anna") == "ana"
        assert await identities.whole(tx, ["anna"]) == ["ana", "anna"]
        await unmerge(tx, "mrg_1", "ana", "anna")
        assert await owners(tx) == {"ring": "ana", "chain": "ana", "watch": "anna", "late": "anna"}
        assert await identities.whole(tx, ["anna"]) == ["anna"]


STEPS: Sequence[tuple[str, ...]] = (
    ("give", "a1", "a"),
    ("give", "b1", "b"),
    ("give", "c1", "c"),
    ("give", "d1", "d"),
    ("merge", "mrg_1", "a", "b"),  # taken back, then the other way round
    ("unmerge", "mrg_1", "a", "b"),
    ("merge", "mrg_2", "b", "a"),
    ("merge", "mrg_3", "c", "b"),  # a chain of two
    ("merge", "mrg_4", "d", "e"),
    ("unmerge", "mrg_4", "d", "e"),
    ("give", "e1", "e"),
)


async def after(database: Database, chain_id: str, steps: Sequence[tuple[str, ...]]) -> dict[str, str]:
    doing = {"give": give, "merge": merge, "unmerge": unmerge}
    given: set[tuple[str, ...]] = set()
    for step in steps:
        if step[0] == "give" and step in given:
            continue  # what an inbox or a primary key keeps out
        given.add(step)
        async with database.transaction(chain_id) as tx:
            await doing[step[0]](tx, *step[1:])
    async with database.transaction(chain_id) as tx:
        return await owners(tx)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(STEPS))), again=st.lists(st.integers(0, len(STEPS) - 1), max_size=5))
async def test_any_order_and_repetition_gives_everybody_the_same(
    database: Database, order: list[int], again: list[int]
) -> None:
    shuffled = [STEPS[at] for at in [*order, *again]]
    assert await after(database, f"chn_{next(_chains)}", shuffled) == {
        "a1": "c",
        "b1": "c",
        "c1": "c",
        "d1": "d",
        "e1": "e",
    }


@given(
    pairs=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=12),
)
def test_pairs_never_lead_in_a_circle_nor_to_what_leads_on(pairs: list[tuple[str, str]]) -> None:
    leads_to = identities.roots(pairs)
    assert not set(leads_to) & set(leads_to.values())


def test_of_two_that_contradict_the_newest_counts() -> None:
    assert identities.roots([("b", "a"), ("a", "b")]) == {"b": "a"}
    assert identities.roots([("b", "c"), ("b", "a")]) == {"b": "c"}


async def test_what_was_forgotten_is_dropped_and_not_found(database: Database, chain_id: str) -> None:
    async with database.transaction(chain_id) as tx:
        await merge(tx, "mrg_1", "ana", "anna")
        assert await identities.find_receipt(tx, "ers_1") is None
        await identities.forget(tx, ["ana", "anna"], cause_id="ers_1")
        await identities.keep_receipt(tx, "ers_1", b"gone")
    async with database.transaction(chain_id) as tx:
        await give(tx, "late", "ana")
        await give(tx, "later", "anna")
        assert await owners(tx) == {}
        assert [await identities.find_current(tx, one) for one in ("ana", "anna")] == [None, None]
        assert await identities.find_receipt(tx, "ers_1") == b"gone"
    async with database.transaction(f"{chain_id} of another") as tx:
        assert await identities.find_current(tx, "ana") == "ana"


async def test_an_id_that_leads_to_a_forgotten_one_is_not_found_until_it_is_free(
    database: Database, chain_id: str
) -> None:
    """The merge was taken back before the survivor was forgotten, but the news comes the other way round."""
    async with database.transaction(chain_id) as tx:
        await give(tx, "watch", "anna")
        await merge(tx, "mrg_1", "ana", "anna")
        await identities.forget(tx, ["ana"], cause_id="ers_1")
        assert await identities.find_current(tx, "anna") is None
        await give(tx, "late", "anna")
        await unmerge(tx, "mrg_1", "ana", "anna")
        assert await owners(tx) == {"watch": "anna", "late": "anna"}
        assert await identities.find_current(tx, "anna") == "anna"


async def test_twenty_writers_and_a_merge_at_once_leave_no_row_behind(
    database: Database, chain_id: str
) -> None:
    async def write(number: int) -> None:
        async with database.transaction(chain_id) as tx:
            await give(tx, f"thing{number}", "anna")

    async def join() -> None:
        async with database.transaction(chain_id) as tx:
            await merge(tx, "mrg_1", "ana", "anna")

    await asyncio.gather(*(write(number) for number in range(10)), join(), *(map(write, range(10, 20))))
    async with database.transaction(chain_id) as tx:
        found = await owners(tx)
    assert (len(found), set(found.values())) == (20, {"ana"})
