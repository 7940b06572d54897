"""A text for a suggestion goes out once, whatever breaks between outreach and messaging."""

import asyncio

import pytest
import pytest_asyncio
from carnet.messaging.v1 import messaging_pb2
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from outreach_story import TODAY, client_created, days_ago, visit

from chassis.caller import current_caller
from chassis.database import RequestKey
from chassis.errors import Kind, ServiceError
from chassis.testing import published
from chassis.values import proto_date_of
from outreach.clients import GrpcMessaging
from outreach.use_cases.sending import send_suggestion


@pytest_asyncio.fixture(loop_scope="session")
async def suggestion(outreach, story, as_associate) -> pb.Suggestion:
    """Return the one suggestion of this test's chain."""
    await story.open()
    await story.tell(client_created("cli_1"), visit("cli_1", days_ago(9)), visit("cli_1", days_ago(2)))
    as_associate()
    return (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions[0]


async def send(
    outreach, suggestion, body: str = "Hello Ana", request_id: str = ""
) -> pb.SendSuggestionResponse:
    request = pb.SendSuggestionRequest(
        request_id=request_id, suggestion_id=suggestion.suggestion_id, body=body
    )
    return await outreach.stub.SendSuggestion(request)


async def refusal(call) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def state(outreach, suggestion) -> int:
    request = pb.GetSuggestionRequest(suggestion_id=suggestion.suggestion_id)
    return (await outreach.stub.GetSuggestion(request)).state


@pytest.mark.parametrize(
    "message_state",
    [
        messaging_pb2.MESSAGE_STATE_QUEUED,
        messaging_pb2.MESSAGE_STATE_SENT,
        messaging_pb2.MESSAGE_STATE_DEFERRED,
    ],
)
async def test_a_text_that_was_taken_closes_the_suggestion(outreach, story, suggestion, message_state):
    outreach.messaging.state = message_state
    sent = await send(outreach, suggestion)
    assert sent.suggestion.state == pb.SUGGESTION_STATE_SENT
    assert sent.message_id == sent.suggestion.message_id != ""
    assert sent.conversation_id == "cnv_1"
    (event,) = await published(outreach.database, events_pb2.SuggestionSent, chain_id=story.chain_id)
    assert (event.message_id, event.suggestion_id) == (sent.message_id, suggestion.suggestion_id)
    ((request, _),) = outreach.messaging.messages.values()
    assert (request.client_id, request.store_id, request.body) == ("cli_1", "sto_1", "Hello Ana")
    assert request.purpose == messaging_pb2.PURPOSE_MARKETING
    facts = await outreach.stub.GetClientFacts(pb.GetClientFactsRequest(client_id="cli_1"))
    assert facts.last_contact_date == proto_date_of(TODAY)
    assert not (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions


async def test_a_repeat_with_the_same_request_id_gets_the_same_answer(outreach, suggestion):
    first = await send(outreach, suggestion, request_id="req_1")
    again = await send(outreach, suggestion, request_id="req_1")
    assert again == first
    assert outreach.messaging.bodies == ["Hello Ana"]


async def test_a_request_id_with_another_text_is_refused(outreach, suggestion):
    await send(outreach, suggestion, request_id="req_1")
    refused = await refusal(send(outreach, suggestion, "Something else", request_id="req_1"))
    assert (refused.kind, refused.reason) == (Kind.CONFLICT, "REQUEST_ID_REUSED")


async def test_a_second_text_for_a_sent_suggestion_is_refused(outreach, suggestion):
    await send(outreach, suggestion)
    refused = await refusal(send(outreach, suggestion))
    assert (refused.kind, refused.reason) == (Kind.PRECONDITION, "SUGGESTION_CLOSED")
    assert len(outreach.messaging.messages) == 1


async def test_what_the_gate_denies_stays_open_and_says_why(outreach, story, suggestion):
    outreach.messaging.state = messaging_pb2.MESSAGE_STATE_DENIED
    outreach.messaging.reasons = [("NO_PERMISSION", "She has not agreed to texts.")]
    refused = await refusal(send(outreach, suggestion, request_id="req_1"))
    assert (refused.kind, refused.reason) == (Kind.PRECONDITION, "SEND_DENIED")
    assert "She has not agreed to texts." in refused.message
    assert refused.metadata["reasons"] == "NO_PERMISSION"
    assert await state(outreach, suggestion) == pb.SUGGESTION_STATE_OPEN
    assert await published(outreach.database, events_pb2.SuggestionSent, chain_id=story.chain_id) == []

    # She agrees; the same button is pressed again, even with the same request id.
    outreach.messaging.state, outreach.messaging.reasons = messaging_pb2.MESSAGE_STATE_QUEUED, []
    assert (await send(outreach, suggestion, request_id="req_1")).suggestion.state == pb.SUGGESTION_STATE_SENT
    assert outreach.messaging.bodies == ["Hello Ana"]


async def test_what_messaging_refuses_by_itself_comes_through(outreach, suggestion):
    outreach.messaging.refusal = ServiceError(Kind.PRECONDITION, "CLIENT_UNREACHABLE", "No mobile number.")
    refused = await refusal(send(outreach, suggestion))
    assert (refused.kind, refused.reason) == (Kind.PRECONDITION, "CLIENT_UNREACHABLE")
    assert await state(outreach, suggestion) == pb.SUGGESTION_STATE_OPEN
    outreach.messaging.refusal = None
    assert (await send(outreach, suggestion, "Hello again")).suggestion.state == pb.SUGGESTION_STATE_SENT


async def test_a_text_that_failed_for_good_can_be_tried_again(outreach, suggestion):
    outreach.messaging.state = messaging_pb2.MESSAGE_STATE_FAILED
    assert (await refusal(send(outreach, suggestion))).reason == "SEND_FAILED"
    outreach.messaging.state = messaging_pb2.MESSAGE_STATE_QUEUED
    assert (await send(outreach, suggestion)).suggestion.state == pb.SUGGESTION_STATE_SENT


async def test_a_lost_answer_does_not_send_twice(outreach, suggestion):
    outreach.messaging.loses_answers = True
    assert (await refusal(send(outreach, suggestion))).kind is Kind.UNAVAILABLE
    assert await state(outreach, suggestion) == pb.SUGGESTION_STATE_OPEN
    outreach.messaging.loses_answers = False
    sent = await send(outreach, suggestion)
    ((_, message),) = outreach.messaging.messages.values()
    assert sent.message_id == message.message_id


async def test_an_edited_text_after_a_lost_answer_is_not_sent_when_the_first_one_was(
    outreach, story, suggestion
):
    outreach.messaging.loses_answers = True
    await refusal(send(outreach, suggestion, "First wording"))
    outreach.messaging.loses_answers = False
    refused = await refusal(send(outreach, suggestion, "Second wording"))
    assert refused.reason == "SUGGESTION_CLOSED"
    assert await state(outreach, suggestion) == pb.SUGGESTION_STATE_SENT
    assert outreach.messaging.bodies == ["First wording"]
    assert len(await published(outreach.database, events_pb2.SuggestionSent, chain_id=story.chain_id)) == 1


async def test_an_edited_text_is_sent_when_the_first_one_never_arrived(outreach, suggestion):
    outreach.messaging.refusal = ServiceError(Kind.UNAVAILABLE, "SERVICE_UNAVAILABLE", "Away.")
    await refusal(send(outreach, suggestion, "First wording"))
    outreach.messaging.refusal = None
    assert (await send(outreach, suggestion, "Second wording")).suggestion.state == pb.SUGGESTION_STATE_SENT
    assert outreach.messaging.bodies == ["Second wording"]


async def test_an_edited_text_is_sent_when_the_first_one_turns_out_denied(outreach, suggestion):
    outreach.messaging.state, outreach.messaging.loses_answers = messaging_pb2.MESSAGE_STATE_DENIED, True
    await refusal(send(outreach, suggestion, "First wording"))
    outreach.messaging.state, outreach.messaging.loses_answers = messaging_pb2.MESSAGE_STATE_QUEUED, False
    assert (await send(outreach, suggestion, "Second wording")).suggestion.state == pb.SUGGESTION_STATE_SENT
    assert outreach.messaging.bodies == ["Second wording"]


async def test_a_crash_between_the_text_and_the_commit_gives_the_same_message_again(
    outreach, story, suggestion
):
    """The process is gone after messaging took the text: the work in it ends where it stands."""
    from chassis.grpc_client import open_channel

    outreach.messaging.may_answer.clear()
    channel = open_channel(outreach.service.foundation.settings.messaging_address)  # type: ignore[attr-defined]
    request = pb.SendSuggestionRequest(
        request_id="req_1", suggestion_id=suggestion.suggestion_id, body="Hello Ana"
    )
    work = asyncio.create_task(
        send_suggestion(
            database=outreach.database,
            clock=outreach.clock,
            messaging=GrpcMessaging(channel),
            caller=current_caller(),
            key=RequestKey.of(request),
            suggestion_id=suggestion.suggestion_id,
            body=request.body,
        )
    )
    await outreach.messaging.arrived.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await channel.close()
    outreach.messaging.may_answer.set()
    assert await state(outreach, suggestion) == pb.SUGGESTION_STATE_OPEN
    assert len(outreach.messaging.messages) == 1

    sent = await outreach.stub.SendSuggestion(request)
    ((_, message),) = outreach.messaging.messages.values()
    assert sent.message_id == message.message_id
    assert len(await published(outreach.database, events_pb2.SuggestionSent, chain_id=story.chain_id)) == 1


async def test_a_text_on_its_way_keeps_its_suggestion_through_events_and_rankings(
    outreach, story, suggestion
):
    outreach.messaging.loses_answers = True
    await refusal(send(outreach, suggestion))
    await story.tell(client_created("cli_2"), visit("cli_2", days_ago(1)), visit("cli_1", days_ago(1)))
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    outreach.messaging.loses_answers = False
    assert (await send(outreach, suggestion)).suggestion.suggestion_id == suggestion.suggestion_id
    assert outreach.messaging.bodies == ["Hello Ana"]


async def test_twenty_sends_at_once_are_one_text(outreach, story, suggestion, gather):
    results = await gather(*(send(outreach, suggestion, request_id=f"req_{number}") for number in range(20)))
    assert outreach.messaging.bodies == ["Hello Ana"]
    assert len(await published(outreach.database, events_pb2.SuggestionSent, chain_id=story.chain_id)) == 1
    sent = [result for result in results if isinstance(result, pb.SendSuggestionResponse)]
    assert sent
    assert len({result.message_id for result in sent}) == 1
    refused = [result for result in results if isinstance(result, ServiceError)]
    assert {error.reason for error in refused} <= {"SUGGESTION_CLOSED"}


async def test_different_texts_at_once_are_one_text(outreach, suggestion, gather):
    results = await gather(*(send(outreach, suggestion, f"Wording {number}") for number in range(10)))
    assert len(outreach.messaging.bodies) == 1
    reasons = {result.reason for result in results if isinstance(result, ServiceError)}
    assert reasons <= {"SUGGESTION_CLOSED", "SEND_UNDER_WAY"}
    assert await state(outreach, suggestion) in (pb.SUGGESTION_STATE_SENT, pb.SUGGESTION_STATE_OPEN)


async def test_a_sent_suggestion_is_not_raised_again_at_once(outreach, story, suggestion):
    await send(outreach, suggestion)
    await story.tell(visit("cli_1", days_ago(0)))
    await outreach.stub.RunScoring(pb.RunScoringRequest())
    assert not (await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))).suggestions


@pytest.mark.parametrize("body", ["", "x" * 1601])
async def test_a_text_without_words_or_without_end_is_refused(outreach, suggestion, body):
    assert (await refusal(send(outreach, suggestion, body))).kind is Kind.INVALID
