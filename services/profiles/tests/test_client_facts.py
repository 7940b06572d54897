"""The facts that segments look at, while several write at once."""

import asyncio
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from profiles.store import client_facts


async def purchases_counted(house: Any, client: pb.Client) -> list[int]:
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute(
            "select purchases from client_facts where client_id = :client_id", {"client_id": client.client_id}
        )
        return list(found.scalars())


async def test_two_who_count_at_once_leave_out_nothing(house: Any) -> None:
    client = await house.client()
    bought = await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client.client_id,
            store_id=house.store_id,
            purchase_date=Date(year=2026, month=3, day=1),
            lines=[pb.PurchaseLine(piece=pb.Piece(), quantity=1, amount=Money(currency_code="USD", units=5))],
        )
    )
    copy = (
        "insert into purchases (chain_id, purchase_id, client_id, store_id, purchased_on, total_minor, currency_code,"
        " created_at) select chain_id, :copy_id, client_id, store_id, purchased_on, total_minor, currency_code,"
        " created_at from purchases where purchase_id = :purchase_id"
    )

    async def second() -> None:
        async with house.database.transaction(house.chain_id) as tx:
            await tx.execute(copy, {"copy_id": "pur_second", "purchase_id": bought.purchase_id})
            await client_facts.refresh(tx, [client.client_id])

    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(copy, {"copy_id": "pur_first", "purchase_id": bought.purchase_id})
        await client_facts.refresh(tx, [client.client_id])
        other = asyncio.create_task(second())
        # Until the other one waits for this one.
        for _ in range(10_000):
            waiting = await tx.execute(
                "select count(*) from pg_locks where not granted and locktype in ('transactionid', 'tuple')"
            )
            if waiting.scalar_one():
                break
    await other
    assert await purchases_counted(house, client) == [3]


async def test_facts_are_counted_by_no_plan_of_when_the_tables_were_smaller(house: Any) -> None:
    """A plan that is kept from empty tables reads all of them for each client of an import."""
    client = await house.client()
    async with house.database.transaction(house.chain_id) as tx:
        for _ in range(10):  # after five, Postgres may keep one
            await client_facts.refresh(tx, [client.client_id])
        plans = await tx.execute(
            "select sum(custom_plans) > 0, sum(generic_plans) from pg_prepared_statements"
            " where statement like '%insert into client_facts%' and statement not like '%pg_prepared_statements%'"
        )
        assert tuple(plans.one()) == (True, 0)
        assert (await tx.execute("show plan_cache_mode")).scalar_one() == "auto"
