"""A client is forgotten: facts and suggestions go, and nothing that comes late brings them back."""

import asyncio

import pytest
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import (
    client_changed,
    client_created,
    client_fact,
    days_ago,
    message_sent,
    purchase,
    purchase_fact,
    returned,
    visit,
)
from sqlalchemy import text

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published

TABLES = ("clients", "purchases", "visits", "returns", "suggestions")


def erased(client_id, *former_ids, erasure_id="ers_1"):
    return profiles_events.ClientErased(
        erasure_id=erasure_id, client_id=client_id, former_client_ids=former_ids
    )


def merged(surviving_id, merged_id):
    return profiles_events.ClientMerged(
        merge_id="mrg_1", client=client_fact(surviving_id, version=5), merged_client_id=merged_id
    )


async def rows_of(outreach, story, client_id):
    """Return how many rows of the chain name a client, by table."""
    async with outreach.database.transaction(story.chain_id) as tx:
        counts = {}
        for table in TABLES:
            found = await tx.execute(
                text(f"select count(*) from {table} t where position(:id in row_to_json(t)::text) > 0"),
                {"id": client_id},
            )
            counts[table] = found.scalar_one()
    return counts


async def receipts(outreach, story):
    said = await published(outreach.database, events_pb2.ClientForgotten, chain_id=story.chain_id)
    return [event.receipt for event in said]


@pytest.fixture
async def told(story, as_associate):
    await story.open()
    await story.tell(
        client_created("cli_a"),
        client_created("cli_b"),
        purchase("cli_a", days_ago(50), purchase_id="pur_1", minor=9_000),
        purchase("cli_b", days_ago(50), minor=8_000),
        returned("cli_a", "pur_1", days_ago(40), minor=1_000),
        *(visit(client_id, days_ago(day)) for client_id in ("cli_a", "cli_b") for day in (3, 1)),
    )
    as_associate()
    return story


async def test_every_row_goes_and_the_receipt_counts_them(outreach, told):
    await told.tell(erased("cli_a"))
    assert set((await rows_of(outreach, told, "cli_a")).values()) == {0}
    assert sum((await rows_of(outreach, told, "cli_b")).values()) == 5
    (receipt,) = await receipts(outreach, told)
    assert (receipt.erasure_id, receipt.client_id) == ("ers_1", "cli_a")
    assert receipt.erased == {
        "clients": 1, "purchases": 1, "returns": 1, "suggestions": 1, "visits": 2, "outcomes": 2
    }  # fmt: skip
    with pytest.raises(ServiceError) as gone:
        await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_a"))
    assert (gone.value.kind, gone.value.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    assert [suggestion.client_id for suggestion in queue.suggestions] == ["cli_b"]


async def test_late_events_bring_nothing_back(outreach, told):
    await told.tell(erased("cli_a"))
    await told.tell(
        client_changed("cli_a", version=9),
        purchase("cli_a", days_ago(0)),
        visit("cli_a", days_ago(0)),
        returned("cli_a", "pur_9", days_ago(0), minor=5),
        message_sent("cli_a", NOON),
        profiles_events.ClientDeleted(client_id="cli_a"),
        profiles_events.BookReassigned(clients=[client_fact("cli_a", version=12)]),
        profiles_events.ImportBatchLanded(
            clients=[client_fact("cli_a", version=13)], purchases=[purchase_fact("cli_a", days_ago(1))]
        ),
    )
    assert set((await rows_of(outreach, told, "cli_a")).values()) == {0}


@pytest.mark.parametrize("heard_first", ["merge", "erasure"])
async def test_a_merged_client_goes_with_the_survivor(outreach, told, heard_first):
    events = [merged("cli_a", "cli_b"), erased("cli_a", "cli_b")]
    await told.tell(*(events if heard_first == "merge" else reversed(events)))
    for client_id in ("cli_a", "cli_b"):
        assert set((await rows_of(outreach, told, client_id)).values()) == {0}
    (receipt,) = await receipts(outreach, told)
    assert receipt.erased["purchases"] == 2


async def test_who_was_taken_apart_in_time_keeps_everything(outreach, told):
    await told.tell(merged("cli_a", "cli_b"), erased("cli_a"))
    await told.tell(
        profiles_events.ClientUnmerged(
            merge_id="mrg_1",
            client=client_fact("cli_a", version=6),
            restored=client_fact("cli_b", version=6),
        )
    )
    assert set((await rows_of(outreach, told, "cli_a")).values()) == {0}
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_b"))
    assert (facts.purchases, facts.visits) == (1, 2)


async def test_asked_again_the_same_receipt_is_said_again(outreach, told):
    await told.tell(erased("cli_a"), erased("cli_a"))
    one, again = await receipts(outreach, told)
    assert one == again


async def test_ten_erasures_and_ten_purchases_at_once_leave_nothing(outreach, told):
    await asyncio.gather(
        *(told.tell(erased("cli_a")) for _ in range(10)),
        *(told.tell(purchase("cli_a", days_ago(day))) for day in range(10)),
    )
    assert set((await rows_of(outreach, told, "cli_a")).values()) == {0}
    assert len(await receipts(outreach, told)) == 10


async def test_a_text_on_its_way_while_the_client_is_erased_ends_without_a_trace(outreach, told):
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    (mine,) = [one for one in queue.suggestions if one.client_id == "cli_a"]
    outreach.messaging.may_answer.clear()
    outreach.messaging.arrived.clear()
    sending = asyncio.ensure_future(
        outreach.stub.SendSuggestion(
            pb.SendSuggestionRequest(suggestion_id=mine.suggestion_id, body="Hello from the store")
        )
    )
    await outreach.messaging.arrived.wait()
    await told.tell(erased("cli_a"))
    outreach.messaging.may_answer.set()
    with pytest.raises(ServiceError) as gone:
        await sending
    assert gone.value.reason == "SUGGESTION_NOT_FOUND"
    assert set((await rows_of(outreach, told, "cli_a")).values()) == {0}


async def test_another_chain_s_client_of_the_same_id_stays(outreach, told, as_associate):
    from outreach_story import Story

    other = Story(outreach.service, f"{told.chain_id}_other", outreach.clock)
    await other.open()
    await other.tell(client_created("cli_a"), visit("cli_a", days_ago(1)))
    await told.tell(erased("cli_a"))
    as_associate(chain_id=other.chain_id)
    assert (await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_a"))).visits == 1


async def test_what_others_bought_for_the_client_does_not_name_her_any_more(outreach, told):
    gift = purchase("cli_b", days_ago(20))
    gift.purchase.recipient_client_id = gift.purchase.surprise_for_client_id = "cli_a"
    look = visit("cli_b", days_ago(2))
    look.surprise_for_client_id = "cli_a"
    fact = client_fact("cli_b", version=3, occasions=[(1, 0, 6, 20), (2, 0, 3, 20)])
    fact.occasions[1].surprise_for_client_id = "cli_a"
    await told.tell(gift, look, profiles_events.ClientChanged(client=fact))
    await told.tell(erased("cli_a"))
    assert set((await rows_of(outreach, told, "cli_a")).values()) == {0}
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_b"))
    assert (facts.purchases, facts.visits) == (2, 3)
    (one,) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    assert "Anniversary on 20 March, in 10 days." in [reason.sentence for reason in one.reasons]
