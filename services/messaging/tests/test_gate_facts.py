"""What the gate is told of a message, read from real tables: caps, colleagues, brands, campaigns, the chain's rules."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import gate_pb2, gate_pb2_grpc, senders_pb2, senders_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from sqlalchemy import event

from chassis.testing import SignIn, channel_to
from messaging.domain import Purpose
from messaging.store import senders
from messaging.suppression import Suppressor
from messaging.use_cases.gate_questions import Outgoing, ask_gates

MARKETING, SERVICE, CONVERSATIONAL = pb.PURPOSE_MARKETING, pb.PURPOSE_SERVICE, pb.PURPOSE_CONVERSATIONAL
OFFER = "Maison Aurore: the sapphires are here."
SCOPES = ("messages:read", "messages:send", "sandbox:write", "senders:write")


@pytest_asyncio.fixture(loop_scope="session")
async def rules(started: Any, house: Any) -> AsyncIterator[Any]:
    """Return a function that puts rules in the place of the chain's."""
    async with channel_to(started.address) as channel:
        stub = gate_pb2_grpc.GateServiceStub(channel)

        async def decide(**fields: Any) -> Any:
            given = gate_pb2.MessagingSettings(**fields)
            return await stub.UpdateMessagingSettings(gate_pb2.UpdateMessagingSettingsRequest(settings=given))

        yield decide


@pytest.fixture
def sign_as(house: Any, sign_in: SignIn) -> Any:
    """Return a function that signs in as an associate of the house's chain."""

    def sign(associate_id: str) -> None:
        sign_in(*SCOPES, chain_id=house.chain_id, associate_id=associate_id, actor_id=f"usr_{associate_id}")

    return sign


@pytest_asyncio.fixture(loop_scope="session")
async def client_id(house: Any) -> str:
    """Return a client who agreed to everything."""
    found: str = house.client()
    await house.consent(found)
    return found


def said(decision: pb.GateDecision) -> list[str]:
    return [reason.reason for reason in decision.reasons]


async def offer(house: Any, client_id: str, body: str = OFFER) -> pb.Message:
    message: pb.Message = await house.send(client_id, body, purpose=MARKETING)
    return message


def cap(purpose: Any, most: int, days: int) -> gate_pb2.FrequencyCap:
    return gate_pb2.FrequencyCap(purpose=purpose, most=most, days=days)


async def test_the_third_offer_within_a_week_waits_until_the_first_has_aged(
    house: Any, rules: Any, client_id: str
) -> None:
    await rules(frequency_caps=[cap(MARKETING, 2, 7)])
    first = await house.becomes(await offer(house, client_id), pb.MESSAGE_STATE_DELIVERED)
    house.clock.advance(timedelta(hours=1))
    await house.becomes(await offer(house, client_id), pb.MESSAGE_STATE_DELIVERED)
    third = await offer(house, client_id)
    assert (third.state, said(third.decision)) == (pb.MESSAGE_STATE_DEFERRED, ["FREQUENCY_CAP"])
    aged = first.send_time.ToDatetime(tzinfo=UTC) + timedelta(days=7)
    assert third.send_after_time.ToDatetime(tzinfo=UTC) == aged
    assert (await house.check(client_id, SERVICE)).verdict == pb.VERDICT_ALLOW


async def test_a_cap_is_the_numbers_whoever_writes_and_from_wherever(
    house: Any, rules: Any, client_id: str
) -> None:
    await rules(frequency_caps=[cap(MARKETING, 1, 1)])
    other = house.client(house.phone_of(client_id))
    await house.becomes(await offer(house, client_id), pb.MESSAGE_STATE_DELIVERED)
    house.sender = await house.open_store(display_name="Maison Aurore Uptown")
    assert said(await house.check(other, MARKETING)) == ["FREQUENCY_CAP"]


async def test_two_that_wait_do_not_hold_each_other_back(house: Any, rules: Any, client_id: str) -> None:
    await rules(frequency_caps=[cap(MARKETING, 1, 1)], marketing_hours=window("14:00", "20:00"))
    first, second = await offer(house, client_id), await offer(house, client_id)
    assert said(first.decision) == ["QUIET_HOURS"]
    assert said(second.decision) == ["QUIET_HOURS", "FREQUENCY_CAP"]
    house.clock.advance(timedelta(hours=3))
    await house.becomes(first, pb.MESSAGE_STATE_DELIVERED)
    assert (await house.read(second)).state == pb.MESSAGE_STATE_DEFERRED


async def test_answers_are_neither_capped_nor_counted(house: Any, rules: Any, client_id: str) -> None:
    await rules(frequency_caps=[cap(CONVERSATIONAL, 1, 7)])
    await house.receive(client_id, "Is it ready?")
    for _ in range(2):
        answer = await house.send(client_id, "Yes!", purpose=CONVERSATIONAL)
        await house.becomes(answer, pb.MESSAGE_STATE_DELIVERED)
    house.clock.advance(timedelta(days=2))
    assert (await house.check(client_id, CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW
    await house.becomes(
        await house.send(client_id, "A thought", purpose=CONVERSATIONAL), pb.MESSAGE_STATE_DELIVERED
    )
    assert said(await house.check(client_id, CONVERSATIONAL)) == ["FREQUENCY_CAP"]


def window(opens: str, closes: str, *closed: int) -> gate_pb2.HoursWindow:
    return gate_pb2.HoursWindow(opens=opens, closes=closes, closed_weekdays=closed)


async def test_the_chains_own_hours_are_kept_beside_the_laws(house: Any, rules: Any, client_id: str) -> None:
    await rules(marketing_hours=window("10:00", "19:00", 2))  # noon of a Tuesday
    decision = await house.check(client_id, MARKETING)
    assert said(decision) == ["QUIET_HOURS"]
    assert decision.defer_until_time.ToDatetime() == datetime(2026, 3, 11, 14)
    assert (await house.check(client_id, SERVICE)).verdict == pb.VERDICT_ALLOW


async def test_a_colleagues_conversation_is_not_cut_into(house: Any, sign_as: Any, client_id: str) -> None:
    sign_as("asc_ana")
    wrote = await house.send(client_id, "Shall I hold it for you?", purpose=CONVERSATIONAL)
    await house.becomes(wrote, pb.MESSAGE_STATE_DELIVERED)
    house.clock.advance(timedelta(minutes=10))
    await house.receive(client_id, "Yes, on Friday")
    assert (await house.check(client_id, CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW
    sign_as("asc_ben")
    decision = await house.check(client_id, CONVERSATIONAL)
    assert (decision.verdict, said(decision)) == (pb.VERDICT_DEFER, ["COLLISION"])
    assert said(await house.check(client_id, MARKETING)) == ["COLLISION"]
    assert (await house.check(client_id, SERVICE)).verdict == pb.VERDICT_ALLOW
    house.clock.advance(timedelta(hours=4))
    assert (await house.check(client_id, CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW


async def test_whoever_has_the_conversation_answers_and_so_does_everybody_without_the_rule(
    house: Any, sign_as: Any, rules: Any, client_id: str
) -> None:
    sign_as("asc_ana")
    await house.receive(client_id, "Hello")
    wrote = await house.send(client_id, "Hello!", purpose=CONVERSATIONAL)
    await house.becomes(wrote, pb.MESSAGE_STATE_DELIVERED)
    sign_as("asc_ben")
    assert said(await house.check(client_id, CONVERSATIONAL)) == ["COLLISION"]
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("update conversations set assignee_id = 'asc_ben'")
    assert (await house.check(client_id, CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW
    sign_as("asc_cleo")
    assert said(await house.check(client_id, CONVERSATIONAL)) == ["COLLISION"]
    await rules(collision_hours=0)
    assert (await house.check(client_id, CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW


async def test_a_stopped_number_is_said_before_anything_is_written(house: Any, client_id: str) -> None:
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("update senders set state = 'STOPPED'")
    decision = await house.check(client_id, SERVICE)
    assert (decision.verdict, said(decision)) == (pb.VERDICT_DEFER, ["SENDER_STOPPED"])


async def test_a_paused_campaign_waits(house: Any, client_id: str) -> None:
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into campaigns (chain_id, campaign_id, paused_at, counted_from)"
            " values (:chain_id, 'cmp_1', :now, :now)",
            {"chain_id": house.chain_id, "now": house.clock.now()},
        )
    held = await house.send(client_id, OFFER, purpose=MARKETING, campaign_id="cmp_1")
    assert (held.state, said(held.decision)) == (pb.MESSAGE_STATE_DEFERRED, ["CAMPAIGN_PAUSED"])
    other = await house.send(client_id, OFFER, purpose=MARKETING, campaign_id="cmp_2")
    assert other.decision.verdict == pb.VERDICT_ALLOW


async def test_a_brands_full_day_is_said_and_answers_have_a_reserve(
    house: Any, started: Any, client_id: str
) -> None:
    async with channel_to(started.address) as channel:
        stub = senders_pb2_grpc.SendersServiceStub(channel)
        brand = await stub.CreateBrandRegistration(
            senders_pb2.CreateBrandRegistrationRequest(
                request_id="brand", display_name="Aurore", segments_per_day=20, time_zone="America/New_York"
            )
        )
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update senders set brand_registration_id = :id", {"id": brand.brand_registration_id}
        )
        await tx.execute(
            "insert into segments_of_day (chain_id, owner_id, day, segments) values (:chain_id, :id, :day, 10)",
            {
                "chain_id": house.chain_id,
                "id": brand.brand_registration_id,
                "day": house.clock.now().date(),
            },
        )
    decision = await house.check(client_id, SERVICE)
    assert said(decision) == ["BRAND_DAY_FULL"]
    assert decision.defer_until_time.ToDatetime() == datetime(2026, 3, 11, 12)  # eight in the morning there
    assert (await house.check(client_id, CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW


async def test_a_forbidden_phrase_is_refused_by_name(house: Any, rules: Any, client_id: str) -> None:
    await rules(forbidden_phrases=["Rival & Sons"])
    denied = await house.send(client_id, "Maison Aurore: nicer than RIVAL SONS.")
    assert (denied.state, said(denied.decision)) == (pb.MESSAGE_STATE_DENIED, ["CONTENT_FORBIDDEN"])
    assert "“Rival & Sons”" in denied.decision.reasons[0].message


async def test_another_chains_rules_are_its_own(
    house: Any, rules: Any, client_id: str, sign_in: SignIn
) -> None:
    sign_in(*SCOPES, chain_id="chn_other_rules")
    await rules(forbidden_phrases=["sapphires"], marketing_hours=window("09:00", "09:01"))
    sign_in(*SCOPES, chain_id=house.chain_id)
    assert (await house.check(client_id, MARKETING, OFFER)).verdict == pb.VERDICT_ALLOW


async def test_a_hundred_messages_are_asked_about_in_two_statements(house: Any, next_phone: Any) -> None:
    clients = [house.client() for _ in range(3)]
    await house.consent(clients[0])
    await house.consent(clients[1], Purpose.SERVICE)
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = house.database.engine.sync_engine
    async with house.database.transaction(house.chain_id) as tx:
        sender = await senders.find_by_store(tx, house.store_id)
        asked = [
            Outgoing(sender, house.phone_of(clients[place % 3]), "America/New_York", Purpose.MARKETING, OFFER)
            for place in range(100)
        ]
        event.listen(engine, "before_cursor_execute", note)
        try:
            decisions = await ask_gates(tx, asked, suppressor=Suppressor("k" * 32), now=house.clock.now())
            assert await ask_gates(tx, [], suppressor=Suppressor("k" * 32), now=house.clock.now()) == []
        finally:
            event.remove(engine, "before_cursor_execute", note)
    assert len(statements) == 2
    assert [one.verdict for one in decisions[:3]] == ["ALLOW", "DENY", "DENY"]
    assert decisions[3:99] == decisions[:3] * 32
