"""Transactions bound to a chain, request ids, outages: on a real Postgres."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from carnet.waitlist.v1 import events_pb2, waitlist_pb2
from sqlalchemy.exc import DBAPIError

from chassis.clock import FixedClock
from chassis.database import Database, RequestKey
from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, MakeDatabase, opened, published

VERSIONS = Path(__file__).parent / "versions"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(make_database: MakeDatabase) -> AsyncIterator[Database]:
    made = await make_database("waitlist", VERSIONS)
    async with opened(made.runtime_url, source="waitlist", clock=FixedClock(NOON)) as database:
        yield database


async def insert(database: Database, thing_id: str, chain_id: str, *, as_chain: str) -> None:
    async with database.transaction(as_chain) as tx:
        await tx.execute(
            "insert into things (thing_id, chain_id, label) values (:id, :chain, '')",
            {"id": thing_id, "chain": chain_id},
        )


async def visible(database: Database, chain_id: str) -> set[str]:
    async with database.transaction(chain_id) as tx:
        return set((await tx.execute("select thing_id from things")).scalars())


async def test_a_chain_sees_its_own_rows_only(database: Database) -> None:
    await insert(database, "mine", "chn_one", as_chain="chn_one")
    await insert(database, "theirs", "chn_two", as_chain="chn_two")
    assert "mine" in await visible(database, "chn_one")
    assert "mine" not in await visible(database, "chn_two")


async def test_a_row_cannot_be_written_for_another_chain(database: Database) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        await insert(database, "smuggled", "chn_two", as_chain="chn_one")


async def test_the_platform_sees_no_business_rows(database: Database) -> None:
    await insert(database, "hidden", "chn_one", as_chain="chn_one")
    async with database.platform_transaction() as connection:
        assert (await connection.exec_driver_sql("select count(*) from things")).scalar_one() == 0


async def test_an_append_only_table_refuses_changes(database: Database) -> None:
    async with database.transaction("chn_one") as tx:
        await tx.execute("insert into ledger (entry_id, chain_id) values ('one', 'chn_one')")
    for statement in ("update ledger set entry_id = 'two'", "delete from ledger"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.transaction("chn_one") as tx:
                await tx.execute(statement)


async def test_an_event_of_a_rolled_back_transaction_was_never_said(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction("chn_back") as tx:
            tx.publish(events_pb2.InterestRegistered(interest_id="int_x"), entity_id="int_x")
            raise RuntimeError
    assert await published(database, events_pb2.InterestRegistered, chain_id="chn_back") == []


def key(request_id: str, code: str = "126610LN") -> RequestKey:
    return RequestKey.of(waitlist_pb2.CreateReferenceRequest(request_id=request_id, code=code))


async def test_twenty_calls_with_one_request_id_get_one_result(database: Database) -> None:
    async def call(number: int) -> tuple[str, bool]:
        async with database.transaction("chn_one") as tx:
            return await tx.once(key("same"), f"res_{number}")

    results = await asyncio.gather(*(call(number) for number in range(20)))
    assert len({result_id for result_id, _ in results}) == 1
    assert [is_repeat for _, is_repeat in results].count(False) == 1


async def test_a_request_id_with_another_body_is_refused(database: Database) -> None:
    async with database.transaction("chn_one") as tx:
        await tx.once(key("reused"), "res_1")
    with pytest.raises(ServiceError) as refused:
        async with database.transaction("chn_one") as tx:
            await tx.once(key("reused", code="other"), "res_2")
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "REQUEST_ID_REUSED")


async def test_a_request_id_of_another_chain_is_free(database: Database) -> None:
    for chain_id in ("chn_one", "chn_two"):
        async with database.transaction(chain_id) as tx:
            assert (await tx.once(key("shared"), f"res_{chain_id}"))[0] == f"res_{chain_id}"


async def test_a_postgres_that_is_not_there_is_an_outage() -> None:
    async with opened(
        "postgresql://x:y@127.0.0.1:1/x", source="waitlist", clock=FixedClock(NOON)
    ) as database:
        with pytest.raises(ServiceError) as refused:
            async with database.transaction("chn_one"):
                pass
    assert (refused.value.kind, refused.value.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert refused.value.retry_after is not None


async def test_a_failing_statement_does_not_tell_its_parameters(database: Database) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with database.transaction("chn_one") as tx:
            await tx.execute("select cast(:word as integer)", {"word": "see you at noon"})
    assert "[SQL parameters hidden" in str(failed.value)
