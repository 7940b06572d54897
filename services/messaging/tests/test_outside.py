"""What parties outside hand in: proven or refused, kept and answered at once, worked on afterwards and once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from outside_calls import call_outside, delivering
from prometheus_client import REGISTRY
from sqlalchemy import text as sql
from twilio.request_validator import RequestValidator
from twilio_stand_in import ACCOUNT, TOKEN, TwilioStandIn, signed, signed_json, stand_in

from chassis.objects import FolderObjects
from chassis.testing import channel_to, eventually, published
from messaging.config import Settings
from messaging.domain import Channel
from messaging.outside import OutsideRequest
from messaging.outside.twilio import is_signed
from messaging.receiver import Receiver
from messaging.store import intake
from messaging.suppression import Suppressor

NEW_TOKEN = "the second auth token of these tests"
INBOUND = "https://carnet.example/outside/twilio/inbound"
FORM = {"content-type": "application/x-www-form-urlencoded"}
EMPTY = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def network() -> AsyncIterator[TwilioStandIn]:
    """Run a Twilio for the module."""
    async with stand_in() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(settings: Settings, network: TwilioStandIn) -> Settings:
    """Return settings with that Twilio as the carrier, and a token that is about to take the first one's place."""
    return settings.model_copy(
        update={
            "carrier": "twilio",
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_tokens": f"{TOKEN}, {NEW_TOKEN}",
            "twilio_base_url": network.base_url,
        }
    )


@pytest_asyncio.fixture(loop_scope="session")
async def twilio(house: Any, network: TwilioStandIn, started: Any) -> AsyncIterator[TwilioStandIn]:
    """Return a Twilio that calls this messaging."""
    network.clock = started.clock
    async with channel_to(started.address) as channel:
        network.deliver = delivering(channel)
        yield network


@pytest_asyncio.fixture(loop_scope="session")
async def channel(started: Any) -> AsyncIterator[Any]:
    """Return a channel to messaging."""
    async with channel_to(started.address) as opened:
        yield opened


async def texts_from(house: Any, phone: str) -> list[str]:
    """Return what was received from a number, oldest first."""
    page = await house.stub.ListConversations(pb.ListConversationsRequest())
    bodies: list[str] = []
    for conversation in page.conversations:
        if conversation.client_phone == phone:
            found = await house.stub.ListMessages(
                pb.ListMessagesRequest(conversation_id=conversation.conversation_id, page_size=200)
            )
            bodies += [m.body for m in reversed(found.messages) if m.direction == pb.DIRECTION_INBOUND]
    return bodies


async def count(house: Any, table: str) -> int:
    """Return how many rows of this chain a table has."""
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute(
            f"select count(*) from {table} where chain_id = :chain_id", {"chain_id": house.chain_id}
        )
        return int(found.scalar_one())


async def test_a_text_is_answered_with_nothing_to_say_and_becomes_a_message(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    phone = next(next_phone)
    assert await twilio.text_in(phone, house.sender.phone, "Is my ring ready?") == (200, EMPTY)
    assert await eventually(lambda: texts_from(house, phone)) == ["Is my ring ready?"]


async def test_a_text_that_comes_again_gets_the_same_answer_and_is_one_message(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    phone = next(next_phone)
    answers = await asyncio.gather(
        *(twilio.text_in(phone, house.sender.phone, "Hello", sid="SM-twice") for _ in range(20))
    )
    assert set(answers) == {(200, EMPTY)}
    await eventually(lambda: texts_from(house, phone))
    assert await twilio.text_in(phone, house.sender.phone, "Hello", sid="SM-twice") == (200, EMPTY)
    assert await eventually(lambda: texts_from(house, phone)) == ["Hello"]
    assert len(await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id)) == 1


async def test_a_field_that_nobody_knew_yet_is_kept_and_counts(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    phone = next(next_phone)
    assert (await twilio.text_in(phone, house.sender.phone, "Hi", NewField="x & y"))[0] == 200
    await eventually(lambda: texts_from(house, phone))
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute("select payload->'raw'->>'NewField' from inbound_texts")
        assert found.scalar_one() == "x & y"


@pytest.mark.parametrize("signature", ["", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "é"])
async def test_a_forged_signature_is_forbidden_and_nothing_is_kept(
    house: Any, channel: Any, next_phone: Any, signature: str
) -> None:
    body = f"MessageSid=SM1&From={next(next_phone)}&To={house.sender.phone}&Body=Hi".replace(
        "+", "%2B"
    ).encode()
    status, _, _ = await call_outside(
        channel, "POST", INBOUND, {**FORM, "x-twilio-signature": signature}, body
    )
    assert status == 403
    assert await count(house, "inbound_texts") == 0


async def test_a_signature_of_other_fields_or_of_another_address_is_forbidden(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    fields = {"MessageSid": "SM1", "From": next(next_phone), "To": house.sender.phone, "Body": "Hi"}
    right = signed(INBOUND, fields, TOKEN)
    assert (await twilio.post(INBOUND, {**fields, "Body": "Ho"}, signature=right))[0] == 403
    assert (await twilio.post(INBOUND, {**fields, "More": "1"}, signature=right))[0] == 403
    assert (await twilio.post(f"{INBOUND}?x=1", fields, signature=right))[0] == 403
    other_host = signed(INBOUND.replace("carnet", "elsewhere"), fields, TOKEN)
    assert (await twilio.post(INBOUND, fields, signature=other_host))[0] == 403


async def test_while_a_token_is_replaced_both_are_taken(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    for number, (token, status) in enumerate([(TOKEN, 200), (NEW_TOKEN, 200), ("a third", 403)]):
        fields = {
            "MessageSid": f"SM-t{number}",
            "From": next(next_phone),
            "To": house.sender.phone,
            "Body": "Hi",
        }
        assert (await twilio.post(INBOUND, fields, token=token))[0] == status


def test_a_body_of_json_is_vouched_for_by_its_hash() -> None:
    body = b'{"a": 1}'
    url, signature = signed_json("https://carnet.example/outside/twilio/events", body, TOKEN)
    headers = {"content-type": "application/json", "x-twilio-signature": signature}
    target = url.removeprefix("https://carnet.example")

    def proven(body: bytes, target: str = target) -> bool:
        request = OutsideRequest("POST", target, headers, body)
        return is_signed(request, public_url="https://carnet.example", tokens=[TOKEN])

    assert proven(body)
    assert not proven(b'{"a": 2}')
    assert not proven(body, "/outside/twilio/events")


@pytest.mark.parametrize(
    "target", ["/outside/twilio/inbound", "/outside/twilio/status?chain=chn_1&reference=msg_1.2"]
)
def test_what_twilios_own_library_signs_is_proven(target: str) -> None:
    fields = {
        "To": "+12025550101",
        "From": "+12025550102",
        "Body": "Ça va? & so on 💍",
        "Empty": "",
        "a": "b",
    }
    signature = RequestValidator(TOKEN).compute_signature(f"https://carnet.example{target}", fields)
    headers = {**FORM, "x-twilio-signature": signature}
    request = OutsideRequest("POST", target, headers, urlencode(fields).encode())
    assert is_signed(request, public_url="https://carnet.example", tokens=["another", TOKEN])
    assert not is_signed(request, public_url="https://carnet.example", tokens=["another"])


def test_the_port_that_twilio_adds_at_times_is_taken() -> None:
    url = "https://carnet.example:443/outside/twilio/inbound"
    headers = {**FORM, "x-twilio-signature": RequestValidator(TOKEN).compute_signature(url, {"a": "b"})}
    request = OutsideRequest("POST", "/outside/twilio/inbound", headers, b"a=b")
    assert is_signed(request, public_url="https://carnet.example", tokens=[TOKEN])


async def test_what_is_no_text_is_not_found(channel: Any, twilio: TwilioStandIn) -> None:
    assert (await twilio.post(INBOUND, {"Hello": "there"}))[0] == 404
    for target in ("/outside/nothing", "/outside/", "/elsewhere", "/outside/twilio/inbound/more"):
        assert (await call_outside(channel, "GET", f"https://carnet.example{target}", {}))[0] in (403, 404)


async def test_texts_of_a_number_are_worked_on_in_their_order(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    phones = [next(next_phone) for _ in range(5)]
    for number in range(8):
        await asyncio.gather(*(twilio.text_in(phone, house.sender.phone, str(number)) for phone in phones))

    async def all_there() -> bool:
        return await count(house, "due_inbound") == 0

    await eventually(all_there)
    for phone in phones:
        assert await texts_from(house, phone) == [str(number) for number in range(8)]


async def test_twenty_workers_make_one_message_of_a_text(
    house: Any, twilio: TwilioStandIn, next_phone: Any, settings: Settings
) -> None:
    receivers = [receiver_of(house, settings) for _ in range(20)]
    phone = next(next_phone)
    await twilio.text_in(phone, house.sender.phone, "Once")
    await asyncio.gather(*(receiver.run_due() for receiver in receivers))
    assert await eventually(lambda: texts_from(house, phone)) == ["Once"]


def receiver_of(house: Any, settings: Settings) -> Receiver:
    """Return a receiver as another replica has one."""
    return Receiver(
        database=house.database,
        clock=house.clock,
        suppressor=Suppressor(settings.suppression_key),
        objects=FolderObjects(Path(settings.objects_dir)),
        sources={},
        media_max_bytes=1000,
        arrived=asyncio.Event(),
        due=asyncio.Event(),
    )


async def test_a_text_by_its_messaging_service_finds_the_sender_that_has_it(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    await house.stub.CreateSender(
        pb.CreateSenderRequest(
            store_id=house.store_id,
            phone=next(next_phone),
            display_name="Pool",
            messaging_service_id=f"MG-{house.chain_id}",
        )
    )
    phone = next(next_phone)
    await twilio.text_in(
        phone, next(next_phone), "Through the pool", messaging_service_sid=f"MG-{house.chain_id}"
    )
    assert await eventually(lambda: texts_from(house, phone)) == ["Through the pool"]


async def test_a_service_that_somebody_else_names_takes_no_number_of_ours(
    house: Any, twilio: TwilioStandIn, next_phone: Any, sign_in: Any
) -> None:
    sign_in("senders:write", chain_id="chn_greedy")
    house.profiles.stores.add("sto_greedy")
    await house.stub.CreateSender(
        pb.CreateSenderRequest(
            store_id="sto_greedy",
            phone=next(next_phone),
            display_name="Greedy",
            messaging_service_id="MG-ours",
        )
    )
    sign_in("messages:read", chain_id=house.chain_id)
    phone = next(next_phone)
    await twilio.text_in(phone, house.sender.phone, "For us", messaging_service_sid="MG-ours")
    assert await eventually(lambda: texts_from(house, phone)) == ["For us"]


async def test_a_text_to_nobodys_number_waits_in_quarantine_and_is_said_loudly_until_there_is_a_sender(
    house: Any, twilio: TwilioStandIn, next_phone: Any, settings: Settings
) -> None:
    phone, to_phone = next(next_phone), next(next_phone)
    before = REGISTRY.get_sample_value("messaging_quarantined_texts_total") or 0
    for _ in range(2):
        assert await twilio.text_in(phone, to_phone, "Anybody?", sid=f"SM-q{to_phone}") == (200, EMPTY)
    assert REGISTRY.get_sample_value("messaging_quarantined_texts_total") == before + 1
    async with house.database.platform_transaction() as connection:
        assert await intake.count_quarantined(connection) == 1
    house.profiles.stores.add("sto_late")
    await house.stub.CreateSender(
        pb.CreateSenderRequest(store_id="sto_late", phone=to_phone, display_name="Late")
    )
    receiver = receiver_of(house, settings)
    await asyncio.gather(*(receiver.tidy_up() for _ in range(5)))
    assert await eventually(lambda: texts_from(house, phone)) == ["Anybody?"]
    async with house.database.platform_transaction() as connection:
        assert await intake.count_quarantined(connection) == 0


async def test_whatsapp_of_the_same_number_is_a_conversation_of_its_own(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    await house.stub.CreateSender(
        pb.CreateSenderRequest(
            store_id=house.store_id,
            phone=house.sender.phone,
            display_name="Maison Aurore",
            channel=pb.CHANNEL_WHATSAPP,
        )
    )
    phone = next(next_phone)
    await twilio.text_in(phone, house.sender.phone, "By text")
    await twilio.text_in(f"whatsapp:{phone}", f"whatsapp:{house.sender.phone}", "By app")

    async def both() -> list[Any]:
        page = await house.stub.ListConversations(pb.ListConversationsRequest())
        found = [one for one in page.conversations if one.client_phone == phone]
        return found if len(found) == 2 else []

    conversations = await eventually(both)
    assert {one.channel for one in conversations} == {pb.CHANNEL_SMS, pb.CHANNEL_WHATSAPP}
    assert Channel.WHATSAPP in Channel


async def test_a_text_that_cannot_be_worked_on_is_tried_again_before_those_behind_it(
    house: Any, twilio: TwilioStandIn, next_phone: Any
) -> None:
    phone = next(next_phone)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update senders set channel = 'EMAIL' where sender_id = :id", {"id": house.sender.sender_id}
        )
    await twilio.text_in(phone, house.sender.phone, "First")
    await twilio.text_in(phone, house.sender.phone, "Second")

    async def was_tried() -> bool:
        async with house.database.transaction(house.chain_id) as tx:
            found = await tx.execute(
                "select max(attempts) from due_inbound where chain_id = :id", {"id": house.chain_id}
            )
            return (found.scalar_one() or 0) > 0

    await eventually(was_tried)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update senders set channel = 'SMS' where sender_id = :id", {"id": house.sender.sender_id}
        )
    house.clock.advance(timedelta(minutes=10))

    async def both() -> list[str]:
        found = await texts_from(house, phone)
        return found if len(found) == 2 else []

    assert await eventually(both) == ["First", "Second"]


async def test_stop_comes_into_force_by_a_webhook_too(house: Any, twilio: TwilioStandIn) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await twilio.text_in(house.phone_of(client_id), house.sender.phone, "STOP", OptOutType="STOP")

    async def is_silent() -> bool:
        decision = await house.check(client_id, pb.PURPOSE_SERVICE)
        return [reason.reason for reason in decision.reasons] == ["PERMISSION_REVOKED"]

    await eventually(is_silent)


async def test_the_lanes_say_nothing_of_numbers(house: Any, twilio: TwilioStandIn, next_phone: Any) -> None:
    async with house.database.platform_transaction() as connection:
        columns = await connection.execute(
            sql("select column_name from information_schema.columns where table_name = 'due_inbound'")
        )
        assert set(columns.scalars()) == {
            "position", "chain_id", "provider", "provider_message_id", "lane", "attempts", "due_time",
        }  # fmt: skip


async def test_a_text_that_fails_for_good_lets_those_behind_it_go_first_and_is_never_dropped(
    house: Any, twilio: TwilioStandIn, next_phone: Any, settings: Settings
) -> None:
    phone, gone = next(next_phone), next(next_phone)
    made = await house.stub.CreateSender(
        pb.CreateSenderRequest(store_id=house.store_id, phone=gone, display_name="Gone")
    )
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("update senders set phone = '' where sender_id = :id", {"id": made.sender_id})
    await twilio.text_in(phone, gone, "To nobody")
    await twilio.text_in(phone, house.sender.phone, "To the store")
    for _ in range(8):
        house.clock.advance(timedelta(minutes=10))
        await receiver_of(house, settings).run_due()
    assert await eventually(lambda: texts_from(house, phone)) == ["To the store"]
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update senders set phone = :phone where sender_id = :id", {"phone": gone, "id": made.sender_id}
        )
    house.clock.advance(timedelta(minutes=10))

    async def both() -> bool:
        return len(await texts_from(house, phone)) == 2

    await eventually(both)
    assert await count(house, "due_inbound") == 0
