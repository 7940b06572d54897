"""Booking, moving, cancelling and closing on a real Postgres, also by twenty at once."""

import asyncio
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from carnet.appointments.v1 import appointments_pb2 as pb
from carnet.appointments.v1 import events_pb2
from sqlalchemy.exc import DBAPIError

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import datetime_of

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def outcome_of(call):
    """Await a call and say OK or the reason of its refusal."""
    try:
        await call
    except ServiceError as error:
        return error.reason
    return "OK"


async def overlaps_in(house):
    """Count pairs of active bookings of one resource that share a moment."""
    async with house.database.transaction("chn_one") as tx:
        found = await tx.execute(
            "select count(*) from bookings a join bookings b on a.resource_id = b.resource_id"
            " and a.appointment_id < b.appointment_id and a.during && b.during where a.active and b.active"
        )
        return found.scalar_one()


async def fact_versions(house, kind, appointment_id):
    """Return the versions of the events of one kind about an appointment."""
    events = await published(house.database, kind)
    return [e.appointment.version for e in events if e.appointment.appointment_id == appointment_id]


async def test_a_booked_viewing_reads_as_it_was_booked(house, two) -> None:
    store = await house.store()
    booked = await house.book(store, two, minutes=45, note="Wants to see sapphires")
    assert booked.state == pb.APPOINTMENT_STATE_BOOKED
    assert datetime_of(booked.end_time) == two + 45 * MINUTE
    assert booked.buffer_minutes == 15
    read = await house.stub.GetAppointment(pb.GetAppointmentRequest(appointment_id=booked.appointment_id))
    assert read == booked


async def test_twenty_workers_book_one_slot_and_one_wins(house, two) -> None:
    store = await house.store()
    outcomes = await asyncio.gather(*(outcome_of(house.book(store, two)) for _ in range(20)))
    assert Counter(outcomes) == {"OK": 1, "SLOT_TAKEN": 19}


async def test_twenty_workers_with_their_own_associates_share_one_room_once(house, two) -> None:
    store = await house.store(associates=20)
    outcomes = await asyncio.gather(
        *(outcome_of(house.book(store, two, associate_resource_id=a)) for a in store.associates)
    )
    assert Counter(outcomes) == {"OK": 1, "SLOT_TAKEN": 19}
    async with house.database.transaction("chn_one") as tx:
        booked = await tx.execute(
            "select count(*) from bookings where resource_id = any(:ids)", {"ids": store.associates}
        )
        assert booked.scalar_one() == 1  # what lost left nothing behind


async def test_a_refusal_names_the_resource_that_is_taken(house, two) -> None:
    store = await house.store(associates=2)
    await house.book(store, two)
    with pytest.raises(ServiceError) as refusal:
        await house.book(store, two, associate_resource_id=store.associates[1])
    assert (refusal.value.kind, refusal.value.reason) == (Kind.ALREADY_EXISTS, "SLOT_TAKEN")
    assert refusal.value.metadata == {"resource_ids": store.rooms[0]}


@pytest.mark.parametrize(
    ("gap", "outcome"), [(74, "SLOT_TAKEN"), (75, "OK"), (-74, "SLOT_TAKEN"), (-75, "OK")]
)
async def test_the_buffer_is_kept_after_the_one_and_before_the_next(house, two, gap, outcome) -> None:
    store = await house.store()
    tomorrow = two + timedelta(days=1)
    await house.book(store, tomorrow)
    assert await outcome_of(house.book(store, tomorrow + gap * MINUTE)) == outcome


async def test_a_viewing_on_the_floor_takes_no_room(house, two) -> None:
    store = await house.store(associates=2)
    await house.book(store, two)
    floor = await house.book(store, two, associate_resource_id=store.associates[1], room_resource_id="")
    assert floor.room_resource_id == ""


async def test_a_time_outside_the_hours_is_refused(house, two, refused) -> None:
    store = await house.store()
    assert await refused(house.book(store, two + 3 * HOUR + MINUTE)) == "OUTSIDE_HOURS"
    assert await outcome_of(house.book(store, two + 3 * HOUR)) == "OK"  # ends at closing, the buffer after it


async def test_a_store_without_hours_takes_no_bookings(house, two, refused) -> None:
    associate = await house.resource("sto_no_hours", pb.RESOURCE_KIND_ASSOCIATE)
    call = house.stub.BookAppointment(
        pb.BookAppointmentRequest(
            store_id="sto_no_hours",
            client_id="cli_one",
            start_time={"seconds": int(two.timestamp())},
            associate_resource_id=associate,
        )
    )
    assert await refused(call) == "STORE_HOURS_NOT_FOUND"


async def test_the_past_is_refused_and_this_very_moment_is_not(house, refused) -> None:
    store = await house.store()
    assert await refused(house.book(store, NOON - timedelta(microseconds=1))) == "TIME_PAST"
    assert await outcome_of(house.book(store, NOON)) == "OK"


@pytest.mark.parametrize("seconds", [253402300800, -62135596801, 10**17, 253402300799])
async def test_a_moment_of_no_calendar_is_a_bad_field(house, refused, seconds) -> None:
    store = await house.store()
    call = house.stub.BookAppointment(
        pb.BookAppointmentRequest(
            store_id=store.store_id,
            client_id="cli_one",
            start_time={"seconds": seconds},
            associate_resource_id=store.associates[0],
        )
    )
    assert await refused(call) == "FIELD_INVALID"


async def test_resources_of_another_store_or_kind_are_refused(house, two, refused) -> None:
    store, other = await house.store(), await house.store()
    for fields, reason in (
        ({"associate_resource_id": other.associates[0]}, "FIELD_INVALID"),
        ({"room_resource_id": other.rooms[0]}, "FIELD_INVALID"),
        ({"associate_resource_id": store.rooms[0]}, "FIELD_INVALID"),
        ({"room_resource_id": store.associates[0]}, "FIELD_INVALID"),
        ({"associate_resource_id": "rsc_unknown"}, "RESOURCE_NOT_FOUND"),
    ):
        assert await refused(house.book(store, two, **fields)) == reason


async def test_the_same_request_id_books_once(house, two, refused) -> None:
    store = await house.store()
    answers = await asyncio.gather(*(house.book(store, two, request_id="book-1") for _ in range(20)))
    assert len({answer.appointment_id for answer in answers}) == 1
    assert await refused(house.book(store, two + HOUR, request_id="book-1")) == "REQUEST_ID_REUSED"


async def test_a_refused_booking_leaves_nothing_and_its_request_id_is_free_again(house, two) -> None:
    store = await house.store()
    first = await house.book(store, two)
    assert await outcome_of(house.book(store, two, request_id="book-2")) == "SLOT_TAKEN"
    async with house.database.transaction("chn_one") as tx:
        count = await tx.execute(
            "select count(*) from appointments where store_id = :store_id", {"store_id": store.store_id}
        )
        assert count.scalar_one() == 1
    await house.stub.CancelAppointment(pb.CancelAppointmentRequest(appointment_id=first.appointment_id))
    assert await outcome_of(house.book(store, two, request_id="book-2")) == "OK"


async def test_a_move_frees_the_old_time_and_takes_the_new_one(house, two, refused) -> None:
    store = await house.store()
    booked = await house.book(store, two)
    moved = await house.move(booked, two + 2 * HOUR)
    assert datetime_of(moved.end_time) == two + 3 * HOUR
    assert await refused(house.book(store, two + 2 * HOUR)) == "SLOT_TAKEN"
    assert await outcome_of(house.book(store, two)) == "OK"
    assert await fact_versions(house, events_pb2.AppointmentMoved, booked.appointment_id) == [2]


async def test_a_move_may_overlap_its_own_old_time(house, two) -> None:
    booked = await house.book(await house.store(), two)
    assert datetime_of((await house.move(booked, two + 30 * MINUTE)).start_time) == two + 30 * MINUTE


async def test_a_move_to_a_taken_time_changes_nothing(house, two, refused) -> None:
    store = await house.store()
    booked, other = await house.book(store, two), await house.book(store, two + 2 * HOUR)
    assert await refused(house.move(booked, two + 2 * HOUR)) == "SLOT_TAKEN"
    read = await house.stub.GetAppointment(pb.GetAppointmentRequest(appointment_id=booked.appointment_id))
    assert read == booked
    assert await refused(house.book(store, two)) == "SLOT_TAKEN"
    assert await fact_versions(house, events_pb2.AppointmentMoved, booked.appointment_id) == []
    assert other.state == pb.APPOINTMENT_STATE_BOOKED


async def test_a_move_to_where_it_is_says_nothing(house, two) -> None:
    booked = await house.book(await house.store(), two)
    assert await house.move(booked, two) == booked
    assert await fact_versions(house, events_pb2.AppointmentMoved, booked.appointment_id) == []


async def test_a_move_may_change_the_associate_only(house, two, refused) -> None:
    store = await house.store(associates=2)
    booked = await house.book(store, two)
    moved = await house.move(booked, two, associate_resource_id=store.associates[1])
    assert moved.associate_resource_id == store.associates[1]
    assert moved.room_resource_id == store.rooms[0]
    call = house.book(store, two, associate_resource_id=store.associates[1], room_resource_id="")
    assert await refused(call) == "SLOT_TAKEN"


async def test_what_is_over_or_cancelled_cannot_be_moved(house, two, clock, sign_in, refused) -> None:
    store = await house.store()
    over, cancelled = await house.book(store, two), await house.book(store, two + 2 * HOUR)
    await house.stub.CancelAppointment(pb.CancelAppointmentRequest(appointment_id=cancelled.appointment_id))
    assert await refused(house.move(cancelled, two + 3 * HOUR)) == "APPOINTMENT_CLOSED"
    clock.set(two + HOUR)
    sign_in(*house.all_scopes, clock=clock)
    assert await refused(house.move(over, two + 3 * HOUR)) == "APPOINTMENT_CLOSED"


async def test_cancelling_frees_the_time_and_twice_is_harmless(house, two) -> None:
    store = await house.store()
    booked = await house.book(store, two)
    request = pb.CancelAppointmentRequest(appointment_id=booked.appointment_id, reason="Travels")
    first = await house.stub.CancelAppointment(request)
    assert (first.state, first.cancel_reason) == (pb.APPOINTMENT_STATE_CANCELLED, "Travels")
    assert await house.stub.CancelAppointment(request) == first
    assert await fact_versions(house, events_pb2.AppointmentCancelled, booked.appointment_id) == [2]
    assert await outcome_of(house.book(store, two)) == "OK"


async def test_closing_waits_for_the_start_and_can_be_corrected(house, two, clock, sign_in, refused) -> None:
    booked = await house.book(await house.store(), two)
    attended = pb.CloseAppointmentRequest(appointment_id=booked.appointment_id, is_attended=True)
    missed = pb.CloseAppointmentRequest(appointment_id=booked.appointment_id)
    clock.set(two - timedelta(microseconds=1))
    sign_in(*house.all_scopes, clock=clock)
    assert await refused(house.stub.CloseAppointment(attended)) == "NOT_STARTED"
    clock.set(two)
    sign_in(*house.all_scopes, clock=clock)
    assert (await house.stub.CloseAppointment(attended)).state == pb.APPOINTMENT_STATE_ATTENDED
    await house.stub.CloseAppointment(attended)
    assert (await house.stub.CloseAppointment(missed)).state == pb.APPOINTMENT_STATE_MISSED
    assert await fact_versions(house, events_pb2.AppointmentAttended, booked.appointment_id) == [2]
    assert await fact_versions(house, events_pb2.AppointmentMissed, booked.appointment_id) == [3]
    cancel = pb.CancelAppointmentRequest(appointment_id=booked.appointment_id)
    assert await refused(house.stub.CancelAppointment(cancel)) == "APPOINTMENT_CLOSED"


async def test_a_cancelled_viewing_cannot_be_closed(house, two, clock, sign_in, refused) -> None:
    booked = await house.book(await house.store(), two)
    await house.stub.CancelAppointment(pb.CancelAppointmentRequest(appointment_id=booked.appointment_id))
    clock.set(two)
    sign_in(*house.all_scopes, clock=clock)
    call = house.stub.CloseAppointment(pb.CloseAppointmentRequest(appointment_id=booked.appointment_id))
    assert await refused(call) == "APPOINTMENT_CLOSED"


async def test_twenty_workers_moving_crosswise_neither_overlap_nor_deadlock(house) -> None:
    store = await house.store(associates=2, rooms=2)
    start = NOON + timedelta(days=1)
    booked = [
        await house.book(
            store,
            start + number // 2 * timedelta(minutes=75),
            associate_resource_id=store.associates[number % 2],
            room_resource_id=store.rooms[number % 2],
        )
        for number in range(4)
    ]

    async def move(number: int) -> str:
        random = Random(number)
        return await outcome_of(
            house.move(
                booked[number % 4],
                start + random.randrange(4) * timedelta(minutes=75),
                associate_resource_id=random.choice(store.associates),
                room_resource_id=random.choice(store.rooms),
            )
        )

    for rounds in range(3):
        outcomes = await asyncio.gather(*(move(rounds * 20 + number) for number in range(20)))
        assert set(outcomes) <= {"OK", "SLOT_TAKEN"}
    assert await overlaps_in(house) == 0


async def test_two_viewings_moved_into_each_others_place_are_refused_both_or_one_goes(house) -> None:
    store = await house.store()
    start = NOON + timedelta(days=2)
    for _ in range(5):
        one = await house.book(store, start)
        other = await house.book(store, start + 2 * HOUR)
        outcomes = await asyncio.gather(
            outcome_of(house.move(one, start + 2 * HOUR)), outcome_of(house.move(other, start))
        )
        assert outcomes == ["SLOT_TAKEN", "SLOT_TAKEN"]
        for appointment in (one, other):
            await house.stub.CancelAppointment(
                pb.CancelAppointmentRequest(appointment_id=appointment.appointment_id)
            )


async def test_two_hundred_random_operations_leave_no_overlap(house) -> None:
    store = await house.store(associates=3, rooms=2)
    random = Random(7)
    day = NOON + timedelta(days=3)
    booked: list[pb.Appointment] = []

    async def step() -> str:
        start = day + random.randrange(0, 241, 15) * MINUTE
        choice = random.random()
        if choice < 0.5 or not booked:
            call = house.book(
                store,
                start,
                minutes=random.choice([30, 45, 60]),
                associate_resource_id=random.choice(store.associates),
                room_resource_id=random.choice([*store.rooms, ""]),
            )
            try:
                booked.append(await call)
            except ServiceError as error:
                return error.reason
            return "OK"
        appointment = random.choice(booked)
        if choice < 0.85:
            associate = random.choice(["", *store.associates])
            return await outcome_of(house.move(appointment, start, associate_resource_id=associate))
        return await outcome_of(
            house.stub.CancelAppointment(
                pb.CancelAppointmentRequest(appointment_id=appointment.appointment_id)
            )
        )

    outcomes: Counter[str] = Counter()
    for _ in range(10):
        outcomes.update(await asyncio.gather(*(step() for _ in range(20))))
    assert set(outcomes) <= {"OK", "SLOT_TAKEN", "APPOINTMENT_CLOSED"}
    assert outcomes["OK"] > 20
    assert await overlaps_in(house) == 0


async def test_the_database_itself_refuses_an_overlap(house, two) -> None:
    store = await house.store()
    booked = await house.book(store, two)
    other = await house.book(store, two + 2 * HOUR)
    with pytest.raises(DBAPIError, match="bookings_never_overlap"):
        async with house.database.transaction("chn_one") as tx:
            await tx.execute(
                "update bookings set during = (select during from bookings where appointment_id = :one limit 1)"
                " where appointment_id = :other",
                {"one": booked.appointment_id, "other": other.appointment_id},
            )


async def test_appointments_are_listed_by_start_in_pages(house, two) -> None:
    store = await house.store()
    starts = [two + timedelta(days=day) for day in (3, 1, 2)]
    for start in starts:
        await house.book(store, start, client_id="cli_paged")
    seen, token = [], ""
    while True:
        page = await house.stub.ListAppointments(
            pb.ListAppointmentsRequest(client_id="cli_paged", page_size=1, page_token=token)
        )
        seen += [datetime_of(appointment.start_time) for appointment in page.appointments]
        if not (token := page.next_page_token):
            break
    assert seen == sorted(starts)
    assert all(before < after for before, after in pairwise(seen))


async def test_a_list_holds_the_start_of_its_span_and_not_its_end(house, two) -> None:
    store = await house.store()
    for days in (1, 2):
        await house.book(store, two + timedelta(days=days))
    found = await house.stub.ListAppointments(
        pb.ListAppointmentsRequest(
            store_id=store.store_id,
            start_after_time={"seconds": int((two + timedelta(days=1)).timestamp())},
            start_before_time={"seconds": int((two + timedelta(days=2)).timestamp())},
        )
    )
    assert [datetime_of(a.start_time) for a in found.appointments] == [two + timedelta(days=1)]


@pytest.mark.parametrize("token", ["nonsense", "WzEsMl0", "WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwiYSJd"])
async def test_a_made_up_page_token_is_a_bad_field(house, refused, token) -> None:
    assert (
        await refused(house.stub.ListAppointments(pb.ListAppointmentsRequest(page_token=token)))
        == "FIELD_INVALID"
    )


async def test_another_chains_objects_are_not_there(house, two, sign_in, refused) -> None:
    store = await house.store()
    booked = await house.book(store, two)
    sign_in(*house.all_scopes, chain_id="chn_two", clock=house.clock)
    for call in (
        house.stub.GetAppointment(pb.GetAppointmentRequest(appointment_id=booked.appointment_id)),
        house.stub.CancelAppointment(pb.CancelAppointmentRequest(appointment_id=booked.appointment_id)),
        house.stub.CloseAppointment(pb.CloseAppointmentRequest(appointment_id=booked.appointment_id)),
        house.move(booked, two),
    ):
        assert await refused(call) == "APPOINTMENT_NOT_FOUND"
    assert await refused(house.book(store, two)) == "RESOURCE_NOT_FOUND"


async def test_an_associate_of_another_store_may_not_write(house, two, sign_in, refused) -> None:
    store = await house.store()
    booked = await house.book(store, two)
    sign_in(*house.all_scopes, stores=frozenset({"sto_elsewhere"}), clock=house.clock)
    cancel = pb.CancelAppointmentRequest(appointment_id=booked.appointment_id)
    for call in (house.book(store, two), house.move(booked, two), house.stub.CancelAppointment(cancel)):
        assert await refused(call) == "STORE_NOT_YOURS"


async def test_the_booked_event_names_store_client_and_times_only(house, two) -> None:
    booked = await house.book(await house.store(), two, note="A surprise")
    events = await published(house.database, events_pb2.AppointmentBooked)
    fact = next(e.appointment for e in events if e.appointment.appointment_id == booked.appointment_id)
    assert fact == events_pb2.AppointmentFact(
        appointment_id=booked.appointment_id,
        store_id=booked.store_id,
        client_id="cli_one",
        start_time=booked.start_time,
        end_time=booked.end_time,
        version=1,
    )
