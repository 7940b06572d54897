"""Hours, resources and free slots through the running service."""

import asyncio
from datetime import date, timedelta

import pytest
from carnet.appointments.v1 import appointments_pb2 as pb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import ServiceError
from chassis.testing import NOON
from chassis.values import datetime_of, proto_date_of

TODAY = date(2026, 3, 10)
TOMORROW = date(2026, 3, 11)
MINUTE = timedelta(minutes=1)


async def slots_of(house, store, day=TOMORROW, **fields):
    """List a day's free slots."""
    answer = await house.stub.ListFreeSlots(
        pb.ListFreeSlotsRequest(store_id=store.store_id, date=proto_date_of(day), **fields)
    )
    return list(answer.slots)


def starts_of(slots):
    """Return when the slots begin."""
    return [datetime_of(slot.start_time) for slot in slots]


async def test_hours_read_as_they_were_set(house) -> None:
    store = await house.store(
        spans=[
            pb.OpeningSpan(weekday=1, opens="14:00", closes="24:00"),
            pb.OpeningSpan(weekday=1, opens="09:30", closes="12:00"),
        ]
    )
    hours = await house.stub.GetStoreHours(pb.GetStoreHoursRequest(store_id=store.store_id))
    assert [(span.opens, span.closes) for span in hours.spans] == [("09:30", "12:00"), ("14:00", "24:00")]
    assert hours.time_zone == "America/New_York"


async def test_hours_that_overlap_or_end_early_are_refused_with_the_span(house) -> None:
    with pytest.raises(ServiceError) as refusal:
        await house.stub.SetStoreHours(
            pb.SetStoreHoursRequest(
                store_id="sto_bad",
                time_zone="Europe/Paris",
                spans=[
                    pb.OpeningSpan(weekday=1, opens="10:00", closes="13:00"),
                    pb.OpeningSpan(weekday=2, opens="10:00", closes="10:00"),
                    pb.OpeningSpan(weekday=1, opens="12:59", closes="18:00"),
                ],
            )
        )
    assert refusal.value.reason == "HOURS_INVALID"
    assert {violation.field for violation in refusal.value.violations} == {
        "spans[1].closes",
        "spans[2].opens",
    }


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "America", "/etc/localtime", "nul\x00"])
async def test_a_zone_that_nobody_knows_is_a_bad_field(house, refused, zone) -> None:
    call = house.stub.SetStoreHours(pb.SetStoreHoursRequest(store_id="sto_bad", time_zone=zone))
    assert await refused(call) == "FIELD_INVALID"


async def test_hours_that_nobody_set_are_not_found(house, refused) -> None:
    call = house.stub.GetStoreHours(pb.GetStoreHoursRequest(store_id="sto_none"))
    assert await refused(call) == "STORE_HOURS_NOT_FOUND"


async def test_an_associate_is_one_resource_also_when_twenty_add_him(house) -> None:
    async def add(number: int) -> str:
        try:
            await house.stub.CreateResource(
                pb.CreateResourceRequest(
                    store_id=f"sto_{number % 2}",
                    kind=pb.RESOURCE_KIND_ASSOCIATE,
                    display_name="Ines",
                    associate_id="asc_ines",
                )
            )
        except ServiceError as error:
            return error.reason
        return "OK"

    outcomes = await asyncio.gather(*(add(number) for number in range(20)))
    assert sorted(outcomes) == ["OK"] + ["RESOURCE_EXISTS"] * 19


async def test_the_same_request_id_adds_one_room(house) -> None:
    request = pb.CreateResourceRequest(
        request_id="room-1", store_id="sto_rooms", kind=pb.RESOURCE_KIND_ROOM, display_name="Salon"
    )
    assert await house.stub.CreateResource(request) == await house.stub.CreateResource(request)


@pytest.mark.parametrize(("kind", "associate_id"), [(1, ""), (2, "asc_one")])
async def test_an_associates_id_belongs_to_associates(house, refused, kind, associate_id) -> None:
    call = house.stub.CreateResource(
        pb.CreateResourceRequest(
            store_id="sto_x", kind=kind, display_name="Somebody", associate_id=associate_id
        )
    )
    assert await refused(call) == "FIELD_INVALID"


async def test_resources_are_listed_by_name_in_pages(house) -> None:
    store = await house.store(associates=2, rooms=1)
    first = await house.stub.ListResources(pb.ListResourcesRequest(store_id=store.store_id, page_size=2))
    second = await house.stub.ListResources(
        pb.ListResourcesRequest(store_id=store.store_id, page_size=2, page_token=first.next_page_token)
    )
    names = [resource.display_name for resource in [*first.resources, *second.resources]]
    assert names == sorted(names)
    assert len(names) == 3
    assert second.next_page_token == ""


async def test_a_day_lists_starts_every_half_hour_that_end_by_closing(house) -> None:
    starts = starts_of(await slots_of(house, await house.store()))
    assert len(starts) == 15  # 10:00 to 17:00
    assert starts[0].isoformat() == "2026-03-11T14:00:00+00:00"
    assert starts[-1].isoformat() == "2026-03-11T21:00:00+00:00"


async def test_lunch_is_kept_free(house) -> None:
    spans = [
        pb.OpeningSpan(weekday=3, opens="10:15", closes="12:15"),
        pb.OpeningSpan(weekday=3, opens="14:00", closes="15:30"),
    ]
    starts = starts_of(await slots_of(house, await house.store(spans=spans)))
    assert [(s - timedelta(hours=4)).strftime("%H:%M") for s in starts] == [
        "10:15", "10:45", "11:15", "14:00", "14:30",
    ]  # fmt: skip


async def test_slots_of_today_that_are_past_are_left_out(house, clock) -> None:
    store = await house.store()
    assert starts_of(await slots_of(house, store, TODAY))[0] == NOON
    clock.advance(timedelta(microseconds=1))
    assert starts_of(await slots_of(house, store, TODAY))[0] == NOON + 30 * MINUTE
    assert await slots_of(house, store, TODAY - timedelta(days=1)) == []


async def test_a_closed_day_has_no_slots(house) -> None:
    assert await slots_of(house, await house.store(), date(2026, 3, 15)) == []


async def test_a_booked_slot_is_listed_no_more_and_a_cancelled_one_again(house) -> None:
    store = await house.store()
    before = await slots_of(house, store)
    booked = await house.book(store, datetime_of(before[4].start_time))
    after = starts_of(await slots_of(house, store))
    # A viewing from 12:00 with its buffer takes starts from 11:00 (whose buffer ends 12:15) to 13:00.
    assert set(starts_of(before)) - set(after) == set(starts_of(before)[2:7])
    await house.stub.CancelAppointment(pb.CancelAppointmentRequest(appointment_id=booked.appointment_id))
    assert await slots_of(house, store) == before


async def test_a_slot_names_who_and_which_rooms_are_free(house) -> None:
    store = await house.store(associates=2, rooms=2)
    start = NOON + timedelta(days=1)
    await house.book(store, start)
    slot = next(slot for slot in await slots_of(house, store) if datetime_of(slot.start_time) == start)
    assert list(slot.associate_resource_ids) == [store.associates[1]]
    assert list(slot.room_resource_ids) == [store.rooms[1]]


async def test_slots_of_one_associate_leave_out_the_time_that_is_hers(house) -> None:
    store = await house.store(associates=2, rooms=2)
    start = NOON + timedelta(days=1)
    await house.book(store, start)
    for associate, is_listed in ((store.associates[0], False), (store.associates[1], True)):
        slots = await slots_of(house, store, associate_resource_id=associate)
        assert (start in starts_of(slots)) is is_listed
        assert all(list(slot.associate_resource_ids) == [associate] for slot in slots)


async def test_without_a_free_room_there_is_no_slot_and_without_rooms_none_is_needed(house) -> None:
    start = NOON + timedelta(days=1)
    with_room = await house.store(associates=2, rooms=1)
    await house.book(with_room, start)
    assert start not in starts_of(await slots_of(house, with_room))
    without_rooms = await house.store(associates=2, rooms=0)
    await house.book(without_rooms, start)
    assert start in starts_of(await slots_of(house, without_rooms))


async def test_an_associate_of_another_store_has_no_slots_here(house, refused) -> None:
    store, other = await house.store(), await house.store()
    call = slots_of(house, store, associate_resource_id=other.associates[0])
    assert await refused(call) == "FIELD_INVALID"
    assert await refused(slots_of(house, store, associate_resource_id="rsc_x")) == "RESOURCE_NOT_FOUND"


async def test_a_day_of_no_calendar_is_a_bad_field(house, refused) -> None:
    store = await house.store()
    for wrong in (
        {"year": 2026, "month": 2, "day": 29},
        {"year": 9999, "month": 12, "day": 31},
        {"month": 1},
    ):
        call = house.stub.ListFreeSlots(pb.ListFreeSlotsRequest(store_id=store.store_id, date=wrong))
        assert await refused(call) == "FIELD_INVALID"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_listed_slot_can_be_booked_with_any_listed_resources_and_is_listed_no_more(
    house, data
) -> None:
    store = await house.store(associates=2, rooms=2)
    minutes = data.draw(st.sampled_from([15, 30, 60, 90, 200]))
    for _ in range(3):
        if not (slots := await slots_of(house, store, minutes=minutes)):
            return
        slot = data.draw(st.sampled_from(slots))
        associate = data.draw(st.sampled_from(list(slot.associate_resource_ids)))
        room = data.draw(st.sampled_from(list(slot.room_resource_ids)))
        booked = await house.book(
            store,
            datetime_of(slot.start_time),
            minutes=minutes,
            associate_resource_id=associate,
            room_resource_id=room,
        )
        assert booked.end_time == slot.end_time
        listed = await slots_of(house, store, minutes=minutes, associate_resource_id=associate)
        assert slot.start_time not in [other.start_time for other in listed]
