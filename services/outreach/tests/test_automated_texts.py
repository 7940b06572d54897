"""Tiers that are written to by themselves: one text from the template, or none and the reason."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from carnet.messaging.v1 import messaging_pb2
from carnet.outreach.v1 import events_pb2
from carnet.outreach.v1 import outreach_pb2 as pb
from outreach_story import client_created, days_ago, message_received, message_sent, visit
from sqlalchemy import text

from chassis.errors import Kind, ServiceError, unavailable
from chassis.testing import NOON, channel_to, published
from outreach.clients import GrpcMessaging, GrpcProfiles
from outreach.domain import TierAction
from outreach.domain.settings import OutreachSettings, TierBands
from outreach.store import settings as settings_store
from outreach.use_cases import automated_texts
from outreach.use_cases.automated_texts import AutomatedSender, send_automated_texts

ALL = TierBands(prospect_action=TierAction.AUTOMATED, base_action=TierAction.AUTOMATED)


@pytest_asyncio.fixture(loop_scope="session")
async def sender(outreach) -> AsyncIterator[AutomatedSender]:
    """Return what the service's own component sends with."""
    foundation = outreach.service.foundation
    async with channel_to(outreach.neighbours) as channel:
        yield AutomatedSender(
            database=foundation.database,
            clock=outreach.clock,
            profiles=GrpcProfiles(channel),
            messaging=GrpcMessaging(channel),
            speak_for=lambda chain_id: foundation.signer.service_caller(chain_id, automated_texts.SCOPES),
        )


@pytest.fixture
def work(sender):
    """Return a function that has one replica send what is due, in a task of its own."""
    return lambda **changed: asyncio.create_task(send_automated_texts(replace(sender, **changed)))


async def decide(outreach, chain_id: str, bands: TierBands) -> None:
    async with outreach.database.transaction(chain_id) as tx:
        await settings_store.find_written(tx, lock=True)
        await settings_store.put_settings(tx, OutreachSettings(tier_bands=bands), now=NOON)


@pytest.fixture
def seen_twice(outreach, story, as_associate):
    """Return a function that has a client come in twice, in a chain that has decided something."""

    async def come(bands: TierBands = ALL, client_id: str = "cli_1") -> pb.Suggestion:
        # Suggestions of other tests are not to be answered here.
        async with outreach.database.platform_transaction() as platform:
            await platform.execute(text("delete from chains"))
        await story.open()
        await decide(outreach, story.chain_id, bands)
        await story.tell(
            client_created(client_id), visit(client_id, days_ago(9)), visit(client_id, days_ago(2))
        )
        as_associate()
        (raised,) = await published(outreach.database, events_pb2.SuggestionRaised, chain_id=story.chain_id)
        return await read(outreach, raised)

    return come


async def read(outreach, suggestion) -> pb.Suggestion:
    request = pb.GetSuggestionRequest(suggestion_id=suggestion.suggestion_id)
    return await outreach.stub.GetSuggestion(request)


async def test_a_tier_that_is_written_to_by_itself_gets_its_text_once(outreach, story, seen_twice, work):
    outreach.profiles.names["cli_1"] = ("Léa", "fr-FR")
    suggestion = await seen_twice()
    assert suggestion.action == pb.TIER_ACTION_AUTOMATED
    assert await work() == 1
    sent = await read(outreach, suggestion)
    assert sent.state == pb.SUGGESTION_STATE_SENT
    ((request, message),) = outreach.messaging.messages.values()
    assert (request.request_id, sent.message_id) == (f"{suggestion.suggestion_id}.0", message.message_id)
    assert request.body.startswith("Bonjour Léa")
    assert request.purpose == messaging_pb2.PURPOSE_MARKETING
    (event,) = await published(outreach.database, events_pb2.SuggestionSent, chain_id=story.chain_id)
    assert event.suggestion_id == suggestion.suggestion_id
    assert await work() == 0
    assert len(outreach.messaging.messages) == 1


async def test_nothing_goes_by_itself_before_a_chain_says_so(outreach, seen_twice, work):
    suggestion = await seen_twice(TierBands())
    assert suggestion.action == pb.TIER_ACTION_PERSONAL
    assert await work() == 0
    assert not outreach.messaging.messages


async def test_a_chain_that_takes_it_back_is_obeyed_at_once(outreach, story, seen_twice, work):
    await seen_twice()
    await decide(outreach, story.chain_id, TierBands())
    assert await work() == 0
    assert not outreach.messaging.messages


async def test_what_the_gate_holds_until_the_morning_is_sent(outreach, seen_twice, work):
    suggestion = await seen_twice()
    outreach.messaging.state = messaging_pb2.MESSAGE_STATE_DEFERRED
    assert await work() == 1
    assert (await read(outreach, suggestion)).state == pb.SUGGESTION_STATE_SENT


@pytest.mark.parametrize("refuses", ["the gate", "messaging", "the network"])
async def test_what_is_refused_for_good_is_closed_with_the_reason(outreach, story, seen_twice, work, refuses):
    suggestion = await seen_twice()
    if refuses == "the gate":
        outreach.messaging.state = messaging_pb2.MESSAGE_STATE_DENIED
        outreach.messaging.reasons = [("NO_PERMISSION", "Nobody agreed.")]
    elif refuses == "messaging":
        outreach.messaging.refusal = ServiceError(Kind.PRECONDITION, "CLIENT_UNREACHABLE", "No number.")
    else:
        outreach.messaging.state = messaging_pb2.MESSAGE_STATE_FAILED
    assert await work() == 0
    closed = await read(outreach, suggestion)
    assert closed.state == pb.SUGGESTION_STATE_DISMISSED
    assert (
        closed.dismiss_reason
        == {
            "the gate": "SEND_DENIED: NO_PERMISSION",
            "messaging": "CLIENT_UNREACHABLE",
            "the network": "SEND_FAILED",
        }[refuses]
    )
    assert (
        len(await published(outreach.database, events_pb2.SuggestionDismissed, chain_id=story.chain_id)) == 1
    )
    asked = len(outreach.messaging.messages)
    assert (await work(), len(outreach.messaging.messages)) == (0, asked)


async def test_a_lost_answer_is_asked_for_again_and_makes_one_text(outreach, seen_twice, work):
    suggestion = await seen_twice()
    outreach.messaging.loses_answers = True
    assert await work() == 0
    assert (await read(outreach, suggestion)).state == pb.SUGGESTION_STATE_OPEN
    outreach.messaging.loses_answers = False
    assert await work() == 0  # left to whoever took it
    outreach.clock.advance(timedelta(seconds=61))
    outreach.profiles.names["cli_1"] = ("Renamed", "en")
    assert await work() == 0  # the text that went first is the one
    assert (await read(outreach, suggestion)).state == pb.SUGGESTION_STATE_SENT
    assert len(outreach.messaging.messages) == 1


async def test_a_messaging_that_is_away_is_asked_later(outreach, seen_twice, work):
    suggestion = await seen_twice()
    outreach.messaging.refusal = unavailable("messaging")
    assert await work() == 0
    outreach.messaging.refusal = None
    outreach.clock.advance(timedelta(seconds=61))
    assert await work() == 1
    assert (await read(outreach, suggestion)).state == pb.SUGGESTION_STATE_SENT


async def test_twenty_replicas_send_one_text(outreach, seen_twice, work):
    await seen_twice()
    assert sum(await asyncio.gather(*(work() for _ in range(20)))) == 1
    assert len(outreach.messaging.messages) == 1


async def test_no_template_breaks_into_a_conversation(outreach, story, seen_twice, work):
    suggestion = await seen_twice()
    await story.tell(message_received("cli_1", NOON - timedelta(hours=1)))
    assert await work() == 0
    left = await read(outreach, suggestion)
    assert (left.state, left.action) == (pb.SUGGESTION_STATE_OPEN, pb.TIER_ACTION_PERSONAL)
    assert not outreach.messaging.messages


async def test_whom_the_house_has_just_written_to_rests(outreach, story, seen_twice, work):
    await seen_twice()
    await story.tell(message_sent("cli_1", NOON - timedelta(hours=1)))
    assert await work() == 0
    assert not outreach.messaging.messages


async def test_nobody_is_written_to_for_a_day_that_is_replayed(outreach, story, seen_twice, work):
    await seen_twice()
    request = pb.RunScoringRequest()
    request.as_of_date.year, request.as_of_date.month, request.as_of_date.day = 2026, 3, 9
    await outreach.stub.RunScoring(request)
    assert await work() == 0
    assert not outreach.messaging.messages


async def test_what_somebody_put_away_is_left_alone(outreach, seen_twice, work):
    suggestion = await seen_twice()
    await outreach.stub.DismissSuggestion(
        pb.DismissSuggestionRequest(suggestion_id=suggestion.suggestion_id, reason="Not now")
    )
    assert await work() == 0
    assert not outreach.messaging.messages
