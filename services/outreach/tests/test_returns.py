"""What came back lowers its purchase; a purchase that came back whole is none."""

import itertools

import pytest
from carnet.outreach.v1 import outreach_pb2 as pb
from outreach_story import Story, client_created, days_ago, purchase, returned

from chassis.values import proto_date_of

_chains = itertools.count(1)


async def facts_of(outreach, client_id="cli_1"):
    return await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id=client_id))


async def test_a_part_that_came_back_lowers_the_total_and_leaves_the_purchase(outreach, story, as_associate):
    await story.open()
    await story.tell(purchase("cli_1", days_ago(50), minor=90_000, purchase_id="pur_1"))
    await story.tell(returned("cli_1", "pur_1", days_ago(40), minor=30_000))
    as_associate()
    facts = await facts_of(outreach)
    assert (facts.purchases, facts.total.units) == (1, 600)
    await story.tell(returned("cli_1", "pur_1", days_ago(39), minor=50_000))
    facts = await facts_of(outreach)
    assert (facts.purchases, facts.total.units) == (1, 100)


async def test_a_purchase_that_came_back_whole_is_none(outreach, story, as_associate):
    await story.open()
    await story.tell(
        purchase("cli_1", days_ago(200), minor=10_000),
        purchase("cli_1", days_ago(50), minor=90_000, purchase_id="pur_1"),
        returned("cli_1", "pur_1", days_ago(40), minor=60_000),
        returned("cli_1", "pur_1", days_ago(30), minor=30_000),
    )
    as_associate()
    facts = await facts_of(outreach)
    assert (facts.purchases, facts.purchase_days, facts.total.units) == (1, 1, 100)
    assert facts.last_purchase_date == proto_date_of(days_ago(200))
    scored = await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert (scored.purchase_model.clients, scored.purchase_model.repeat_clients) == (1, 0)


async def test_a_return_may_come_before_its_purchase_and_twice(outreach, story, as_associate):
    await story.open()
    back = returned("cli_1", "pur_1", days_ago(40), minor=30_000, return_id="ret_1")
    await story.tell(back, purchase("cli_1", days_ago(50), minor=90_000, purchase_id="pur_1"), back)
    as_associate()
    assert (await facts_of(outreach)).total.units == 600


async def test_a_return_of_another_currency_lowers_nothing(outreach, story, as_associate):
    await story.open()
    await story.tell(
        purchase("cli_1", days_ago(50), minor=90_000, purchase_id="pur_1"),
        returned("cli_1", "pur_1", days_ago(40), minor=90_000, currency="EUR"),
    )
    as_associate()
    assert (await facts_of(outreach)).total.units == 900


async def test_a_ranking_of_an_earlier_day_does_not_know_of_a_later_return(outreach, story, as_associate):
    await story.open()
    await story.tell(
        client_created("cli_1"),
        purchase("cli_1", days_ago(250), minor=90_000, purchase_id="pur_1"),
        returned("cli_1", "pur_1", days_ago(10), minor=90_000),
    )
    as_associate()
    queue = pb.ListQueueRequest(associate_id="asc_1")
    assert not (await outreach.stub.ListQueue(queue)).suggestions
    await outreach.stub.RunScoring(pb.RunScoringRequest(as_of_date=proto_date_of(days_ago(11))))
    (one,) = (await outreach.stub.ListQueue(queue)).suggestions
    assert one.reasons[0].signal == pb.SIGNAL_SILENT_ONE_TIMER
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert not (await outreach.stub.ListQueue(queue)).suggestions


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_order_of_purchase_and_returns_does_not_matter(outreach, as_associate, order):
    story = Story(outreach.service, f"chn_returns_{next(_chains)}", outreach.clock)
    await story.open()
    events = [
        purchase("cli_1", days_ago(50), minor=90_000, purchase_id="pur_1"),
        returned("cli_1", "pur_1", days_ago(40), minor=30_000),
        returned("cli_1", "pur_1", days_ago(45), minor=20_000),
    ]
    await story.tell(*(events[at] for at in order))
    as_associate(chain_id=story.chain_id)
    facts = await facts_of(outreach)
    assert (facts.purchases, facts.total.units) == (1, 400)
