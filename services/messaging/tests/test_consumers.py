"""Consents come over NATS, while profiles is up and while it is not."""

import asyncio
from typing import Any

import pytest
from carnet.messaging.v1 import messaging_pb2 as pb
from google.protobuf.message import Message

from chassis.broker import Broker
from chassis.errors import ServiceError, unavailable
from chassis.events import wrap
from chassis.testing import eventually
from messaging.clients import Consent


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    return ()


async def say(servers: Any, house: Any, event: Message) -> None:
    """Publish an event as profiles does."""
    broker = Broker(servers.nats_url("profiles"), client_name="profiles")
    await broker.start()
    await broker.declare_stream("PROFILES")
    envelope = wrap(event, source="profiles", chain_id=house.chain_id, entity_id="con", now=house.clock.now())
    await (await broker.jetstream()).publish(envelope.subject, envelope.body, headers=dict(envelope.headers))
    await broker.stop()


async def allowed(house: Any, client_id: str) -> bool:
    decision: pb.GateDecision = await house.check(client_id, pb.PURPOSE_SERVICE)
    return decision.verdict == pb.VERDICT_ALLOW


async def test_a_consent_over_the_wire_grants(house: Any, servers: Any) -> None:
    client_id = house.client()
    await say(servers, house, house.captured(client_id))
    await eventually(lambda: allowed(house, client_id))


async def test_a_consent_waits_while_profiles_does_not_answer(
    house: Any, servers: Any, monkeypatch: Any
) -> None:
    client_id = house.client()
    event = house.captured(client_id)
    answers = house.profiles.get_consent
    asked = asyncio.Event()

    async def get_consent(chain_id: str, consent_id: str) -> Consent:
        if not asked.is_set():
            asked.set()
            raise unavailable("profiles")
        consent: Consent = await answers(chain_id, consent_id)
        return consent

    monkeypatch.setattr(house.profiles, "get_consent", get_consent)
    await say(servers, house, event)
    await eventually(lambda: allowed(house, client_id))
    assert asked.is_set()


async def test_an_effect_that_fails_leaves_nothing_behind(house: Any, monkeypatch: Any) -> None:
    client_id = house.client()
    event = house.captured(client_id)

    async def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("messaging.use_cases.permissions.permissions.deciding_each", fails)
    with pytest.raises(ZeroDivisionError):
        await house.hear(event, entity_id=event.consent_id)
    monkeypatch.undo()
    assert await house.ledger(client_id) == []


async def test_a_send_while_profiles_does_not_answer_is_an_outage_and_leaves_nothing(
    house: Any, monkeypatch: Any
) -> None:
    client_id = house.client()
    await house.consent(client_id)

    async def away(chain_id: str, client_id: str) -> None:
        raise unavailable("profiles")

    monkeypatch.setattr(house.profiles, "get_recipient", away)
    with pytest.raises(ServiceError) as refused:
        await house.send(client_id, request_id="again")
    assert refused.value.reason == "PROFILES_UNAVAILABLE"
    monkeypatch.undo()
    assert (await house.send(client_id, request_id="again")).state == pb.MESSAGE_STATE_QUEUED
