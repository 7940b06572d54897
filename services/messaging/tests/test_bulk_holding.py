"""Bulk sends that are paused, resumed, cancelled, raced for by replicas, and left behind by a writer that died."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from bulk_desk import LEFT_OUT, Desk, open_desk
from carnet.messaging.v1 import bulk_pb2 as bulk
from carnet.messaging.v1 import events_pb2, templates_pb2, templates_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.errors import ServiceError, unavailable
from chassis.testing import SignIn, channel_to, published
from messaging.config import Settings
from messaging.providers import Accepted, Refused, Text
from messaging.use_cases import bulk_sends as cases


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    return LEFT_OUT


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Any, started: Any, settings: Settings, sign_in: SignIn) -> AsyncIterator[Desk]:
    async with open_desk(house, started, settings, sign_in) as made:
        yield made


async def pause(desk: Desk, made: bulk.BulkSend, note: str = "") -> bulk.BulkSend:
    paused: bulk.BulkSend = await desk.stub.PauseBulkSend(
        bulk.PauseBulkSendRequest(bulk_send_id=made.bulk_send_id, note=note)
    )
    return paused


async def resume(desk: Desk, made: bulk.BulkSend) -> bulk.BulkSend:
    resumed: bulk.BulkSend = await desk.stub.ResumeBulkSend(
        bulk.ResumeBulkSendRequest(bulk_send_id=made.bulk_send_id)
    )
    return resumed


async def cancel(desk: Desk, made: bulk.BulkSend) -> bulk.BulkSend:
    cancelled: bulk.BulkSend = await desk.stub.CancelBulkSend(
        bulk.CancelBulkSendRequest(bulk_send_id=made.bulk_send_id)
    )
    return cancelled


async def pass_time(desk: Desk, seconds: int) -> None:
    for _ in range(seconds):
        await desk.sender.run_due()
        await desk.courier.run_due()
        desk.house.clock.advance(timedelta(seconds=1))


async def message_states(desk: Desk, made: bulk.BulkSend) -> dict[str, str]:
    async with desk.house.database.transaction(desk.house.chain_id) as tx:
        found = await tx.execute(
            "select message_id, state from messages where bulk_send_id = :id", {"id": made.bulk_send_id}
        )
        return {row.message_id: row.state for row in found}


async def test_what_is_paused_waits_and_goes_on_when_it_is_resumed(desk: Desk) -> None:
    await desk.set_speed(1)
    made = await desk.create(await desk.clients(6))
    await pass_time(desk, 2)
    paused = await pause(desk, made, " Wrong photo ")
    assert (paused.state, paused.pause_reason) == (bulk.BULK_SEND_STATE_PAUSED, "Wrong photo")
    assert not paused.HasField("finish_estimate_time")
    assert (await pause(desk, made, "again")).pause_reason == "Wrong photo"
    before = len(desk.sent_to())
    await pass_time(desk, 10)
    desk.house.clock.advance(timedelta(hours=1))
    await pass_time(desk, 2)
    assert len(desk.sent_to()) == before < 6
    resumed = await resume(desk, made)
    assert (resumed.state, resumed.pause_reason) == (bulk.BULK_SEND_STATE_RUNNING, "")
    assert resumed.HasField("finish_estimate_time")
    await desk.drain()
    assert len(desk.sent_to()) == len(set(desk.sent_to())) == 6


async def test_what_stays_paused_too_long_expires(desk: Desk) -> None:
    await desk.set_speed(1)
    made = await desk.create(await desk.clients(4))
    await pass_time(desk, 1)
    await pause(desk, made)
    desk.house.clock.advance(timedelta(hours=80))
    await desk.drain()
    done = await desk.read(made)
    assert done.state == bulk.BULK_SEND_STATE_FINISHED
    assert dict(done.counts) == {"SENT": len(desk.sent_to()), "EXPIRED": 4 - len(desk.sent_to())}


async def test_what_is_cancelled_never_goes_out(desk: Desk) -> None:
    await desk.set_speed(1)
    made = await desk.create(await desk.clients(6))
    await pass_time(desk, 2)
    sent = len(desk.sent_to())
    cancelled = await cancel(desk, made)
    assert cancelled.state == bulk.BULK_SEND_STATE_CANCELLED
    assert dict(cancelled.counts) == {"SENT": sent, "CANCELLED": 6 - sent}
    assert (await cancel(desk, made)).counts == cancelled.counts
    await desk.drain()
    assert len(desk.sent_to()) == sent
    events = await published(desk.house.database, events_pb2.BulkSendFinished, chain_id=desk.house.chain_id)
    assert [(one.sent_count, one.cancelled_count) for one in events] == [(sent, 6 - sent)]


async def test_what_is_over_stays_over(desk: Desk) -> None:
    [client_id] = await desk.clients(1)
    finished, cancelled = await desk.create([client_id]), await desk.create([client_id])
    await cancel(desk, cancelled)
    await desk.drain()
    for call in (
        pause(desk, finished),
        resume(desk, finished),
        cancel(desk, finished),
        pause(desk, cancelled),
        resume(desk, cancelled),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == "BULK_SEND_OVER"
    assert len(desk.sent_to()) == 1


async def test_a_text_that_the_carrier_put_off_is_not_tried_again_once_it_is_cancelled(desk: Desk) -> None:
    made = await desk.create(await desk.clients(1))

    class Busy:
        tries = 0

        async def send(self, text: Text) -> Accepted | Refused:
            self.tries += 1
            await cancel(desk, made)
            return Refused("30003")

        async def find(self, text: Text) -> None:
            return None

    busy = Busy()
    desk.network = busy  # type: ignore[assignment]
    desk.courier = desk.another_courier()
    await desk.drain()
    desk.house.clock.advance(timedelta(minutes=5))
    await desk.courier.run_due()
    assert busy.tries == 1
    assert dict((await desk.read(made)).counts) == {"CANCELLED": 1}


async def test_nothing_goes_out_after_a_cancel_was_answered(desk: Desk) -> None:
    await desk.set_speed(2000)
    made = await desk.create(await desk.crowd(150))
    is_over = asyncio.Event()

    async def send() -> None:
        sender = desk.another_sender(ahead_seconds=60)
        while not is_over.is_set():
            await sender.run_due()
            await asyncio.sleep(0)

    async def carry() -> None:
        courier = desk.another_courier()
        while not is_over.is_set():
            await courier.run_due()
            desk.house.clock.advance(timedelta(milliseconds=5))

    workers = [asyncio.create_task(send()) for _ in range(8)] + [
        asyncio.create_task(carry()) for _ in range(12)
    ]
    while len(desk.sent_to()) < 20:
        await asyncio.sleep(0)
    await cancel(desk, made)
    begun = {
        message_id
        for message_id, state in (await message_states(desk, made)).items()
        if state not in ("QUEUED", "DEFERRED", "CANCELLED")
    }
    assert "QUEUED" not in set((await message_states(desk, made)).values())
    for _ in range(500):
        await asyncio.sleep(0)  # the workers go on for a while
    is_over.set()
    await asyncio.gather(*workers)
    await desk.drain()
    assert {text.reference for text in desk.network.texts} <= begun
    assert len(desk.sent_to()) == len(set(desk.sent_to())) < 150
    counts = (await desk.read(made)).counts
    assert counts["SENT"] == len(desk.sent_to())
    assert counts["SENT"] + counts["CANCELLED"] == 150


async def test_twenty_writers_make_one_text_a_recipient(desk: Desk) -> None:
    made = await desk.create(await desk.crowd(320))
    senders = [desk.another_sender(ahead_seconds=600) for _ in range(20)]
    for _ in range(3):
        await asyncio.gather(*(sender.run_due() for sender in senders))
    assert dict((await desk.read(made)).counts) == {"QUEUED": 320}
    assert len(await message_states(desk, made)) == 320


async def test_what_a_dead_writer_had_is_written_by_another_one(desk: Desk) -> None:
    made = await desk.create(await desk.clients(3))
    taken = await cases.take_slice(
        database=desk.house.database,
        clock=desk.house.clock,
        chain_id=desk.house.chain_id,
        bulk_send_id=made.bulk_send_id,
        ahead=timedelta(minutes=1),
    )
    assert taken is not None
    assert await desk.another_sender().run_due() == 0
    assert dict((await desk.read(made)).counts) == {"FROZEN": 3}
    desk.house.clock.advance(cases.SLICE_LEASE)
    await desk.drain()
    assert len(desk.sent_to()) == 3


async def test_nothing_is_written_while_the_number_is_stopped(desk: Desk) -> None:
    made = await desk.create(await desk.clients(3))
    async with desk.house.database.transaction(desk.house.chain_id) as tx:
        await tx.execute("update senders set state = 'STOPPED'")
    await pass_time(desk, 3)
    assert dict((await desk.read(made)).counts) == {"FROZEN": 3}
    async with desk.house.database.transaction(desk.house.chain_id) as tx:
        await tx.execute("update senders set state = 'ACTIVE'")
    await desk.drain()
    assert len(desk.sent_to()) == 3


async def test_an_outage_of_profiles_delays_and_loses_nobody(desk: Desk, monkeypatch: Any) -> None:
    made = await desk.create(await desk.clients(3))

    async def down(chain_id: str, client_ids: Any) -> Any:
        raise unavailable("profiles")

    with monkeypatch.context() as outage:
        outage.setattr(desk.house.profiles, "get_recipients", down)
        await pass_time(desk, 3)
        assert dict((await desk.read(made)).counts) == {"FROZEN": 3}
    await desk.drain()
    assert len(desk.sent_to()) == 3


async def test_a_merge_between_the_question_and_the_writing_is_seen(desk: Desk, monkeypatch: Any) -> None:
    one, other = await desk.clients(2)
    made = await desk.create([one, other])
    answer = desk.house.profiles.get_recipients

    async def merged_meanwhile(chain_id: str, client_ids: Any) -> Any:
        answered = await answer(chain_id, client_ids)
        monkeypatch.undo()
        await desk.house.merge(one, other)
        return answered

    monkeypatch.setattr(desk.house.profiles, "get_recipients", merged_meanwhile)
    await desk.drain()
    assert desk.sent_to() == [desk.house.phone_of(one)]
    assert [each.reason for each in await desk.outcomes(made)] == ["", "DUPLICATE_NUMBER"]


async def test_who_was_merged_a_moment_ago_is_found_before_the_merge_is_heard_of(desk: Desk) -> None:
    one, other = await desk.clients(2)
    desk.house.profiles.merge(one, other)
    made = await desk.create([other, one])
    await desk.drain()
    assert desk.sent_to() == [desk.house.phone_of(one)]
    assert [each.reason for each in await desk.outcomes(made)] == ["", "DUPLICATE_NUMBER"]


async def test_a_template_changed_later_does_not_change_what_is_running(desk: Desk, started: Any) -> None:
    house = desk.house
    recipients = house.profiles.recipients
    one, other, third = await desk.clients(3)
    for client_id, name, language in ((one, "Ada", "en"), (other, "Chloé", "fr"), (third, "Emil", "")):
        recipients[client_id] = replace(recipients[client_id], given_name=name, language=language)

    def texts(verb: str) -> list[templates_pb2.TemplateText]:
        return [
            templates_pb2.TemplateText(
                language_code="en",
                body=f"{{{{sender.name}}}}: {{{{client.given_name}}}}, {verb} {{{{piece}}}}.",
            ),
            templates_pb2.TemplateText(
                language_code="fr",
                body=f"{{{{sender.name}}}} : {{{{client.given_name}}}}, {verb} {{{{piece}}}}.",
            ),
        ]

    async with channel_to(started.address) as channel:
        stub = templates_pb2_grpc.TemplatesServiceStub(channel)
        template = await stub.CreateTemplate(
            templates_pb2.CreateTemplateRequest(
                request_id="tpl", display_name="New", purpose=pb.PURPOSE_MARKETING, texts=texts("see")
            )
        )
        made = await desk.create(
            [],
            template_id=template.template_id,
            recipients=[
                bulk.BulkRecipient(client_id=one, values={"piece": "the ring"}),
                bulk.BulkRecipient(client_id=other, values={"piece": "la bague"}),
                bulk.BulkRecipient(client_id=third),
            ],
        )
        await stub.UpdateTemplate(
            templates_pb2.UpdateTemplateRequest(
                template_id=template.template_id,
                display_name="New",
                purpose=pb.PURPOSE_MARKETING,
                texts=texts("buy"),
            )
        )
        await stub.ArchiveTemplate(templates_pb2.ArchiveTemplateRequest(template_id=template.template_id))
    await desk.drain()
    assert sorted(text.body for text in desk.network.texts) == [
        "Maison Aurore : Chloé, see la bague.",
        "Maison Aurore: Ada, see the ring.",
    ]
    assert [each.reason for each in await desk.outcomes(made)] == ["", "", "TEMPLATE_VALUE_MISSING"]
