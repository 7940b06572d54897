"""Batches of one file that are written side by side come to what they would have come to one after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from carnet.profiles.v1 import profiles_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from chassis.caller import current_caller
from chassis.errors import ServiceError
from profiles.suppression import Suppressor
from profiles.use_cases import imports as use_cases
from profiles.use_cases.import_turns import Step, Turn, TurnLost

COLUMNS = {
    "id": "client_external_id", "first": "given_name", "phone": "phone", "receipt": "purchase_external_id",
    "day": "purchase_date", "paid": "amount", "kind": "payment_kind",
}  # fmt: skip
HEADER = "id,first,phone,receipt,day,paid,kind\n"
# Each client in several batches that follow one another, under another name each time; receipts that come twice.
LINES = [
    f"C{number % 7},Name{number},+1202555{number % 7:04},R{number % 30},2024-01-{number % 28 + 1:02},{number}.50,cash"
    for number in range(40)
]


async def receive(
    house: Any, source: str, lines: list[str], *, columns: dict[str, str] = COLUMNS
) -> pb.Import:
    """Take in lines, two a batch, and return the import."""
    announced = await house.stub.CreateImport(
        pb.CreateImportRequest(
            source=source, format=pb.IMPORT_FORMAT_DELIMITED, store_id=house.store_id, columns=columns
        )
    )

    async def content() -> AsyncIterator[bytes]:
        yield (",".join(columns) + "\n" + "\n".join(lines) + "\n").encode()

    await use_cases.receive_content(
        database=house.database,
        clock=house.clock,
        caller=current_caller(),
        suppressor=Suppressor("k" * 32),
        import_id=announced.import_id,
        chunks=content(),
        batch_lines=2,
    )
    return await house.stub.GetImport(pb.GetImportRequest(import_id=announced.import_id))


async def everything_of(house: Any, source: str) -> list[tuple[Any, ...]]:
    async with house.database.transaction(house.chain_id) as tx:
        purchases = await tx.execute(
            "select p.external_id, c.external_id, p.total_minor, p.purchased_on from purchases p"
            " join clients c using (chain_id, client_id) where p.source = :source order by 1",
            {"source": source},
        )
        clients = await tx.execute(
            "select external_id, given_name, version from clients where source = :source order by 1",
            {"source": source},
        )
        counted = await tx.execute(
            "select c.external_id, f.purchases, f.spent_minor from client_facts f join clients c"
            " using (chain_id, client_id) where c.source = :source order by 1",
            {"source": source},
        )
        return [*map(tuple, purchases), *map(tuple, clients), *map(tuple, counted)]


@asynccontextmanager
async def losing(house: Any, table: str, *, every: int) -> AsyncIterator[None]:
    """Let every so many statements on a table lose against another transaction, as a deadlock does."""
    owner = await asyncpg.connect(house.profiles.owner_url)
    try:
        await owner.execute(
            f"""
            create sequence tried;
            grant usage on sequence tried to public;
            create function lose() returns trigger language plpgsql as $$
            begin
                if nextval('tried') % {every} = 0 then
                    raise exception 'lost' using errcode = '40P01';
                end if;
                return null;
            end $$;
            create trigger lose after insert on {table} for each statement execute function lose();
            """
        )
        yield
    finally:
        await owner.execute(f"drop trigger lose on {table}; drop function lose; drop sequence tried")
        await owner.close()


@pytest.mark.parametrize("table", ["clients", "purchases", "timeline_entries"])
async def test_batches_that_lose_and_come_again_leave_nothing_out_and_nothing_twice(
    house: Any, table: str
) -> None:
    whole = await receive(house, f"quiet-{table}", LINES)
    async with losing(house, table, every=5):
        shaken = await receive(house, f"shaken-{table}", LINES)
    assert shaken.state == whole.state == pb.IMPORT_STATE_COMPLETED
    for count in (
        "lines_read",
        "lines_refused",
        "clients_created",
        "purchases_created",
        "purchases_unchanged",
    ):
        assert getattr(shaken, count) == getattr(whole, count), count
    found = await everything_of(house, f"shaken-{table}")
    assert found == await everything_of(house, f"quiet-{table}")
    assert len([row for row in found if str(row[0]).startswith("R")]) == 30


async def test_a_batch_that_always_loses_ends_the_upload_and_leaves_whole_batches(house: Any) -> None:
    async with losing(house, "purchases", every=1):
        with pytest.raises(ServiceError) as lost:
            await receive(house, "stuck", LINES)
    assert lost.value.reason == "TRY_AGAIN"
    assert await everything_of(house, "stuck") == []


async def test_who_has_no_id_is_known_by_the_number_of_the_batch_before(house: Any) -> None:
    columns = {"first": "given_name", "phone": "phone", "day": "purchase_date", "paid": "amount"}
    lines = [f"Ana,+12025550199,2024-02-{number + 1:02},10.00" for number in range(20)]
    done = await receive(house, "nameless", lines, columns=columns)
    assert (done.clients_created, done.purchases_created) == (1, 20)


@given(paces=st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=2, max_size=6))
def test_no_batch_overtakes_the_one_before(paces: list[list[int]]) -> None:
    begun: list[tuple[int, Step]] = []

    async def go(number: int, turn: Turn) -> None:
        for step, pace in zip(Step, paces[number], strict=True):
            await turn.begin(step)
            begun.append((number, step))
            for _ in range(pace):
                await asyncio.sleep(0)
        turn.end(is_lost=False)

    async def all_of_them() -> None:
        turns: list[Turn] = []
        for _ in paces:
            turns.append(Turn(turns[-1] if turns else None))
        async with asyncio.timeout(30):
            await asyncio.gather(*(go(number, turn) for number, turn in enumerate(turns)))

    asyncio.run(all_of_them())
    for step in Step:
        assert [number for number, one in begun if one is step] == list(range(len(paces)))


async def test_a_batch_behind_one_that_was_rolled_back_is_lost_too() -> None:
    first = Turn()
    second = Turn(first)
    await first.begin(Step.PEOPLE)
    waiting = asyncio.ensure_future(second.begin(Step.PEOPLE))
    first.end(is_lost=True)
    with pytest.raises(TurnLost):
        await waiting
    second.end(is_lost=True)
    await Turn().begin(Step.COUNTS)
