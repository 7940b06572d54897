"""Events that wait share a transaction: each effect once, in order, and none for the sake of another."""

from carnet.waitlist.v1 import events_pb2
from toy import MakeToy, Toy

from chassis.database import Database
from chassis.errors import Kind, ServiceError
from chassis.events import Envelope, wrap
from chassis.testing import eventually, running

MOST = 20


async def say(
    toy: Toy, chain_id: str, *events: events_pb2.InterestRegistered | events_pb2.InterestWithdrawn
) -> None:
    """Commit events before anybody listens, so that they wait."""
    async with toy.database.transaction(chain_id) as tx:
        for event in events:
            tx.publish(event, entity_id=event.interest_id)


def registered(numbers: range) -> list[events_pb2.InterestRegistered]:
    return [events_pb2.InterestRegistered(interest_id=f"int_{number:02}") for number in numbers]


def envelopes(toy: Toy, chain_id: str, numbers: range) -> list[Envelope]:
    now = toy.service.foundation.clock.now()
    return [
        wrap(event, source="waitlist", chain_id=chain_id, entity_id=event.interest_id, now=now)
        for event in registered(numbers)
    ]


def heard_of(toy: Toy) -> list[str]:
    """Return the interests that the toy heard of, in order, without those of other tests on the same stream."""
    return [interest_id for interest_id in toy.listener.seen if len(interest_id) == len("int_00")]


async def effects(database: Database, chain_id: str) -> tuple[int, int]:
    """Return how many effects there are, and of how many transactions."""
    async with database.transaction(chain_id) as tx:
        found = await tx.execute(
            "select count(*), count(distinct xmin::text) from things where label = 'heard'"
        )
        row = found.one()
        return int(row[0]), int(row[1])


async def dead(database: Database, chain_id: str) -> list[str]:
    async with database.platform_transaction() as connection:
        found = await connection.exec_driver_sql(
            f"select reason from dead_letters where chain_id = '{chain_id}'"
        )
        return list(found.scalars())


async def until_heard(database: Database, chain_id: str, expected: int) -> None:
    async def are_there() -> bool:
        return (await effects(database, chain_id))[0] >= expected

    await eventually(are_there)


async def test_what_waits_shares_transactions_in_its_order(make_toy: MakeToy, database: Database) -> None:
    toy = make_toy(most=MOST)
    await say(toy, "chn_set", *registered(range(50)))
    async with running(toy.service):
        await until_heard(database, "chn_set", 50)
    count, transactions = await effects(database, "chn_set")
    assert count == 50
    assert transactions < 50
    assert heard_of(toy) == [f"int_{number:02}" for number in range(50)]
    assert max(map(len, toy.listener.begun)) <= MOST


async def test_events_of_different_chains_and_kinds_that_do_not_share_keep_their_order(
    make_toy: MakeToy, database: Database
) -> None:
    toy = make_toy(most=MOST)
    await say(toy, "chn_set_a", *registered(range(5)))
    await say(toy, "chn_set_b", *registered(range(5, 10)))
    await say(toy, "chn_set_b", events_pb2.InterestWithdrawn(interest_id="int_10"))
    await say(toy, "chn_set_b", *registered(range(11, 15)))
    async with running(toy.service):
        await until_heard(database, "chn_set_b", 10)
        await until_heard(database, "chn_set_a", 5)
    assert heard_of(toy) == [f"int_{number:02}" for number in range(15)]
    assert all("int_10" not in begun for begun in toy.listener.begun)


async def test_a_poisoned_event_is_set_aside_and_its_neighbours_are_handled_once(
    make_toy: MakeToy, database: Database
) -> None:
    toy = make_toy(most=MOST)
    toy.listener.poison = "int_07"
    await say(toy, "chn_poison", *registered(range(20)))
    async with running(toy.service):
        await until_heard(database, "chn_poison", 19)
        await eventually(lambda: dead(database, "chn_poison"))
    assert (await effects(database, "chn_poison"))[0] == 19
    assert await dead(database, "chn_poison") == ["FIELD_INVALID"]


async def test_an_unforeseen_failure_comes_again_alone(make_toy: MakeToy, database: Database) -> None:
    toy = make_toy(most=MOST)
    toy.listener.failures = [RuntimeError("in the set"), RuntimeError("alone")]
    await say(toy, "chn_again_set", *registered(range(10)))
    async with running(toy.service):
        await until_heard(database, "chn_again_set", 10)
    assert (await effects(database, "chn_again_set"))[0] == 10
    assert await dead(database, "chn_again_set") == []


async def test_a_database_that_is_away_brings_the_whole_set_again(
    make_toy: MakeToy, database: Database
) -> None:
    toy = make_toy(most=MOST)
    toy.listener.failures = [ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Away.")]
    await say(toy, "chn_away", *registered(range(10)))
    async with running(toy.service):
        await until_heard(database, "chn_away", 10)
    assert (await effects(database, "chn_away"))[0] == 10
    assert await dead(database, "chn_away") == []


async def test_what_was_handled_before_or_comes_twice_in_a_set_has_one_effect(
    make_toy: MakeToy, database: Database
) -> None:
    toy = make_toy(most=MOST)
    consumer = toy.service.consumers[0]
    said = envelopes(toy, "chn_dup", range(4))
    assert await consumer.handle(said[1]) == "handled"
    outcomes = await consumer.handle_set([*said, said[3]])
    assert list(outcomes) == ["handled", "duplicate", "handled", "handled", "duplicate"]
    assert list(await consumer.handle_set(said)) == ["duplicate"] * 4
    async with database.transaction("chn_dup") as tx:
        sets = await tx.execute("select label from things where label <> 'heard'")
        assert list(sets.scalars()) == ["a set of 4"]
    assert (await effects(database, "chn_dup"))[0] == 4


async def test_a_failure_in_a_set_leaves_no_effect_and_no_receipt(
    make_toy: MakeToy, database: Database
) -> None:
    toy = make_toy(most=MOST)
    toy.listener.poison = "int_03"
    consumer = toy.service.consumers[0]
    said = envelopes(toy, "chn_none", range(4))
    try:
        await consumer.handle_set(said)
    except ServiceError as error:
        assert error.reason == "FIELD_INVALID"
    assert (await effects(database, "chn_none"))[0] == 0
    assert [await consumer.handle(one) for one in said[:3]] == ["handled"] * 3


async def test_two_replicas_that_are_given_the_same_set_make_each_effect_once(
    make_toy: MakeToy, database: Database
) -> None:
    first, second = make_toy(most=MOST), make_toy(most=MOST)
    await say(first, "chn_both", *registered(range(60)))
    without = ("grpc", "operator")
    async with running(first.service, without=without), running(second.service, without=without):
        await until_heard(database, "chn_both", 60)
    assert (await effects(database, "chn_both"))[0] == 60
