"""Twilio as a carrier, against a stand-in over real HTTP: handing over once, finding what became of it, being told."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import messaging_pb2 as pb
from outside_calls import delivering
from twilio_stand_in import (
    ACCOUNT,
    DROP,
    DROP_AFTER,
    FAIL,
    FAIL_AFTER,
    HANG_AFTER,
    THROTTLE,
    TOKEN,
    TwilioStandIn,
    stand_in,
)

from chassis.testing import channel_to
from chassis.values import timestamp_of
from messaging.bootstrap import make_twilio
from messaging.config import Settings
from messaging.domain import Channel
from messaging.providers import Accepted, Picture, ProviderTemplate, Refused, Status, Text
from messaging.providers.twilio import AnswerLost, Twilio


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network() -> AsyncIterator[TwilioStandIn]:
    """Run a Twilio for the module."""
    async with stand_in() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(settings: Settings, network: TwilioStandIn) -> Settings:
    """Return settings with that Twilio as the carrier."""
    return settings.model_copy(
        update={
            "carrier": "twilio",
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_tokens": TOKEN,
            "twilio_base_url": network.base_url,
            "carrier_timeout_seconds": 2.0,
        }
    )


@pytest_asyncio.fixture(loop_scope="session")
async def twilio(house: Any, network: TwilioStandIn, started: Any) -> AsyncIterator[TwilioStandIn]:
    """Return the Twilio of one test, which has nothing yet and calls back at this messaging."""
    network.clock = started.clock
    network.tells, network.behaviour_of = (), None
    network.doubles = network.reorders = False
    network.behaviours.clear()
    network.refusals.clear()
    network.texts.clear()
    network.calls.clear()
    async with channel_to(started.address) as channel:
        network.deliver = delivering(channel)
        yield network
        await network.settled()


@pytest_asyncio.fixture(loop_scope="session")
async def carrier(house: Any, settings: Settings, twilio: TwilioStandIn) -> AsyncIterator[Twilio]:
    """Return the carrier by itself, as another replica would have it."""
    made = make_twilio(settings, database=house.database, clock=house.clock)
    yield made
    await made.stop()


async def a_text(house: Any, **fields: Any) -> Text:
    """Return a text for the network, of a message that is there but goes nowhere by itself."""
    client_id = house.client()
    await house.consent(client_id)
    message = await house.send(client_id, send_time=timestamp_of(house.clock.now() + timedelta(days=1)))
    text = Text(
        house.chain_id,
        message.message_id,
        house.sender.phone,
        house.phone_of(client_id),
        message.body,
        attempted_at=house.clock.now(),
    )
    return replace(text, **fields)


async def test_a_text_is_taken_told_and_arrives(house: Any, twilio: TwilioStandIn) -> None:
    client_id = house.client()
    await house.consent(client_id)
    message = await house.send(client_id)
    await house.becomes(message, pb.MESSAGE_STATE_SENT)
    (taken,) = twilio.texts
    assert (taken.one("To"), taken.one("From")) == (house.phone_of(client_id), house.sender.phone)
    assert taken.one("Body") == message.body
    assert taken.callback.startswith("https://carnet.example/outside/twilio/status?")
    assert taken.reference == message.message_id
    assert await twilio.tell(taken, "delivered") == 204
    assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED


async def test_behind_a_messaging_service_the_stores_own_number_still_writes(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    text = await a_text(house, messaging_service_id="MG1", body="Curly \u2019quotes\u2019 " * 10)
    assert await carrier.send(text) == Accepted(twilio.texts[0].sid, 3)
    assert twilio.texts[0].one("MessagingServiceSid") == "MG1"
    assert twilio.texts[0].one("From") == house.sender.phone


async def test_pictures_go_as_addresses(house: Any, twilio: TwilioStandIn, carrier: Twilio) -> None:
    pictures = tuple(
        Picture(f"med_{n}", f"https://carnet.example/outside/media/{n}", "image/png") for n in (1, 2)
    )
    await carrier.send(await a_text(house, pictures=pictures))
    assert twilio.texts[0].fields["MediaUrl"] == [picture.url for picture in pictures]


async def test_on_whatsapp_numbers_say_so_and_a_template_goes_by_its_id(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    text = await a_text(
        house, channel=Channel.WHATSAPP, template=ProviderTemplate("HX1", {"1": "Noémie", "2": "ring"})
    )
    await carrier.send(text)
    (taken,) = twilio.texts
    assert (taken.one("To"), taken.one("From")) == (
        f"whatsapp:{text.to_phone}",
        f"whatsapp:{text.from_phone}",
    )
    assert taken.one("ContentSid") == "HX1"
    assert json.loads(taken.one("ContentVariables")) == {"1": "Noémie", "2": "ring"}
    assert taken.one("Body") == ""


@pytest.mark.parametrize("code", [21610, 21211, 30034])
async def test_what_twilio_refuses_was_not_taken(
    house: Any, twilio: TwilioStandIn, carrier: Twilio, code: int
) -> None:
    text = await a_text(house)
    twilio.refusals[text.to_phone] = code
    assert await carrier.send(text) == Refused(str(code))
    assert twilio.texts == []


async def test_too_fast_is_said_with_the_code_that_means_it(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    twilio.behaviours.append(THROTTLE)
    assert await carrier.send(await a_text(house)) == Refused("20429")


async def test_wrong_credentials_refuse_and_lose_nothing(
    house: Any, twilio: TwilioStandIn, settings: Settings
) -> None:
    wrong = settings.model_copy(update={"twilio_auth_tokens": "not the token"})
    carrier = make_twilio(wrong, database=house.database, clock=house.clock)
    assert await carrier.send(await a_text(house)) == Refused("20003")
    await carrier.stop()


@pytest.mark.parametrize("behaviour", [DROP_AFTER, FAIL_AFTER])
async def test_an_answer_that_was_lost_is_found_among_what_twilio_has(
    house: Any, twilio: TwilioStandIn, carrier: Twilio, behaviour: str
) -> None:
    text = await a_text(house)
    twilio.behaviours.append(behaviour)
    with pytest.raises(Exception, match=r".*"):
        await carrier.send(text)
    found = await carrier.find(text)
    assert found is not None
    assert found.accepted.provider_message_id == twilio.texts[0].sid
    assert found.status is Status.SENT
    assert twilio.calls["create"] == 1


@pytest.mark.parametrize("behaviour", [DROP, FAIL])
async def test_what_never_got_there_is_not_found(
    house: Any, twilio: TwilioStandIn, carrier: Twilio, behaviour: str
) -> None:
    text = await a_text(house)
    twilio.behaviours.append(behaviour)
    with pytest.raises(Exception, match=r".*"):
        await carrier.send(text)
    assert await carrier.find(text) is None
    assert twilio.texts == []


async def test_a_text_of_yesterday_with_the_same_words_is_not_taken_for_todays(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    yesterday = await a_text(house)
    twilio.behaviours.append(DROP_AFTER)
    with pytest.raises(Exception, match=r".*"):
        await carrier.send(yesterday)
    house.clock.advance(timedelta(hours=20))
    today = await a_text(house, to_phone=yesterday.to_phone)
    assert await carrier.find(today) is None


async def test_of_two_lost_texts_that_look_alike_each_finds_its_own_and_none_twice(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    one = await a_text(house)
    other = await a_text(house, to_phone=one.to_phone)
    for text in (one, other):
        twilio.behaviours.append(DROP_AFTER)
        with pytest.raises(Exception, match=r".*"):
            await carrier.send(text)
    found = await asyncio.gather(*(carrier.find(text) for text in (one, other) * 10))
    sids = {
        reference: {one.accepted.provider_message_id for one in answers if one is not None}
        for reference, answers in ((one.reference, found[::2]), (other.reference, found[1::2]))
    }
    assert {len(own) for own in sids.values()} == {1}
    assert set.union(*sids.values()) == {text.sid for text in twilio.texts}


async def test_a_text_whose_answer_came_is_never_found_for_another_one(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    one = await a_text(house)
    other = await a_text(house, to_phone=one.to_phone)
    await carrier.send(one)
    twilio.behaviours.append(DROP)
    with pytest.raises(Exception, match=r".*"):
        await carrier.send(other)
    assert await carrier.find(other) is None


async def test_what_was_told_of_a_text_says_whose_it_is(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    one = await a_text(house)
    other = await a_text(house, to_phone=one.to_phone)
    for text in (one, other):
        twilio.behaviours.append(DROP_AFTER)
        with pytest.raises(Exception, match=r".*"):
            await carrier.send(text)
    await twilio.tell(twilio.texts[0], "sent")
    found_other, found_one = await carrier.find(other), await carrier.find(one)
    assert found_one is not None
    assert found_other is not None
    assert found_one.accepted.provider_message_id == twilio.texts[0].sid
    assert found_other.accepted.provider_message_id == twilio.texts[1].sid


async def test_a_template_that_cannot_be_told_apart_is_asked_about_later(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    template = ProviderTemplate("HX1", {"1": "Ada"})
    one = await a_text(house, template=template)
    other = await a_text(house, template=template, to_phone=one.to_phone)
    for text in (one, other):
        twilio.behaviours.append(DROP_AFTER)
        with pytest.raises(Exception, match=r".*"):
            await carrier.send(text)
    with pytest.raises(AnswerLost):
        await carrier.find(one)
    await twilio.tell(twilio.texts[0], "sent")
    found = await carrier.find(other)
    assert found is not None
    assert found.accepted.provider_message_id == twilio.texts[1].sid


async def test_many_texts_to_one_number_are_looked_through_page_by_page(
    house: Any, twilio: TwilioStandIn, carrier: Twilio
) -> None:
    lost = await a_text(house)
    twilio.behaviours.append(DROP_AFTER)
    with pytest.raises(Exception, match=r".*"):
        await carrier.send(lost)
    (fields,) = [text.fields for text in twilio.texts]
    for _ in range(120):
        twilio.put({**fields, "Body": ["Something else"]})
    assert await carrier.find(lost) is not None
    assert twilio.calls["list"] == 2


async def test_hostile_answers_send_no_text_twice_and_lose_none(house: Any, twilio: TwilioStandIn) -> None:
    twilio.tells, twilio.doubles, twilio.reorders = ("queued", "sent", "delivered"), True, True
    twilio.behaviours.extend([DROP_AFTER, FAIL_AFTER, HANG_AFTER, DROP_AFTER])
    clients = [house.client() for _ in range(4)]
    for client_id in clients:
        await house.consent(client_id)
    sent = [await house.send(client_id) for client_id in clients]
    for message in sent:
        await house.becomes(message, pb.MESSAGE_STATE_DELIVERED)
    assert twilio.references == {message.message_id: 1 for message in sent}


async def test_words_in_the_wrong_order_and_twice_end_where_they_should(
    house: Any, twilio: TwilioStandIn
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    message = await house.send(client_id)
    await house.becomes(message, pb.MESSAGE_STATE_SENT)
    (taken,) = twilio.texts
    for word in ("delivered", "sent", "queued", "delivered", "sent"):
        assert await twilio.tell(taken, word) == 204
        assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED


async def test_a_dead_number_is_learned_from_what_is_told(house: Any, twilio: TwilioStandIn) -> None:
    client_id = house.client()
    await house.consent(client_id)
    message = await house.send(client_id)
    await house.becomes(message, pb.MESSAGE_STATE_SENT)
    await twilio.tell(twilio.texts[0], "undelivered", 30005)
    assert (await house.read(message)).error_code == "30005"
    decision = await house.check(client_id, pb.PURPOSE_SERVICE)
    assert [reason.reason for reason in decision.reasons] == ["NUMBER_DEAD"]


async def test_what_is_told_of_nobodys_text_is_answered_and_changes_nothing(
    house: Any, twilio: TwilioStandIn
) -> None:
    url = f"https://carnet.example/outside/twilio/status?chain={house.chain_id}&reference=msg_none"
    assert await twilio.post(url, {"MessageSid": "SM9", "MessageStatus": "delivered"}) == (204, b"")
