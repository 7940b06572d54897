"""Bad days: the broker or the database goes away under load and comes back. Nothing is lost, nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from carnet.waitlist.v1 import events_pb2, waitlist_pb2, waitlist_pb2_grpc
from toy import MakeToy, Toy

from carnet_local.servers import Servers, running_servers
from chassis.errors import Kind, ServiceError
from chassis.runtime import stop_all
from chassis.testing import SignIn, channel_to, eventually, running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Run servers of this module's own, which it may stop; they keep their data as in production."""
    async with running_servers(tmp_path_factory.mktemp("outages"), durable=True) as started:
        yield started


async def say(toy: Toy, chain_id: str, numbers: range) -> None:
    for number in numbers:
        async with toy.database.transaction(chain_id) as tx:
            tx.publish(events_pb2.InterestRegistered(interest_id=f"int_{number}"), entity_id=f"int_{number}")


async def effects(toy: Toy, chain_id: str) -> int:
    async with toy.database.transaction(chain_id) as tx:
        return int((await tx.execute("select count(*) from things where label = 'heard'")).scalar_one())


async def all_arrive(toy: Toy, chain_id: str, expected: int) -> None:
    async def arrived() -> bool:
        return await effects(toy, chain_id) == expected

    await eventually(arrived, within=60)


async def test_writes_go_on_without_the_broker_and_their_events_arrive_later(
    make_toy: MakeToy, servers: Servers
) -> None:
    toy = make_toy()
    async with running(toy.service):
        await say(toy, "chn_nats", range(20))
        await servers.nats.stop()
        try:
            await say(toy, "chn_nats", range(20, 60))  # raises nothing
        finally:
            await servers.nats.start()
        await say(toy, "chn_nats", range(60, 80))
        await all_arrive(toy, "chn_nats", 80)
    assert await effects(toy, "chn_nats") == 80


async def test_the_broker_dies_in_the_middle_of_a_flood(make_toy: MakeToy, servers: Servers) -> None:
    toy = make_toy()
    async with running(toy.service):
        flood = asyncio.create_task(say(toy, "chn_flood", range(400)))

        async def half_way() -> bool:
            return await effects(toy, "chn_flood") > 50

        await eventually(half_way, within=60)
        await servers.nats.stop()
        await servers.nats.start()
        await flood
        await all_arrive(toy, "chn_flood", 400)


async def test_without_the_database_calls_are_told_when_to_try_again_and_recover_by_themselves(
    make_toy: MakeToy, servers: Servers, sign_in: SignIn
) -> None:
    sign_in("references:write", chain_id="chn_down")
    toy = make_toy()

    def request(code: str) -> waitlist_pb2.CreateReferenceRequest:
        return waitlist_pb2.CreateReferenceRequest(brand_id="brd", code=code, display_name="A")

    async with running(toy.service) as address, channel_to(address) as channel:
        stub = waitlist_pb2_grpc.WaitlistServiceStub(channel)
        await stub.CreateReference(request("before"))
        await servers.postgres.stop()
        try:
            with pytest.raises(ServiceError) as refused:
                await stub.CreateReference(request("during"))
        finally:
            await servers.postgres.start()
        assert (refused.value.kind, refused.value.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        assert refused.value.retry_after is not None

        async def works_again() -> bool:
            try:
                return bool((await stub.CreateReference(request("after"))).reference_id)
            except ServiceError as error:
                assert error.kind is Kind.UNAVAILABLE
                return False

        await eventually(works_again, within=60)

        async def relayed() -> bool:
            async with toy.database.platform_transaction() as connection:
                found = await connection.exec_driver_sql(
                    "select count(*) from outbox where published_at is null and chain_id = 'chn_down'"
                )
                return bool(found.scalar_one() == 0)

        await eventually(relayed, within=60)


async def test_a_service_stops_in_time_when_everything_around_it_is_gone(
    make_toy: MakeToy, servers: Servers
) -> None:
    toy = make_toy()
    async with running(toy.service):
        await say(toy, "chn_gone", range(5))
        await all_arrive(toy, "chn_gone", 5)
        await servers.nats.stop()
        await servers.postgres.stop()
        await asyncio.wait_for(stop_all(toy.service.components), 20)
    await servers.nats.start()
    await servers.postgres.start()
