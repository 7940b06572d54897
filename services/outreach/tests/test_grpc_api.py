"""The service through its stub, with every interceptor: the walking skeleton."""

import pytest
from carnet.outreach.v1 import outreach_pb2 as pb
from google.type.date_pb2 import Date
from outreach_story import client_created, days_ago, message_sent, purchase, visit

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON
from chassis.values import proto_date_of


async def test_a_client_who_came_twice_without_buying_is_on_the_queue(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), visit("cli_1", days_ago(9)), visit("cli_1", days_ago(2)))
    as_associate()
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    (suggestion,) = queue.suggestions
    reason, follow_up = suggestion.reasons
    assert (reason.signal, follow_up.signal) == (pb.SIGNAL_HIGH_INTENT, pb.SIGNAL_VISIT_FOLLOW_UP)
    assert reason.sentence == "Came in twice since 1 March without buying, last 2 days ago."
    assert follow_up.sentence == (
        "Came in 2 days ago (8 March) without buying, and nobody has been in touch since."
    )
    assert suggestion.score == round(reason.contribution + follow_up.contribution, 4) > 0
    assert suggestion.model_note.startswith("No purchase model has been fitted yet")


async def test_facts_of_a_client_are_counted(outreach, story, as_associate):
    await story.open()
    await story.tell(
        client_created("cli_1"),
        purchase("cli_1", days_ago(40), minor=10_050),
        purchase("cli_1", days_ago(40), minor=900),
        purchase("cli_1", days_ago(10), minor=5_000),
        visit("cli_1", days_ago(3)),
    )
    as_associate()
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
    assert (facts.purchases, facts.purchase_days, facts.visits) == (3, 2, 1)
    assert (facts.total.units, facts.total.nanos, facts.total.currency_code) == (159, 500_000_000, "USD")
    assert facts.first_purchase_date == proto_date_of(days_ago(40))
    assert facts.last_purchase_date == proto_date_of(days_ago(10))
    assert facts.last_visit_date == proto_date_of(days_ago(3))
    assert not facts.HasField("probability_alive")
    assert facts.model_note == "No purchase model has been fitted yet."


async def test_run_scoring_says_not_enough_history_when_it_is_so(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), purchase("cli_1", days_ago(200)))
    as_associate()
    scored = await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert scored.purchase_model.state == pb.PURCHASE_MODEL_STATE_NOT_ENOUGH_HISTORY
    assert "not enough history" in scored.purchase_model.note
    assert (scored.clients_scored, scored.suggestions_raised) == (1, 1)
    (suggestion,) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    assert "not enough history" in suggestion.model_note
    assert "expected_value_year" not in suggestion.reasons[0].facts


async def test_another_chain_s_ids_are_not_found(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), visit("cli_1", days_ago(2)), visit("cli_1", days_ago(1)))
    as_associate()
    (suggestion,) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    as_associate(chain_id="chn_other")
    for call in (
        lambda: outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1")),
        lambda: outreach.stub.GetSuggestion(pb.GetSuggestionRequest(suggestion_id=suggestion.suggestion_id)),
        lambda: outreach.stub.DraftMessage(pb.DraftMessageRequest(suggestion_id=suggestion.suggestion_id)),
        lambda: outreach.stub.DismissSuggestion(
            pb.DismissSuggestionRequest(suggestion_id=suggestion.suggestion_id, reason="Not mine.")
        ),
        lambda: outreach.stub.SendSuggestion(
            pb.SendSuggestionRequest(suggestion_id=suggestion.suggestion_id, body="Hello")
        ),
    ):
        with pytest.raises(ServiceError) as refused:
            await call()
        assert refused.value.kind is Kind.NOT_FOUND
    assert not (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions


async def test_a_draft_names_the_store_in_a_first_text_only(outreach, story, as_associate):
    await story.open()
    await story.tell(client_created("cli_1"), visit("cli_1", days_ago(2)), visit("cli_1", days_ago(1)))
    as_associate()
    (suggestion,) = (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions
    request = pb.DraftMessageRequest(suggestion_id=suggestion.suggestion_id)
    first = await outreach.stub.DraftMessage(request)
    assert first.body.startswith("Hello Ana, this is Mia from Aurum Boston. ")
    assert (first.language, first.suggestion_id) == ("en", suggestion.suggestion_id)
    assert first.segments in (1, 2)
    await story.tell(message_sent("cli_1", NOON, marketing=False))
    assert (await outreach.stub.DraftMessage(request)).body.startswith("Hello Ana, Mia here. ")
    outreach.profiles.names["cli_1"] = ("Lucía", "es-MX")
    assert (await outreach.stub.DraftMessage(request)).body.startswith("Hola Lucía, soy Mia. ")
    outreach.profiles.names.clear()


@pytest.mark.parametrize(
    ("scopes", "reason"), [(("queue:read",), "SCOPE_MISSING"), (("queue:write",), "SCOPE_MISSING")]
)
async def test_ranking_needs_its_own_scope(outreach, story, as_associate, scopes, reason):
    as_associate(*scopes)
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, reason)


async def test_before_any_ranking_there_is_no_model_and_that_is_said(outreach, story, as_associate):
    as_associate()
    model = await outreach.stub.GetPurchaseModel(pb.GetPurchaseModelRequest())
    assert model.state == pb.PURCHASE_MODEL_STATE_NOT_ENOUGH_HISTORY
    assert model.note == "No purchase model has been fitted yet."
    assert not model.HasField("bg_nbd")


async def test_a_day_that_no_calendar_has_is_refused(outreach, story, as_associate):
    as_associate()
    with pytest.raises(ServiceError) as refused:
        await outreach.stub.RunScoring(pb.RunScoringRequest(as_of_date=Date(year=2026, month=2, day=30)))
    assert refused.value.kind is Kind.INVALID
