"""Reports of delivery and of reply times, against examples that were counted by hand."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from bulk_desk import LEFT_OUT, SCOPES, Desk, open_desk
from carnet.messaging.v1 import bulk_pb2 as bulk
from carnet.messaging.v1 import conversations_pb2, conversations_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import reports_pb2 as reports
from google.type.date_pb2 import Date

from chassis.errors import ServiceError
from chassis.testing import SignIn, channel_to, eventually
from messaging.config import Settings
from messaging.providers import Receipt, Status
from messaging.suppression import Suppressor
from messaging.use_cases.delivery import note_receipt

TODAY = Date(year=2026, month=3, day=10)
YESTERDAY = Date(year=2026, month=3, day=9)


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    return LEFT_OUT


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Any, started: Any, settings: Settings, sign_in: SignIn) -> AsyncIterator[Desk]:
    async with open_desk(house, started, settings, sign_in) as made:
        yield made


async def carry(desk: Desk) -> None:
    for _ in range(3):
        await desk.courier.run_due()
        desk.house.clock.advance(timedelta(seconds=1))


async def arrives(desk: Desk, settings: Settings, message: pb.Message) -> None:
    """Let the network say that a text arrived."""
    await note_receipt(
        database=desk.house.database,
        clock=desk.house.clock,
        suppressor=Suppressor(settings.suppression_key),
        receipt=Receipt(desk.house.chain_id, message.message_id, "net_1", Status.DELIVERED),
    )


async def deliveries(desk: Desk, **fields: Any) -> reports.DeliveryReport:
    found: reports.DeliveryReport = await desk.reports.GetDeliveryReport(
        reports.GetDeliveryReportRequest(**fields)
    )
    return found


async def replies(desk: Desk, **fields: Any) -> dict[str, tuple[int, int, int | None, int | None]]:
    found = await desk.reports.GetReplyTimeReport(reports.GetReplyTimeReportRequest(**fields))
    return {
        one.group_id: (
            one.answered_count,
            one.unanswered_count,
            one.median_seconds if one.HasField("median_seconds") else None,
            one.p90_seconds if one.HasField("p90_seconds") else None,
        )
        for one in found.groups
    }


async def test_deliveries_are_counted_by_state_and_by_whose_fault_it_was(
    desk: Desk, settings: Settings, sign_in: SignIn
) -> None:
    house = desk.house
    one, two, taken, filtered, dead, late = await desk.clients(6)
    desk.network.refusals = {
        house.phone_of(filtered): "30007",
        house.phone_of(dead): "30005",
        house.phone_of(late): "30007",
    }
    first = await house.send(one, "Maison Aurore: " + "your ring is ready. " * 10)
    assert first.segments == 2
    second = await house.send(two, campaign_id="cmp_a")
    for client_id in (taken, filtered, dead, late):
        await house.send(client_id)
    await house.send(house.client(), purpose=pb.PURPOSE_MARKETING)
    await carry(desk)
    for message in (first, second):
        await arrives(desk, settings, message)
    found = await deliveries(desk)
    assert dict(found.counts) == {"DELIVERED": 2, "SENT": 1, "FAILED": 3, "DENIED": 1}
    assert [(each.error_class, each.error_code, each.count) for each in found.failures] == [
        ("CONTENT", "30007", 2),
        ("DEAD_NUMBER", "30005", 1),
    ]
    assert dict(found.denied_by_reason) == {"NO_PERMISSION": 1}
    assert found.segments == 4
    assert found.delivered_share == pytest.approx(2 / 5)
    assert (found.start_date, found.end_date) == (Date(year=2026, month=2, day=9), TODAY)
    assert dict((await deliveries(desk, campaign_id="cmp_a")).counts) == {"DELIVERED": 1}
    assert not (await deliveries(desk, start_date=YESTERDAY, end_date=YESTERDAY)).counts
    assert not (await deliveries(desk, channel=pb.CHANNEL_EMAIL)).counts
    assert not (await deliveries(desk, store_id="sto_other")).HasField("delivered_share")

    sign_in(*SCOPES, chain_id=house.chain_id, stores=frozenset({"sto_other"}))
    assert not (await deliveries(desk)).counts
    with pytest.raises(ServiceError) as refused:
        await deliveries(desk, store_id=house.store_id)
    assert refused.value.reason == "STORE_NOT_YOURS"


async def test_reply_times_are_those_of_persons(desk: Desk, started: Any, sign_in: SignIn) -> None:
    house = desk.house
    started_at = house.clock.now()
    asking, slow, ignored, stopping, closed = await desk.clients(5)

    async def at(seconds: int) -> None:
        house.clock.set(started_at + timedelta(seconds=seconds))

    async def writes(client_id: str, body: str = "Is it ready?") -> None:
        before = len(await received(client_id))
        await house.receive(client_id, body)

        async def came() -> bool:
            return len(await received(client_id)) > before

        await eventually(came)

    async def received(client_id: str) -> list[pb.Message]:
        found = await house.conversations(client_id)
        if not found:
            return []
        page = await house.stub.ListMessages(pb.ListMessagesRequest(conversation_id=found[0].conversation_id))
        return [each for each in page.messages if each.direction == pb.DIRECTION_INBOUND]

    async def answers(client_id: str, associate_id: str) -> None:
        sign_in(*SCOPES, chain_id=house.chain_id, associate_id=associate_id)
        await house.send(client_id, "Yes, come by!", purpose=pb.PURPOSE_CONVERSATIONAL)
        await desk.courier.run_due()
        sign_in(*SCOPES, chain_id=house.chain_id)

    for client_id in (asking, slow, ignored, closed):
        await writes(client_id)
    await writes(stopping, "STOP")
    await at(10)
    made = await desk.create([slow])
    await desk.sender.run_due()
    await desk.courier.run_due()
    assert (await desk.read(made)).counts["SENT"] == 1  # which is no answer
    await at(60)
    await writes(asking, "Hello?")
    await at(300)
    await answers(asking, "asc_1")
    await at(600)
    await answers(slow, "asc_2")
    await at(1000)
    await writes(asking, "And the other one?")
    await at(1100)
    await answers(asking, "asc_1")
    [conversation] = await house.conversations(closed)
    async with channel_to(started.address) as channel:
        await conversations_pb2_grpc.ConversationsServiceStub(channel).CloseConversation(
            conversations_pb2.CloseConversationRequest(conversation_id=conversation.conversation_id)
        )

    # Waits of 100, 300 and 600 seconds.
    assert await replies(desk) == {house.store_id: (3, 1, 300, 540)}
    by_associate = await replies(desk, group_by=reports.REPLY_TIME_GROUP_ASSOCIATE)
    assert by_associate == {
        "": (0, 1, None, None),
        "asc_1": (2, 0, 200, 280),
        "asc_2": (1, 0, 600, 600),
    }
    assert not await replies(desk, start_date=YESTERDAY, end_date=YESTERDAY)
    sign_in(*SCOPES, chain_id=house.chain_id, stores=frozenset({"sto_other"}))
    assert not await replies(desk)
    sign_in("bulk_sends:write", chain_id="chn_other")
    with pytest.raises(ServiceError) as refused:
        await desk.read(bulk.BulkSend(bulk_send_id=made.bulk_send_id))
    assert refused.value.reason == "SCOPE_MISSING"
