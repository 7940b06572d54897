"""Clients of events that come late are looked at in sets, with what looking at each of them would have found."""

import asyncio
from datetime import timedelta

from carnet.outreach.v1 import events_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import client_created, client_fact, days_ago, purchase, visit

from chassis.events import wrap
from chassis.testing import published
from outreach.store import books, due_clients, ranking_results
from outreach.use_cases import attention
from outreach.use_cases.counting import count_waiting

CLIENTS = [f"cli_{number:02}" for number in range(8)]
STORY = (
    *(client_created(client_id, occasions=[(1, 0, 3, 20)]) for client_id in CLIENTS[:3]),
    *(client_created(client_id) for client_id in CLIENTS[3:]),
    *(purchase(client_id, days_ago(300), purchase_id=f"pur_{client_id}") for client_id in CLIENTS[2:5]),
    *(visit(client_id, days_ago(day)) for client_id in CLIENTS[4:6] for day in (9, 2)),
    profiles_events.ClientDeleted(client_id=CLIENTS[0]),
)


async def tell_late(outreach, chain_id, *events):
    """Have events handled a while after they were said, as after an outage."""
    for event in events:
        source = type(event).DESCRIPTOR.full_name.split(".")[1]
        said = outreach.clock.now() - timedelta(seconds=5)
        envelope = wrap(event, source=source, chain_id=chain_id, entity_id="", now=said)
        consumer = next(part for part in outreach.service.consumers if part.stream == source.upper())
        await asyncio.create_task(consumer.handle(envelope))


async def look(outreach, chain_id):
    return await attention.evaluate_due(
        database=outreach.database, clock=outreach.clock, chain_id=chain_id, queue_size=3
    )


async def stands(outreach, chain_id):
    async with outreach.database.transaction(chain_id) as tx:
        found = await tx.execute(
            "select client_id, associate_id, store_id, state, as_of, expires_on, score, reasons, signals, model_note,"
            " tier, action from suggestions where state in ('open', 'snoozed') order by client_id"
        )
        return [tuple(row) for row in found]


async def test_sets_find_what_looking_at_each_would_have_found(outreach, story):
    await story.open()
    await story.tell(*STORY)
    one_by_one = await stands(outreach, story.chain_id)
    assert [row[0] for row in one_by_one] == CLIENTS[1:6]

    other = f"{story.chain_id}_late"
    await tell_late(outreach, other, profiles_events.ChainCreated(
        chain_id=other, country="US", currency_code="USD", time_zone="America/New_York"
    ))  # fmt: skip
    await tell_late(outreach, other, *STORY)
    assert await stands(outreach, other) == []
    assert [chain_id for chain_id, _, _ in await attention.find_due(outreach.database)] == [other]
    assert await look(outreach, other) == len(CLIENTS)
    assert await stands(outreach, other) == one_by_one
    assert await attention.find_due(outreach.database) == []


async def test_each_new_suggestion_is_said_once(outreach, story):
    await story.open()
    await tell_late(outreach, story.chain_id, *STORY)
    await look(outreach, story.chain_id)
    await tell_late(outreach, story.chain_id, *(visit(client_id, days_ago(1)) for client_id in CLIENTS[4:6]))
    assert await look(outreach, story.chain_id) == 2
    raised = await published(outreach.database, events_pb2.SuggestionRaised, chain_id=story.chain_id)
    assert sorted(event.client_id for event in raised) == CLIENTS[1:6]


async def test_a_reason_that_is_over_takes_the_suggestion_away(outreach, story):
    await story.open()
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(300)))
    assert len(await stands(outreach, story.chain_id)) == 1
    await tell_late(outreach, story.chain_id, purchase("cli_1", days_ago(1), minor=1))
    await tell_late(outreach, story.chain_id, profiles_events.ClientDeleted(client_id="cli_1"))
    assert len(await stands(outreach, story.chain_id)) == 1
    await look(outreach, story.chain_id)
    assert await stands(outreach, story.chain_id) == []


async def test_who_was_merged_is_looked_at_as_the_survivor(outreach, story):
    await story.open()
    await tell_late(
        outreach,
        story.chain_id,
        client_created("cli_a"),
        client_created("cli_b"),
        visit("cli_a", days_ago(9)),
        visit("cli_b", days_ago(2)),
    )
    await story.tell(
        profiles_events.ClientMerged(
            merge_id="mrg_1", client=client_fact("cli_a", version=5), merged_client_id="cli_b"
        )
    )
    await look(outreach, story.chain_id)
    assert [row[0] for row in await stands(outreach, story.chain_id)] == ["cli_a"]


async def test_who_was_erased_waits_for_nothing(outreach, story):
    await story.open()
    await tell_late(outreach, story.chain_id, client_created("cli_a"), visit("cli_a", days_ago(2)))
    await story.tell(
        profiles_events.ClientErased(erasure_id="era_1", client_id="cli_a", former_client_ids=[])
    )
    assert await attention.find_due(outreach.database) == []


async def test_many_workers_and_events_at_once_leave_one_suggestion_a_client(outreach, story):
    await story.open()
    await tell_late(outreach, story.chain_id, *STORY)

    async def again(number):
        client_id = CLIENTS[number % 4 + 2]
        await story.tell(visit(client_id, days_ago(number % 3)))

    await asyncio.gather(
        *(look(outreach, story.chain_id) for _ in range(10)), *(again(number) for number in range(10))
    )
    await look(outreach, story.chain_id)
    found = [row[0] for row in await stands(outreach, story.chain_id)]
    assert len(found) == len(set(found))
    one_by_one = await stands(outreach, story.chain_id)
    async with outreach.database.transaction(story.chain_id) as tx:
        await due_clients.mark_due(tx, CLIENTS, now=outreach.clock.now())
    await look(outreach, story.chain_id)
    assert await stands(outreach, story.chain_id) == one_by_one


async def import_very_many(outreach, story):
    """Have more clients than are looked at as few, who all bought once, each for more than the one before."""
    clients = [f"cli_{number:04}" for number in range(attention.FEW + 1)]
    await story.tell(
        profiles_events.ImportBatchLanded(
            import_id="imp_1",
            clients=[client_created(client_id).client for client_id in clients],
            purchases=[
                purchase(client_id, days_ago(200), minor=1_000 + number).purchase
                for number, client_id in enumerate(clients)
            ],
        )
    )
    await count_waiting(database=outreach.database, clock=outreach.clock, chain_id=story.chain_id)
    return clients


async def look_at(outreach, story, clients):
    async with outreach.database.transaction(story.chain_id) as tx:
        await due_clients.mark_due(tx, clients, now=outreach.clock.now())
    await look(outreach, story.chain_id)
    return await stands(outreach, story.chain_id)


async def test_of_very_many_only_the_best_come_on_a_queue(outreach, story):
    await story.open()
    clients = await import_very_many(outreach, story)
    assert len(await look_at(outreach, story, clients)) >= 3


async def test_who_stands_on_a_full_queue_is_looked_at_and_nobody_worse_joins(outreach, story):
    await story.open()
    clients = await import_very_many(outreach, story)
    best = await look_at(outreach, story, clients)
    async with outreach.database.transaction(story.chain_id) as tx:
        await tx.execute("update suggestions set score = score + 1, model_note = 'of before'")
    assert {row[0] for row in await look_at(outreach, story, clients)} == {row[0] for row in best}
    assert await stands(outreach, story.chain_id) == best


async def test_the_last_of_the_best_is_found_for_every_full_queue_of_who_has_a_number(outreach, story):
    await story.open()
    clients = await import_very_many(outreach, story)
    async with outreach.database.transaction(story.chain_id) as tx:
        await due_clients.mark_due(tx, clients, now=outreach.clock.now())
    await attention.evaluate_due(
        database=outreach.database, clock=outreach.clock, chain_id=story.chain_id, queue_size=len(clients)
    )
    queues = [("asc_1", "personal"), ("asc_1", "automated"), ("nobody_1", "personal"), ("", "personal")]
    scores = {
        queue: [at / 1000 for at in range(place, len(clients), 4)] for place, queue in enumerate(queues)
    }
    async with outreach.database.transaction(story.chain_id) as tx:
        for at, client_id in enumerate(clients):
            associate_id, action = queues[at % len(queues)]
            await tx.execute(
                "update suggestions set associate_id = :associate_id, action = :action, score = :score"
                " where chain_id = :chain_id and client_id = :client_id",
                {
                    "chain_id": story.chain_id,
                    "client_id": client_id,
                    "associate_id": associate_id,
                    "action": action,
                    "score": at / 1000,
                },
            )
        personal = (await books.numbers_of_names(tx, ["asc_1"]))["asc_1"] * 2

        async def least(queue_size):
            columns = await ranking_results.least_scores(tx, queue_size)
            return dict(zip(*(column.tolist() for column in columns), strict=True))

        longer, shorter = scores["asc_1", "personal"], scores["asc_1", "automated"]
        assert len(longer) == len(shorter) + 1
        assert await least(10) == {personal: longer[-10], personal + 1: shorter[-10]}
        assert await least(len(longer)) == {personal: longer[0]}
        assert await least(len(longer) + 1) == {}
        assert await ranking_results.clients_standing(tx, ["cli_0007", "cli_none"]) == {"cli_0007"}
