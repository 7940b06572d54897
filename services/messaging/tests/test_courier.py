"""Texts on their way: sent once whatever breaks, and what a carrier's answers lead to."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.objects import open_objects
from chassis.testing import published
from messaging.bootstrap import make_sandbox
from messaging.courier import Courier
from messaging.links import Links
from messaging.providers import Accepted, Found, Receipt, Refused, Status, Text
from messaging.providers.sandbox import Sandbox
from messaging.suppression import Suppressor
from messaging.use_cases import delivery

LEASE = 60.0
AREAS = itertools.cycle(("202", "212", "215", "404", "614", "646", "703", "704", "718"))


class Killed(BaseException):
    """The process ends here."""


class HostileCarrier:
    """The sandbox behind a line that breaks where a test says."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.before_send: Callable[[], Awaitable[None]] | None = None
        self.after_send: Callable[[], Awaitable[None]] | None = None
        self.instead_of_find: Callable[[], Awaitable[None]] | None = None
        self.answer: Refused | None = None

    async def send(self, text: Text) -> Accepted | Refused:
        if self.answer is not None:
            return self.answer
        if self.before_send is not None:
            await self.before_send()
        accepted = await self.sandbox.send(text)
        if self.after_send is not None:
            await self.after_send()
        return accepted

    async def find(self, text: Text) -> Found | None:
        if self.instead_of_find is not None:
            await self.instead_of_find()
        return await self.sandbox.find(text)


async def killed() -> None:
    raise Killed


async def broken() -> None:
    raise ConnectionError("the line broke")


async def hanging() -> None:
    await asyncio.Event().wait()


class Desk:
    """A courier that runs when a test says so, and the network behind it."""

    def __init__(self, started: Any, settings: Any) -> None:
        self._started = started
        self._settings = settings
        self.sandbox = make_sandbox(
            settings,
            database=started.database,
            clock=started.clock,
            objects=open_objects(settings),
            links=Links(settings.link_key, settings.public_url),
            due=asyncio.Event(),
        )
        self.carrier = HostileCarrier(self.sandbox)
        self.courier = self.another_courier()

    def another_courier(self) -> Courier:
        return Courier(
            database=self._started.database,
            clock=self._started.clock,
            carrier=self.carrier,
            suppressor=Suppressor(self._settings.suppression_key),
            due=asyncio.Event(),
            poll_seconds=0.05,
            timeout_seconds=0.1 if self.carrier.before_send is hanging else 5,
            lease_seconds=LEASE,
        )

    async def run(self) -> int:
        return await self.courier.run_due()

    async def die(self) -> None:
        with pytest.raises(Killed):
            await self.courier.run_due()

    async def settle(self) -> None:
        """Run until nothing is due any more, receipts too."""
        while await self.courier.run_due() + await self.sandbox.deliver_receipts():
            pass


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    return ("broker", "outbox", "consumer", "courier", "sandbox receipts")


@pytest.fixture
def desk(house: Any, started: Any, settings: Any) -> Desk:
    return Desk(started, settings)


async def agreed(house: Any, ending: str = "") -> str:
    """Return a client who agreed to everything; `ending` is what the network looks at."""
    area = next(AREAS)
    client_id: str = house.client(f"+1{area}555{ending}" if ending else "")
    await house.consent(client_id)
    return client_id


async def test_four_couriers_at_once_send_each_text_once(house: Any, desk: Desk) -> None:
    clients = [await agreed(house) for _ in range(20)]
    for client_id in clients:
        await house.send(client_id)
    couriers = [desk.another_courier() for _ in range(4)]
    errands = await asyncio.gather(*(courier.run_due() for courier in couriers))
    assert sum(errands) == 20
    assert [len(await house.phone_received(client_id)) for client_id in clients] == [1] * 20


async def test_killed_before_the_carrier_was_asked_the_text_is_sent_later_and_once(
    house: Any, desk: Desk
) -> None:
    client_id = await agreed(house)
    message = await house.send(client_id)
    desk.carrier.before_send = killed
    await desk.die()
    assert await house.state(message) == pb.MESSAGE_STATE_SENDING
    desk.carrier.before_send = None
    assert await desk.run() == 0  # another courier may still be at it
    house.clock.advance(timedelta(seconds=LEASE))
    await desk.settle()
    assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED
    assert len(await house.phone_received(client_id)) == 1


async def test_killed_before_the_carriers_answer_the_text_is_found_and_not_sent_again(
    house: Any, desk: Desk
) -> None:
    client_id = await agreed(house)
    message = await house.send(client_id)
    desk.carrier.after_send = killed
    await desk.die()
    assert await house.state(message) == pb.MESSAGE_STATE_SENDING
    house.clock.advance(timedelta(seconds=LEASE))
    assert await desk.run() == 1
    assert await house.state(message) == pb.MESSAGE_STATE_SENT
    await desk.settle()
    assert len(await house.phone_received(client_id)) == 1
    assert len(await published(house.database, events_pb2.MessageSent, chain_id=house.chain_id)) == 1


async def test_a_receipt_settles_a_text_whose_courier_was_killed(house: Any, desk: Desk) -> None:
    message = await house.send(await agreed(house))
    desk.carrier.after_send = killed
    await desk.die()
    await desk.sandbox.deliver_receipts()
    assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED
    house.clock.advance(timedelta(seconds=LEASE))
    assert await desk.run() == 0
    assert len(await published(house.database, events_pb2.MessageSent, chain_id=house.chain_id)) == 1


async def test_a_lost_answer_is_unknown_until_the_carrier_is_asked(house: Any, desk: Desk) -> None:
    client_id = await agreed(house, "0107")
    message = await house.send(client_id)
    assert await desk.run() == 1
    assert await house.state(message) == pb.MESSAGE_STATE_UNKNOWN
    house.clock.advance(timedelta(seconds=2))
    assert await desk.run() == 1
    assert await house.state(message) == pb.MESSAGE_STATE_SENT
    assert len(await house.phone_received(client_id)) == 1


async def test_a_carrier_that_hangs_is_given_up_and_asked(house: Any, desk: Desk) -> None:
    message = await house.send(await agreed(house))
    desk.carrier.before_send = hanging
    await desk.another_courier().run_due()
    assert await house.state(message) == pb.MESSAGE_STATE_UNKNOWN
    desk.carrier.before_send = None
    house.clock.advance(timedelta(seconds=2))
    assert await desk.run() == 1  # not there yet, but perhaps still on its way
    assert await house.state(message) == pb.MESSAGE_STATE_UNKNOWN
    house.clock.advance(timedelta(seconds=LEASE))
    await desk.settle()
    assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED


async def test_while_the_carrier_cannot_be_asked_the_text_stays_unknown(house: Any, desk: Desk) -> None:
    client_id = await agreed(house, "0107")
    message = await house.send(client_id)
    await desk.run()
    desk.carrier.instead_of_find = broken
    for _ in range(3):
        house.clock.advance(timedelta(seconds=LEASE))
        assert await desk.run() == 0
        assert await house.state(message) == pb.MESSAGE_STATE_UNKNOWN
    desk.carrier.instead_of_find = None
    house.clock.advance(timedelta(seconds=LEASE))
    await desk.run()
    assert await house.state(message) == pb.MESSAGE_STATE_SENT
    assert len(await house.phone_received(client_id)) == 1


async def test_a_text_that_was_taken_back_is_not_sent(house: Any, desk: Desk) -> None:
    client_id = await agreed(house)
    message = await house.send(client_id)
    await house.stub.CancelMessage(pb.CancelMessageRequest(message_id=message.message_id))
    assert await desk.run() == 0
    assert await house.phone_received(client_id) == []


async def test_taking_back_and_sending_at_once_do_one_of_the_two(house: Any, desk: Desk) -> None:
    for _ in range(10):
        client_id = await agreed(house)
        message = await house.send(client_id)
        call = house.stub.CancelMessage(pb.CancelMessageRequest(message_id=message.message_id))

        async def cancel(call: Any = call) -> Any:
            return await call

        await asyncio.gather(cancel(), desk.run(), return_exceptions=True)
        await desk.settle()
        was_cancelled = await house.state(message) == pb.MESSAGE_STATE_CANCELLED
        assert len(await house.phone_received(client_id)) == (0 if was_cancelled else 1)


async def test_a_stop_between_queue_and_network_is_obeyed(house: Any, desk: Desk) -> None:
    client_id = await agreed(house)
    messages = [await house.send(client_id) for _ in range(5)]
    await house.receive(client_id, "STOP")
    assert await desk.run() == 0
    assert [await house.state(message) for message in messages] == [pb.MESSAGE_STATE_DENIED] * 5
    assert len(await house.phone_received(client_id)) == 1  # the carrier's confirmation


async def test_a_stop_while_texts_go_out_is_followed_by_none(house: Any, desk: Desk) -> None:
    client_id = await agreed(house)
    for _ in range(10):
        await house.send(client_id)
    await asyncio.gather(desk.run(), house.receive(client_id, "STOP"))
    texts = await house.phone_received(client_id)
    assert await desk.run() == 0
    assert await house.phone_received(client_id) == texts


async def test_what_the_carrier_blocks_is_written_into_the_ledger(house: Any, desk: Desk) -> None:
    client_id = await agreed(house)
    await house.receive(client_id, "STOP")
    house.clock.advance(timedelta(minutes=1))
    await house.consent(client_id, at=house.clock.now())  # the client agreed anew but did not text START
    house.clock.advance(timedelta(minutes=1))
    message = await house.send(client_id)
    await desk.run()
    failed = await house.read(message)
    assert (failed.state, failed.error_code) == (pb.MESSAGE_STATE_FAILED, "21610")
    assert {entry.source for entry in (await house.ledger(client_id))[:3]} == {"carrier"}
    decision = await house.check(client_id, pb.PURPOSE_SERVICE)
    assert [reason.reason for reason in decision.reasons] == ["PERMISSION_REVOKED"]
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, "START")
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW


@pytest.mark.parametrize(("ending", "code"), [("0105", "30005"), ("0106", "30006")])
async def test_a_dead_number_is_not_tried_again_until_it_writes(
    house: Any, desk: Desk, ending: str, code: str
) -> None:
    client_id = await agreed(house, ending)
    message = await house.send(client_id)
    await desk.settle()
    failed = await house.read(message)
    assert (failed.state, failed.error_code) == (pb.MESSAGE_STATE_FAILED, code)
    (said,) = await published(house.database, events_pb2.MessageFailed, chain_id=house.chain_id)
    assert (said.message_id, said.error_code) == (message.message_id, code)
    again = await house.send(client_id)
    assert [reason.reason for reason in again.decision.reasons] == ["NUMBER_DEAD"]
    await house.receive(client_id, "I am here")
    assert (await house.check(client_id, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW


async def test_an_unreachable_phone_is_tried_three_times(house: Any, desk: Desk) -> None:
    message = await house.send(await agreed(house, "0104"))
    for pause in (1, 5):
        await desk.settle()
        waiting = await house.read(message)
        assert (waiting.state, waiting.error_code) == (pb.MESSAGE_STATE_QUEUED, "30003")
        assert waiting.send_after_time.seconds == (house.clock.now() + timedelta(minutes=pause)).timestamp()
        house.clock.advance(timedelta(minutes=pause))
    await desk.settle()
    assert await house.state(message) == pb.MESSAGE_STATE_FAILED
    assert len(await published(house.database, events_pb2.MessageFailed, chain_id=house.chain_id)) == 1
    assert len(await published(house.database, events_pb2.MessageSent, chain_id=house.chain_id)) == 1


async def test_too_fast_a_pace_makes_the_text_wait(house: Any, desk: Desk) -> None:
    client_id = await agreed(house)
    message = await house.send(client_id)
    desk.carrier.answer = Refused("20429")
    await desk.run()
    assert (await house.read(message)).error_code == "20429"
    desk.carrier.answer = None
    assert await desk.run() == 0
    house.clock.advance(timedelta(seconds=10))
    await desk.settle()
    delivered = await house.read(message)
    assert (delivered.state, delivered.error_code) == (pb.MESSAGE_STATE_DELIVERED, "")


@pytest.mark.parametrize("code", ["30007", "21606", "99999"])
async def test_a_filtered_text_a_faulty_sender_and_an_unknown_code_are_not_repeated(
    house: Any, desk: Desk, code: str
) -> None:
    message = await house.send(await agreed(house))
    desk.carrier.answer = Refused(code)
    await desk.settle()
    failed = await house.read(message)
    assert (failed.state, failed.error_code) == (pb.MESSAGE_STATE_FAILED, code)


async def test_receipts_in_the_wrong_order_and_twice_end_with_delivered(house: Any, desk: Desk) -> None:
    message = await house.send(await agreed(house, "0108"))
    await desk.settle()
    assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED
    for status in (Status.SENT, Status.FAILED, Status.DELIVERED):
        await note(house, Receipt(house.chain_id, message.message_id, "sbx_late", status, "30003"))
    assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED
    assert len(await published(house.database, events_pb2.MessageDelivered, chain_id=house.chain_id)) == 1


async def test_a_late_arrival_of_an_earlier_attempt_ends_the_attempts(house: Any, desk: Desk) -> None:
    message = await house.send(await agreed(house, "0104"))
    await desk.settle()
    await note(house, Receipt(house.chain_id, message.message_id, "sbx_1", Status.DELIVERED))
    house.clock.advance(timedelta(minutes=5))
    assert await desk.run() == 0
    assert await house.state(message) == pb.MESSAGE_STATE_DELIVERED


async def test_a_receipt_for_no_message_of_ours_changes_nothing(house: Any) -> None:
    await note(house, Receipt(house.chain_id, "msg_nobody", "sbx_1", Status.DELIVERED))


async def test_the_same_reference_twice_is_one_text_at_the_network(house: Any, desk: Desk) -> None:
    client_id = await agreed(house)
    text = Text(house.chain_id, "msg_same", house.sender.phone, house.phone_of(client_id), "Once")
    assert await desk.sandbox.send(text) == await desk.sandbox.send(text)
    assert await house.phone_received(client_id) == ["Once"]


async def note(house: Any, receipt: Receipt) -> None:
    await delivery.note_receipt(
        database=house.database, clock=house.clock, suppressor=Suppressor("k" * 32), receipt=receipt
    )
