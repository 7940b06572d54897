"""Large chains in slices: shared, repeated, resumed, superseded, and always the queues that one process would write."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import TODAY, client_changed, client_fact, days_ago, purchase, visit

from chassis.runtime import start_all, stop_all
from chassis.testing import eventually, published
from chassis.values import proto_date_of
from outreach.bootstrap import build
from outreach.store import ranking_runs as store
from outreach.use_cases import ranking_runs
from outreach.use_cases.scoring import run_scoring, score_waiting_chains

HOLD = timedelta(hours=12)
SLICE = 5
CLIENTS = [f"cli_{number:02}" for number in range(17)]


@dataclass
class Shared:
    """Stands for the queue of jobs: what was put on it of one chain, in order."""

    chain_id: str
    slices: list[tuple[str, str, int]] = field(default_factory=list)

    async def put(self, chain_id, run_id, slices):
        if chain_id == self.chain_id:
            self.slices += [(chain_id, run_id, slice_) for slice_ in slices]


async def in_the_background(outreach, shared: Shared) -> None:
    await score_waiting_chains(
        database=outreach.database,
        clock=outreach.clock,
        nightly_hour=4,
        queue_size=3,
        replay_hold=HOLD,
        slice_clients=SLICE,
        put_slices=shared.put,
    )


async def work(outreach, *jobs) -> None:
    for chain_id, run_id, slice_ in jobs:
        await ranking_runs.work_on_slice(
            database=outreach.database,
            clock=outreach.clock,
            chain_id=chain_id,
            run_id=run_id,
            slice_=slice_,
            queue_size=3,
            replay_hold=HOLD,
        )


async def at_once(outreach, chain_id, slice_clients=1_000):
    return await run_scoring(
        database=outreach.database,
        clock=outreach.clock,
        chain_id=chain_id,
        as_of=None,
        queue_size=3,
        replay_hold=HOLD,
        slice_clients=slice_clients,
    )


async def stands(outreach, chain_id, states="open"):
    """Return what stands on the queues of a chain, as far as it does not depend on when it was written."""
    async with outreach.database.transaction(chain_id) as tx:
        found = await tx.execute(
            "select client_id, associate_id, state, score, expires_on, reasons, model_note, tier from suggestions"
            " where state = any(:states) order by client_id, state",
            {"states": states.split()},
        )
        return [tuple(row) for row in found]


async def rankings(outreach, chain_id):
    return await published(outreach.database, events_pb2.ScoringCompleted, chain_id=chain_id)


@pytest.fixture
async def imported(story):
    """Import clients of two associates, who all bought once long ago and wait for their first ranking."""
    await story.open()
    await story.tell(
        profiles_events.ImportBatchLanded(
            import_id="imp_1",
            clients=[
                client_fact(client_id, associate_id=f"asc_{number % 2}")
                for number, client_id in enumerate(CLIENTS)
            ],
            purchases=[
                purchase(client_id, days_ago(190 + 7 * (number % 5)), minor=40_000 + number).purchase
                for number, client_id in enumerate(CLIENTS)
            ],
        ),
        profiles_events.ImportCompleted(import_id="imp_1"),
    )
    return story


@pytest.fixture
async def shared_out(outreach, imported):
    """Share out the ranking that the import asked for."""
    shared = Shared(imported.chain_id)
    outreach.clock.advance(timedelta(seconds=1))
    await in_the_background(outreach, shared)
    assert [slice_ for *_, slice_ in shared.slices] == [0, 1, 2, 3]
    return shared


async def test_slices_write_the_queues_that_one_process_writes(outreach, story, shared_out):
    assert await stands(outreach, story.chain_id) == []
    await work(outreach, *reversed(shared_out.slices))
    by_jobs = await stands(outreach, story.chain_id)
    assert len(by_jobs) == 6
    (event,) = await rankings(outreach, story.chain_id)
    assert (event.clients_scored, event.suggestions_raised) == (17, 6)

    for slice_clients in (1_000, SLICE, 1):
        async with outreach.database.transaction(story.chain_id) as tx:
            await tx.execute(
                "delete from suggestions where chain_id = :chain_id", {"chain_id": story.chain_id}
            )
        assert (await at_once(outreach, story.chain_id, slice_clients)).clients_scored == 17
        assert await stands(outreach, story.chain_id) == by_jobs


async def test_what_stands_there_as_ranked_is_not_written_again(outreach, story, shared_out):
    await work(outreach, *shared_out.slices)

    async def versions():
        async with outreach.database.transaction(story.chain_id) as tx:
            found = await tx.execute("select suggestion_id, version, updated_at from suggestions order by 1")
            return [tuple(row) for row in found]

    before = await versions()
    outreach.clock.advance(timedelta(minutes=1))
    assert (await at_once(outreach, story.chain_id, SLICE)).suggestions_raised == 6
    assert await versions() == before


async def test_a_slice_that_is_worked_on_twice_counts_once(outreach, story, shared_out):
    first, *others = shared_out.slices
    await work(outreach, first, first, *others, *others)
    assert len(await stands(outreach, story.chain_id)) == 6
    assert len(await rankings(outreach, story.chain_id)) == 1


async def test_many_workers_at_once_merge_once(outreach, story, shared_out):
    await asyncio.gather(*(work(outreach, job) for job in shared_out.slices * 5))
    assert len(await stands(outreach, story.chain_id)) == 6
    assert len(await rankings(outreach, story.chain_id)) == 1


async def test_a_run_that_crashed_goes_on_where_it_stopped(outreach, story, shared_out):
    await work(outreach, *shared_out.slices[:2])
    outreach.clock.advance(timedelta(seconds=61))  # whoever had the others is gone, and the lease has run out
    again = Shared(story.chain_id)
    await in_the_background(outreach, again)
    assert again.slices == shared_out.slices[2:]
    await work(outreach, *again.slices)
    assert len(await stands(outreach, story.chain_id)) == 6
    assert len(await rankings(outreach, story.chain_id)) == 1


async def test_a_crash_before_the_merge_leaves_it_to_the_next(outreach, story, shared_out):
    *others, (chain_id, run_id, last) = shared_out.slices
    await work(outreach, *others)
    async with outreach.database.transaction(
        chain_id
    ) as tx:  # its result was kept, and then the process was killed
        left = await store.finish_slice(tx, run_id, last, candidates=b"", now=outreach.clock.now())
    assert left == 0
    assert await stands(outreach, chain_id) == []
    outreach.clock.advance(timedelta(seconds=61))
    again = Shared(story.chain_id)
    await in_the_background(outreach, again)
    await work(outreach, *again.slices)
    assert len(await rankings(outreach, chain_id)) == 1
    assert await stands(outreach, chain_id) != []


async def test_a_run_whose_lease_went_to_somebody_else_writes_nothing(outreach, story, shared_out):
    await work(outreach, *shared_out.slices[:3])
    outreach.clock.advance(timedelta(seconds=61))
    await at_once(outreach, story.chain_id)
    before = await stands(outreach, story.chain_id)
    await work(outreach, *shared_out.slices)
    assert await stands(outreach, story.chain_id) == before
    assert len(await rankings(outreach, story.chain_id)) == 1


async def test_a_run_of_yesterday_begins_anew(outreach, story, shared_out):
    await work(outreach, shared_out.slices[0])
    outreach.clock.advance(timedelta(days=1))
    anew = Shared(story.chain_id)
    await in_the_background(outreach, anew)
    assert {run_id for _, run_id, _ in anew.slices}.isdisjoint({run_id for _, run_id, _ in shared_out.slices})
    await work(outreach, *shared_out.slices[1:], *anew.slices)
    (event,) = await rankings(outreach, story.chain_id)
    assert event.as_of_date == proto_date_of(TODAY + timedelta(days=1))


async def test_nobody_else_ranks_a_chain_whose_slices_are_under_way(
    outreach, story, shared_out, as_associate
):
    as_associate()
    with pytest.raises(Exception, match="is being ranked"):
        await run_scoring(
            database=outreach.database,
            clock=outreach.clock,
            chain_id=story.chain_id,
            as_of=None,
            queue_size=3,
            replay_hold=HOLD,
            wait_seconds=0,
        )


async def test_what_people_and_events_did_meanwhile_stays(outreach, story, shared_out, as_associate):
    await work(outreach, *shared_out.slices)
    as_associate(associate_id="asc_0")
    queue = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_0"))).suggestions
    snoozed, sent = queue[0], queue[1]
    outreach.clock.advance(timedelta(seconds=61))
    await story.tell(profiles_events.ImportCompleted(import_id="imp_2"))
    outreach.clock.advance(timedelta(seconds=1))
    shared = Shared(story.chain_id)
    await in_the_background(outreach, shared)
    await work(outreach, *shared.slices[:2])

    outreach.clock.advance(timedelta(seconds=1))
    as_associate(associate_id="asc_0")
    await outreach.stub.SnoozeSuggestion(
        pb.SnoozeSuggestionRequest(
            suggestion_id=snoozed.suggestion_id, until_date=proto_date_of(TODAY + timedelta(days=2))
        )
    )
    await outreach.stub.DismissSuggestion(
        pb.DismissSuggestionRequest(suggestion_id=sent.suggestion_id, reason="moved away")
    )
    queued = {row[0] for row in await stands(outreach, story.chain_id, "open snoozed dismissed")}
    newcomer = min(set(CLIENTS) - queued)
    await story.tell(
        visit(newcomer, days_ago(9)),
        visit(newcomer, days_ago(1)),
        client_changed(newcomer, version=2, associate_id="asc_1"),
    )
    await work(outreach, *shared.slices[2:])

    live = await stands(outreach, story.chain_id, "open snoozed")
    by_client = {row[0]: row for row in live}
    assert len(by_client) == len(live)
    assert by_client[snoozed.client_id][2] == "snoozed"
    assert sent.client_id not in by_client
    assert newcomer in by_client


async def test_a_snoozed_suggestion_beyond_the_best_outlives_slices(
    outreach, story, shared_out, as_associate
):
    await work(outreach, *shared_out.slices)
    as_associate(associate_id="asc_0")
    (first, *_) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_0"))).suggestions
    await outreach.stub.SnoozeSuggestion(
        pb.SnoozeSuggestionRequest(
            suggestion_id=first.suggestion_id, until_date=proto_date_of(TODAY + timedelta(days=3))
        )
    )
    outreach.clock.advance(timedelta(seconds=1))
    await at_once(outreach, story.chain_id, SLICE)
    live = await stands(outreach, story.chain_id, "open snoozed")
    assert [row[0] for row in live if row[2] == "snoozed"] == [first.client_id]
    assert len([row for row in live if row[1] == "asc_0"]) == 4  # it takes no place


async def test_replicas_share_slices_over_the_broker_and_one_that_stops_is_not_missed(outreach, imported):
    chain_id = imported.chain_id
    settings = outreach.service.foundation.settings.model_copy(
        update={
            "slice_clients": 1,
            "queue_size": 3,
            "scoring_poll_seconds": 0.05,
            "database_pool_size": 6,
            "grpc_address": "127.0.0.1:0",
            "metrics_address": "127.0.0.1:0",
        }
    )
    outreach.clock.advance(timedelta(seconds=1))
    replicas = [
        [
            part
            for part in build(settings, clock=outreach.clock).components
            if part.name.startswith(("database", "broker", "scoring"))
        ]
        for _ in range(2)
    ]
    for replica in replicas:
        await start_all(replica)
    try:

        async def is_under_way():
            async with outreach.database.transaction(chain_id) as tx:
                run = await store.find_run(tx)
            return run is not None and run.slices_done > 0

        await eventually(is_under_way)
        await stop_all(replicas[0])

        async def is_ranked():
            return await rankings(outreach, chain_id)

        (event,) = await eventually(is_ranked)
    finally:
        for replica in replicas:
            await stop_all(replica)
    assert (event.clients_scored, event.suggestions_raised) == (17, 6)
    async with outreach.database.transaction(chain_id) as tx:
        run = await store.find_run(tx)
        assert (run.slices, run.slices_done, run.is_finished) == (17, 17, True)
        assert all(one.is_done for one in await store.slices_of(tx, run.run_id))
    by_jobs = await stands(outreach, chain_id)
    await at_once(outreach, chain_id)
    assert await stands(outreach, chain_id) == by_jobs
