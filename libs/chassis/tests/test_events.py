"""From commit to effect on real Postgres and NATS: nothing lost, nothing twice, whatever dies in between."""

import asyncio

from carnet.waitlist.v1 import events_pb2, waitlist_pb2, waitlist_pb2_grpc
from toy import MakeToy, Toy

from chassis.database import Database
from chassis.errors import Kind, ServiceError, invalid
from chassis.testing import SignIn, channel_to, eventually, running


async def create(toy: Toy, count: int, *, request_id: str = "") -> list[str]:
    async with running(toy.service) as address, channel_to(address) as channel:
        stub = waitlist_pb2_grpc.WaitlistServiceStub(channel)
        made = [
            await stub.CreateReference(
                waitlist_pb2.CreateReferenceRequest(
                    request_id=request_id, brand_id="b", code=f"c{n}", display_name="n"
                )
            )
            for n in range(count)
        ]
        await eventually(lambda: waiting_is(toy.database, 0))
        return [thing.reference_id for thing in made]


async def count(database: Database, chain_id: str) -> int:
    async with database.transaction(chain_id) as tx:
        return int((await tx.execute("select count(*) from things where label = 'heard'")).scalar_one())


async def waiting_is(database: Database, expected: int) -> bool:
    async with database.platform_transaction() as connection:
        found = await connection.exec_driver_sql("select count(*) from outbox where published_at is null")
        return bool(found.scalar_one() == expected)


async def dead(database: Database) -> list[str]:
    async with database.platform_transaction() as connection:
        found = await connection.exec_driver_sql(
            "select reason from dead_letters where replayed_at is null order by failed_at"
        )
        return list(found.scalars())


async def write_only(toy: Toy, chain_id: str, name: str) -> None:
    async with toy.database.transaction(chain_id) as tx:
        tx.publish(events_pb2.InterestRegistered(interest_id=name), entity_id=name)


async def test_events_stand_in_the_outbox_in_the_order_they_were_said_whole(database: Database) -> None:
    names = [f'thing "{number}", {{\\u00e9}} \u00e9' for number in (3, 1, 2)]
    async with database.transaction("chn_order") as tx:
        for name in names:
            tx.publish(events_pb2.InterestRegistered(interest_id=name), entity_id=name)
    async with database.platform_transaction() as connection:
        found = await connection.exec_driver_sql(
            "select event_id, event_type, headers, body, created_at from outbox where chain_id = 'chn_order'"
            " order by position"
        )
        rows = found.all()
    assert [row.headers["ce-subject"] for row in rows] == names
    assert [events_pb2.InterestRegistered.FromString(row.body).interest_id for row in rows] == names
    assert [(row.headers["ce-id"], row.headers["ce-type"], row.headers["ce-time"]) for row in rows] == [
        (row.event_id, row.event_type, row.created_at.isoformat()) for row in rows
    ]


async def test_a_committed_event_has_its_effect(
    make_toy: MakeToy, sign_in: SignIn, database: Database
) -> None:
    chain = sign_in("references:write", chain_id="chn_effect").chain_id
    await create(make_toy(), 3)
    async with running(make_toy().service):
        await eventually(lambda: _is(count(database, chain), 3))


async def _is(value, expected):  # type: ignore[no-untyped-def]
    return await value == expected


async def test_what_was_committed_by_a_process_that_died_is_published_by_the_next(
    make_toy: MakeToy, database: Database
) -> None:
    dying = make_toy()
    await write_only(dying, "chn_died", "int_1")  # committed; its relay never ran
    await dying.database.stop()
    async with running(make_toy().service):
        await eventually(lambda: _is(count(database, "chn_died"), 1))


async def test_an_event_published_twice_has_one_effect(make_toy: MakeToy, database: Database) -> None:
    toy = make_toy()
    async with running(toy.service):
        await write_only(toy, "chn_twice", "int_1")
        await eventually(lambda: _is(count(database, "chn_twice"), 1))
        # As after a relay that was killed between publishing and noting it, and a broker that forgot the message id.
        async with database.platform_transaction() as connection:
            found = await connection.exec_driver_sql(
                "select event_id, event_type, headers, body from outbox where chain_id = 'chn_twice'"
            )
            row = found.one()
        jetstream = await toy.service.foundation.broker.jetstream()
        await jetstream.publish(f"{row.event_type}.chn_twice", row.body, headers=dict(row.headers))
        await eventually(lambda: len(toy.listener.seen) >= 1)
        await write_only(toy, "chn_twice", "int_2")
        await eventually(lambda: _is(count(database, "chn_twice"), 2))
    assert await count(database, "chn_twice") == 2


async def test_a_transient_failure_is_tried_again(make_toy: MakeToy, database: Database) -> None:
    toy = make_toy()
    toy.listener.failures = [
        ServiceError(Kind.UNAVAILABLE, "X_UNAVAILABLE", "Away."),
        RuntimeError("unforeseen"),
    ]
    async with running(toy.service):
        await write_only(toy, "chn_again", "int_1")
        await eventually(lambda: _is(count(database, "chn_again"), 1))
    assert await dead(database) == []


async def test_a_refused_event_is_set_aside_and_can_be_replayed(
    make_toy: MakeToy, database: Database
) -> None:
    toy = make_toy()
    toy.listener.failures = [invalid("interest_id", "is no good")]
    async with running(toy.service):
        await write_only(toy, "chn_dead", "int_1")
        await eventually(lambda: dead(database))
        assert await dead(database) == ["FIELD_INVALID"]
        assert await count(database, "chn_dead") == 0
        assert await toy.service.consumers[0].replay() == (1, 0)
    assert await dead(database) == []
    assert await count(database, "chn_dead") == 1


async def test_an_undecodable_message_does_not_stop_the_others(make_toy: MakeToy, database: Database) -> None:
    toy = make_toy()
    async with running(toy.service):
        jetstream = await toy.service.foundation.broker.jetstream()
        await jetstream.publish("carnet.waitlist.interest.registered.v1.chn_bad", b"\xff\xff")
        await write_only(toy, "chn_bad", "int_1")
        await eventually(lambda: _is(count(database, "chn_bad"), 1))
    assert [reason.split(":")[0] for reason in await dead(database)] == ["UNDECODABLE"]


async def test_two_replicas_share_the_work_and_make_each_effect_once(
    make_toy: MakeToy, database: Database
) -> None:
    first, second = make_toy(), make_toy()
    async with (
        running(first.service, without=("grpc", "operator")),
        running(second.service, without=("grpc", "operator")),
    ):
        await asyncio.gather(*(write_only(first, "chn_share", f"int_{n}") for n in range(40)))
        await eventually(lambda: _is(count(database, "chn_share"), 40))
    assert await waiting_is(database, 0)
