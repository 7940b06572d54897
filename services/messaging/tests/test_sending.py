"""Whose turn it is, what a brand may send in a day, what comes too late, and senders that stop."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import events_pb2, senders_pb2, senders_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from chassis.caller import current_caller
from chassis.errors import ServiceError
from chassis.testing import NOON, channel_to, published
from messaging.courier import Courier
from messaging.domain.pacing import CATCH_UP, BrandRegistration, next_free_time
from messaging.providers import Accepted, Found, Receipt, Refused, Status, Text
from messaging.suppression import Suppressor
from messaging.use_cases import delivery

LEASE = 60.0


class Line:
    """A carrier that takes everything and counts what is of one chain, unless told to refuse that."""

    def __init__(self, chain_id: str) -> None:
        self.taken: list[Text] = []
        self.code = ""
        self.calls = 0
        self._chain_id = chain_id

    async def send(self, text: Text) -> Accepted | Refused:
        if text.chain_id != self._chain_id:
            return Accepted(f"crr_{text.reference}", 1)
        self.calls += 1
        if self.code:
            return Refused(self.code)
        self.taken.append(text)
        return Accepted(f"crr_{text.reference}", 1)

    async def find(self, text: Text) -> Found | None:
        return None


class Desk:
    """Couriers that run when a test says so, on a carrier of the test's own."""

    def __init__(self, started: Any, settings: Any, chain_id: str) -> None:
        self._started = started
        self._settings = settings
        self.line = Line(chain_id)
        self.courier = self.another_courier()

    def another_courier(self) -> Courier:
        return Courier(
            database=self._started.database,
            clock=self._started.clock,
            carrier=self.line,
            suppressor=Suppressor(self._settings.suppression_key),
            due=asyncio.Event(),
            poll_seconds=0.05,
            timeout_seconds=5,
            lease_seconds=LEASE,
        )

    async def run(self) -> int:
        """Run what is due; return how many texts of the chain were handed over."""
        calls = self.line.calls
        await self.courier.run_due()
        return self.line.calls - calls


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    return ("broker", "outbox", "consumer", "courier", "sandbox receipts", "bulk sender", "receiver")


@pytest.fixture
def desk(house: Any, started: Any, settings: Any) -> Desk:
    return Desk(started, settings, house.chain_id)


@pytest_asyncio.fixture(loop_scope="session")
async def senders(house: Any, started: Any) -> AsyncIterator[Any]:
    async with channel_to(started.address) as channel:
        yield senders_pb2_grpc.SendersServiceStub(channel)


async def agreed(house: Any, count: int = 1) -> list[str]:
    """Return clients who agreed to everything."""
    clients = [house.client() for _ in range(count)]
    for client_id in clients:
        await house.consent(client_id)
    return clients


async def make_slow(house: Any, senders: Any, speed: float, brand_id: str = "") -> None:
    await senders.UpdateSender(
        senders_pb2.UpdateSenderRequest(
            sender_id=house.sender.sender_id,
            display_name="Maison Aurore",
            segments_per_second=speed,
            brand_registration_id=brand_id,
        )
    )


async def register(senders: Any, **fields: Any) -> Any:
    request = {"request_id": "req_brand", "display_name": "Maison Aurore", "segments_per_day": 20, **fields}
    return await senders.CreateBrandRegistration(senders_pb2.CreateBrandRegistrationRequest(**request))


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment.replace(tzinfo=None))
    return made


async def refused(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as found:
        await call
    return found.value


# The pace ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 8)), min_size=1, max_size=60),
    st.floats(0.5, 200),
)
def test_over_any_time_a_sender_sends_no_more_than_its_speed_allows(
    texts: list[tuple[float, int]], speed: float
) -> None:
    now = free_at = NOON
    sent: list[tuple[datetime, int]] = []
    for pause, segments in texts:
        now += timedelta(seconds=pause)
        if free_at <= now:
            sent.append((now, segments))
            free_at = next_free_time(free_at, now, segments=segments, per_second=speed)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            seconds = (sent[last][0] - sent[first][0]).total_seconds()
            segments = sum(count for _, count in sent[first:last])  # what was begun may be long
            assert segments <= speed * (seconds + CATCH_UP.total_seconds()) + 1e-3


def test_a_courier_that_looks_twice_a_second_loses_nothing_of_the_speed() -> None:
    now = free_at = NOON
    sent = 0
    for _ in range(1200):
        now += timedelta(seconds=0.5)
        while free_at <= now:
            free_at = next_free_time(free_at, now, segments=1, per_second=3.75)
            sent += 1
    assert abs(sent - 600 * 3.75) <= 3.75 + 1


async def test_texts_go_out_at_the_speed_of_the_sender_and_the_rest_waits(
    house: Any, desk: Desk, senders: Any
) -> None:
    clients = await agreed(house, 6)
    await make_slow(house, senders, 2)
    for client_id in clients:
        await house.send(client_id)
    assert (
        await desk.run() == 3
    )  # what fits into the second that may be made up for, and the one that is begun
    assert await desk.run() == 0
    house.clock.advance(timedelta(seconds=0.5))
    assert await desk.run() == 1
    house.clock.advance(timedelta(seconds=1))
    assert await desk.run() == 2


async def test_several_couriers_share_one_senders_pace(house: Any, desk: Desk, senders: Any) -> None:
    clients = await agreed(house, 20)
    await make_slow(house, senders, 5)
    for client_id in clients:
        await house.send(client_id)
    couriers = [desk.another_courier() for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*(courier.run_due() for courier in couriers))
    assert len(desk.line.taken) == 6
    house.clock.advance(timedelta(seconds=1))
    for _ in range(3):
        await asyncio.gather(*(courier.run_due() for courier in couriers))
    assert len(desk.line.taken) == 11


async def test_answers_go_first_and_offers_last(house: Any, desk: Desk, senders: Any) -> None:
    clients = await agreed(house, 3)
    await make_slow(house, senders, 1)
    kinds = (pb.PURPOSE_MARKETING, pb.PURPOSE_SERVICE, pb.PURPOSE_CONVERSATIONAL)
    for client_id, purpose in zip(clients, kinds, strict=True):
        await house.send(client_id, purpose=purpose)
    for _ in range(3):
        await desk.run()
        house.clock.advance(timedelta(seconds=1))
    order = [text.to_phone for text in desk.line.taken]
    assert order == [house.phone_of(client_id) for client_id in reversed(clients)]


async def test_a_long_text_costs_what_it_counts(house: Any, desk: Desk, senders: Any) -> None:
    clients = await agreed(house, 2)
    await make_slow(house, senders, 1)
    await house.send(clients[0], "Maison Aurore: " + "a" * 450)  # four segments
    assert await desk.run() == 1
    await house.send(clients[1])
    house.clock.advance(timedelta(seconds=2))
    assert await desk.run() == 0
    house.clock.advance(timedelta(seconds=1))
    assert await desk.run() == 1


async def test_two_texts_to_one_number_go_out_in_their_order(house: Any, desk: Desk) -> None:
    (client_id,) = await agreed(house)
    for number in range(5):
        await house.send(client_id, f"Maison Aurore: {number}")
    while await desk.run():
        pass
    assert [text.body[-1] for text in desk.line.taken] == list("01234")


# The brand's day --------------------------------------------------------------------------------------------------


async def test_when_the_brands_day_is_used_up_texts_wait_for_its_midnight_and_answers_have_a_reserve(
    house: Any, desk: Desk, senders: Any
) -> None:
    brand = await register(senders, segments_per_day=20, time_zone="America/Los_Angeles")
    await make_slow(house, senders, 1000, brand.brand_registration_id)
    clients = await agreed(house, 14)
    messages = [await house.send(client_id) for client_id in clients]
    assert await desk.run() == 10  # half of so small a day is kept for answers
    waiting = [await house.read(message) for message in messages[10:]]
    assert {message.state for message in waiting} == {pb.MESSAGE_STATE_DEFERRED}
    assert {message.decision.reasons[0].reason for message in waiting} == {"BRAND_DAY_USED"}
    midnight = datetime(2026, 3, 11, 7, tzinfo=UTC)  # in Los Angeles, where summer time began two days ago
    assert {message.send_after_time.seconds for message in waiting} == {int(midnight.timestamp())}
    answers = [await house.send(client_id, purpose=pb.PURPOSE_CONVERSATIONAL) for client_id in clients[:12]]
    assert await desk.run() == 10
    assert await house.state(answers[11]) == pb.MESSAGE_STATE_DEFERRED
    house.clock.set(midnight + timedelta(hours=8))
    assert await desk.run() + await desk.run() == 6  # two of them to numbers that get another one
    (known,) = (
        await senders.ListBrandRegistrations(senders_pb2.ListBrandRegistrationsRequest())
    ).brand_registrations
    assert (known.segments_today, known.segments_per_day) == (6, 20)


async def test_couriers_at_once_do_not_exceed_the_brands_day(house: Any, desk: Desk, senders: Any) -> None:
    brand = await register(senders, segments_per_day=30)
    other = await house.open_store()
    for sender_id in (house.sender.sender_id, other.sender_id):
        await senders.UpdateSender(
            senders_pb2.UpdateSenderRequest(
                sender_id=sender_id,
                display_name="Maison Aurore",
                segments_per_second=1000,
                brand_registration_id=brand.brand_registration_id,
            )
        )
    for number, client_id in enumerate(await agreed(house, 40)):
        await house.send(client_id, store_id=(house.sender, other)[number % 2].store_id)
    couriers = [desk.another_courier() for _ in range(20)]
    for _ in range(2):
        await asyncio.gather(*(courier.run_due() for courier in couriers))
    assert len(desk.line.taken) == 20


async def test_what_the_carrier_did_not_take_is_given_back_to_the_day(
    house: Any, desk: Desk, senders: Any
) -> None:
    brand = await register(senders)
    await make_slow(house, senders, 1000, brand.brand_registration_id)
    for client_id in await agreed(house, 4):
        await house.send(client_id)
    desk.line.code = "30007"
    assert await desk.run() == 4
    load = await senders.GetSenderLoad(senders_pb2.GetSenderLoadRequest(sender_id=house.sender.sender_id))
    assert (load.segments_today, load.brand_segments_today, load.brand_segments_per_day) == (0, 0, 20)


async def test_the_load_says_what_waits_and_when_it_is_out(house: Any, desk: Desk, senders: Any) -> None:
    await make_slow(house, senders, 2)
    for client_id in await agreed(house, 7):
        await house.send(client_id)
    await desk.run()
    load = await senders.GetSenderLoad(senders_pb2.GetSenderLoadRequest(sender_id=house.sender.sender_id))
    assert (load.segments_today, load.waiting_messages, load.waiting_segments) == (3, 4, 4)
    assert load.drain_time.ToDatetime(tzinfo=UTC) == house.clock.now() + timedelta(seconds=2.5)


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.integers(1, 10))
def test_a_day_never_takes_more_than_it_has_and_always_keeps_its_reserve(
    cap: int, used: int, segments: int
) -> None:
    brand = BrandRegistration("brd_1", "", "", cap, "America/Los_Angeles", NOON)
    if brand.takes(used, segments, is_answer=False):
        assert used + segments + brand.reserve <= cap
        assert brand.takes(used, segments, is_answer=True)
    if brand.takes(used, segments, is_answer=True):
        assert used + segments <= cap


def test_a_brands_day_ends_at_midnight_also_when_the_clock_changes() -> None:
    brand = BrandRegistration("brd_1", "", "", 1, "America/New_York", NOON)
    before = datetime(2026, 3, 8, 4, 30, tzinfo=UTC)  # half an hour before the shorter day begins
    assert brand.next_day(before) == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert brand.next_day(before + timedelta(hours=1)) == datetime(2026, 3, 9, 4, tzinfo=UTC)


# Later, and too late ----------------------------------------------------------------------------------------------


async def test_a_text_for_later_waits_and_goes_out_then(house: Any, desk: Desk) -> None:
    (client_id,) = await agreed(house)
    later = house.clock.now() + timedelta(hours=2)
    message = await house.send(client_id, send_time=stamp(later))
    assert message.state == pb.MESSAGE_STATE_DEFERRED
    assert message.send_after_time.seconds == int(later.timestamp())
    assert message.expire_time.seconds == int((later + timedelta(hours=72)).timestamp())
    assert await desk.run() == 0
    house.clock.set(later)
    assert await desk.run() == 1
    assert await house.state(message) == pb.MESSAGE_STATE_SENT


async def test_a_text_for_the_night_waits_for_the_morning_after(house: Any, desk: Desk) -> None:
    (client_id,) = await agreed(house)
    night = datetime(2026, 3, 11, 3, tzinfo=UTC)
    message = await house.send(client_id, send_time=stamp(night))
    assert message.decision.reasons[0].reason == "QUIET_HOURS"
    assert message.send_after_time.seconds > night.timestamp()


async def test_a_text_for_later_can_be_taken_back(house: Any, desk: Desk) -> None:
    (client_id,) = await agreed(house)
    later = house.clock.now() + timedelta(hours=2)
    message = await house.send(client_id, send_time=stamp(later))
    await house.stub.CancelMessage(pb.CancelMessageRequest(message_id=message.message_id))
    house.clock.set(later)
    assert await desk.run() == 0
    assert await house.state(message) == pb.MESSAGE_STATE_CANCELLED


async def test_what_could_not_go_out_in_time_expires_and_is_said_once(
    house: Any, desk: Desk, senders: Any
) -> None:
    (client_id,) = await agreed(house)
    await senders.StopSender(
        senders_pb2.StopSenderRequest(sender_id=house.sender.sender_id, note="Moving to another number")
    )
    message = await house.send(client_id, expire_time=stamp(house.clock.now() + timedelta(hours=1)))
    house.clock.advance(timedelta(hours=1))
    couriers = [desk.another_courier() for _ in range(4)]
    await asyncio.gather(*(courier.run_due() for courier in couriers))
    assert await house.state(message) == pb.MESSAGE_STATE_EXPIRED
    said = await published(house.database, events_pb2.MessageFailed, chain_id=house.chain_id)
    assert [(one.message_id, one.error_code) for one in said] == [(message.message_id, "EXPIRED")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"expire_time": stamp(NOON)}, "expire_time"),
        ({"send_time": stamp(NOON + timedelta(days=400))}, "send_time"),
        ({"body": ""}, "body"),
        ({"body": "a" * 1601}, "body"),
        ({"subject": "Your ring"}, "subject"),
        ({"channel": pb.CHANNEL_EMAIL}, "subject"),
        ({"client_id": ""}, "client_id"),
        ({"store_id": ""}, "store_id"),
    ],
)
async def test_what_contradicts_itself_is_refused_by_its_field(
    house: Any, fields: dict[str, Any], field: str
) -> None:
    (client_id,) = await agreed(house)
    error = await refused(house.send(fields.pop("client_id", client_id), **fields))
    assert (error.reason, [one.field for one in error.violations]) == ("FIELD_INVALID", [field])


# Conversations ----------------------------------------------------------------------------------------------------


async def test_a_number_that_is_nobodys_is_answered_in_its_conversation(
    house: Any, desk: Desk, next_phone: Any
) -> None:
    phone = next(next_phone)
    await house.receive_from(phone, "Do you still have the blue one?")
    (conversation,) = await house.conversations()
    message = await house.send(
        "",
        "Yes, come and see it.",
        store_id="",
        conversation_id=conversation.conversation_id,
        purpose=pb.PURPOSE_CONVERSATIONAL,
    )
    assert message.conversation_id == conversation.conversation_id
    assert await desk.run() == 1
    assert desk.line.taken[0].to_phone == phone


async def test_another_chains_conversation_is_not_there(house: Any, desk: Desk, sign_in: Any) -> None:
    (client_id,) = await agreed(house)
    message = await house.send(client_id)
    sign_in(*current_caller().scopes, chain_id="chn_other")
    error = await refused(house.send("", store_id="", conversation_id=message.conversation_id))
    assert error.reason == "CONVERSATION_NOT_FOUND"


async def test_cancel_in_answer_to_a_reminder_opts_out_and_tells_the_store(house: Any, desk: Desk) -> None:
    (client_id,) = await agreed(house)
    await house.send(client_id, reminder_id="apt_1")
    await desk.run()
    house.clock.advance(timedelta(hours=47))
    await house.receive(client_id, " Cancel! ")
    (said,) = await published(house.database, events_pb2.ReminderCancelled, chain_id=house.chain_id)
    assert (said.reminder_id, said.client_id) == ("apt_1", client_id)
    (conversation,) = await house.conversations()
    assert (conversation.state, conversation.unread_count) == (pb.CONVERSATION_STATE_OPEN, 1)
    found = await house.stub.ListMessages(
        pb.ListMessagesRequest(conversation_id=conversation.conversation_id)
    )
    assert found.messages[0].direction == pb.DIRECTION_NOTE
    assert "apt_1" in found.messages[0].body
    decision = await house.check(client_id, pb.PURPOSE_SERVICE)
    assert decision.reasons[0].reason == "PERMISSION_REVOKED"


@pytest.mark.parametrize(("answer", "hours"), [("CANCEL", 49), ("STOP", 1), ("please cancel it", 1)])
async def test_cancel_much_later_and_other_words_are_no_answer_to_a_reminder(
    house: Any, desk: Desk, answer: str, hours: int
) -> None:
    (client_id,) = await agreed(house)
    await house.send(client_id, reminder_id="apt_1")
    await desk.run()
    house.clock.advance(timedelta(hours=hours))
    await house.receive(client_id, answer)
    assert await published(house.database, events_pb2.ReminderCancelled, chain_id=house.chain_id) == []


# Senders that stop ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["21606", "21608", "21612", "30002", "30034"])
async def test_a_sender_that_the_carrier_faults_stops_its_queue_waits_and_goes_on_when_resumed(
    house: Any, desk: Desk, senders: Any, code: str
) -> None:
    await make_slow(house, senders, 1)
    first, _, third = [await house.send(client_id) for client_id in await agreed(house, 3)]
    desk.line.code = code
    await desk.run()
    desk.line.code = ""
    assert (await house.read(first)).error_code == code
    (said,) = await published(house.database, events_pb2.SenderStopped, chain_id=house.chain_id)
    assert (said.sender_id, said.error_code) == (house.sender.sender_id, code)
    (sender,) = (await house.stub.ListSenders(pb.ListSendersRequest())).senders
    assert (sender.state, sender.stop_reason) == (pb.SENDER_STATE_STOPPED, code)
    house.clock.advance(timedelta(seconds=10))
    assert await desk.run() == 0
    written_while_stopped = await house.send((await agreed(house))[0])
    for _ in range(2):
        await senders.ResumeSender(senders_pb2.ResumeSenderRequest(sender_id=sender.sender_id))
    while await desk.run():
        house.clock.advance(timedelta(seconds=1))
    for message in (third, written_while_stopped):
        assert await house.state(message) == pb.MESSAGE_STATE_SENT


async def test_a_fault_that_a_receipt_tells_stops_the_sender_too(house: Any, desk: Desk) -> None:
    (client_id,) = await agreed(house)
    message = await house.send(client_id)
    await desk.run()
    receipt = Receipt(house.chain_id, message.message_id, "crr_1", Status.FAILED, "30034")
    for _ in range(2):
        await delivery.note_receipt(
            database=house.database, clock=house.clock, suppressor=Suppressor("k" * 32), receipt=receipt
        )
    assert len(await published(house.database, events_pb2.SenderStopped, chain_id=house.chain_id)) == 1


@pytest.mark.parametrize("code", ["20429", "30022", "30023", "63038"])
async def test_a_carrier_that_is_too_slow_pauses_the_sender_and_not_the_text_alone(
    house: Any, desk: Desk, senders: Any, code: str
) -> None:
    await make_slow(house, senders, 1)
    clients = await agreed(house, 3)
    for client_id in clients[:2]:
        await house.send(client_id)
    desk.line.code = code
    await desk.run()
    desk.line.code = ""
    await house.send(clients[2])
    house.clock.advance(timedelta(seconds=9))
    assert await desk.run() == 0
    for _ in range(4):
        house.clock.advance(timedelta(seconds=1))
        await desk.run()
    assert len(desk.line.taken) == 3


async def test_senders_of_another_chain_are_not_there_and_nothing_is_done(
    house: Any, senders: Any, sign_in: Any
) -> None:
    scopes = current_caller().scopes
    sender_id = house.sender.sender_id
    brand = await register(senders)
    sign_in(*scopes, chain_id="chn_other")
    calls = [
        senders.StopSender(senders_pb2.StopSenderRequest(sender_id=sender_id, note="no")),
        senders.ResumeSender(senders_pb2.ResumeSenderRequest(sender_id=sender_id)),
        senders.GetSenderLoad(senders_pb2.GetSenderLoadRequest(sender_id=sender_id)),
        make_slow(house, senders, 1),
    ]
    assert [(await refused(call)).reason for call in calls] == ["SENDER_NOT_FOUND"] * 4
    error = await refused(
        senders.UpdateBrandRegistration(
            senders_pb2.UpdateBrandRegistrationRequest(
                brand_registration_id=brand.brand_registration_id,
                display_name="Theirs",
                segments_per_day=1,
                time_zone="UTC",
            )
        )
    )
    assert error.reason == "BRAND_REGISTRATION_NOT_FOUND"
    sign_in(*scopes, chain_id=house.chain_id)
    (sender,) = (await house.stub.ListSenders(pb.ListSendersRequest())).senders
    assert sender.state == pb.SENDER_STATE_ACTIVE


async def test_twenty_calls_with_one_request_id_register_a_brand_once(house: Any, senders: Any) -> None:
    made = await asyncio.gather(*(register(senders) for _ in range(20)))
    assert len({brand.brand_registration_id for brand in made}) == 1
    found = await senders.ListBrandRegistrations(senders_pb2.ListBrandRegistrationsRequest())
    assert len(found.brand_registrations) == 1


async def test_a_brand_in_no_time_zone_and_a_sender_of_no_brand_are_refused(house: Any, senders: Any) -> None:
    error = await refused(register(senders, time_zone="Mars/Olympus"))
    assert [one.field for one in error.violations] == ["time_zone"]
    error = await refused(make_slow(house, senders, 1, "brd_nobody"))
    assert error.reason == "BRAND_REGISTRATION_NOT_FOUND"


async def test_a_store_gets_an_address_to_write_e_mails_from(house: Any) -> None:
    request = pb.CreateSenderRequest(
        request_id="req_mail",
        store_id=house.store_id,
        display_name="Maison Aurore",
        channel=pb.CHANNEL_EMAIL,
        email="Atelier@aurore.example",
    )
    made = await house.stub.CreateSender(request)
    assert (made.email, made.phone, made.channel) == ("atelier@aurore.example", "", pb.CHANNEL_EMAIL)
    assert await house.stub.CreateSender(request) == made
    request.email = "nobody"
    request.request_id = "req_other"
    error = await refused(house.stub.CreateSender(request))
    assert [one.field for one in error.violations] == ["email"]
