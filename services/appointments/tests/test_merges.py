"""Two clients become one, and two again: appointments follow, and nothing else about them changes."""

import asyncio
import itertools
from datetime import timedelta

from carnet.appointments.v1 import appointments_pb2 as pb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_runs = itertools.count(1)


async def test_appointments_are_the_survivor_s_until_the_merge_is_taken_back(house, two) -> None:
    store, one, other = await house.store(), house.client(), house.client()
    mine = await house.book(store, two, client_id=one)
    others = await house.book(store, two + timedelta(hours=2), client_id=other)
    await house.hear(house.merged(one, other, "mrg_both"))
    both = {mine.appointment_id, others.appointment_id}
    assert await house.appointments_of(one) == await house.appointments_of(other) == both
    now = await house.stub.GetAppointment(pb.GetAppointmentRequest(appointment_id=others.appointment_id))
    others.client_id = one
    assert now == others
    await house.hear(house.unmerged(one, other, "mrg_both"))
    assert await house.appointments_of(one) == {mine.appointment_id}
    assert await house.appointments_of(other) == {others.appointment_id}


async def test_what_is_booked_with_the_merged_id_is_the_survivor_s_and_stays(house, two) -> None:
    store, one, other = await house.store(), house.client(), house.client()
    await house.hear(house.merged(one, other, "mrg_since"))
    booked = await house.book(store, two, client_id=other)
    assert booked.client_id == one
    await house.hear(house.unmerged(one, other, "mrg_since"))
    assert await house.appointments_of(one) == {booked.appointment_id}
    assert await house.appointments_of(other) == set()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(3)), again=st.lists(st.integers(0, 2), max_size=4))
async def test_any_order_and_repetition_of_merges_leaves_everybody_the_same(house, two, order, again) -> None:
    run, store = next(_runs), await house.store(associates=3, rooms=0)
    a, b, c = (house.client() for _ in range(3))
    booked = {
        client_id: (
            await house.book(store, two, client_id=client_id, associate_resource_id=store.associates[number])
        ).appointment_id
        for number, client_id in enumerate((a, b, c))
    }
    events = [
        house.merged(a, b, f"mrg_order_{run:04}_1"),
        house.unmerged(a, b, f"mrg_order_{run:04}_1"),
        house.merged(c, b, f"mrg_order_{run:04}_2"),
    ]
    for at in [*order, *again]:
        await house.hear(events[at])
    assert await house.appointments_of(a) == {booked[a]}
    assert await house.appointments_of(b) == await house.appointments_of(c) == {booked[b], booked[c]}


async def test_bookings_and_a_merge_at_once_leave_none_behind(house, two) -> None:
    store, one, other = await house.store(associates=20, rooms=0), house.client(), house.client()
    booking = [
        house.book(store, two, client_id=other, associate_resource_id=resource_id)
        for resource_id in store.associates
    ]
    await asyncio.gather(*booking[:10], house.hear(house.merged(one, other, "mrg_race")), *booking[10:])
    listed = await house.stub.ListAppointments(
        pb.ListAppointmentsRequest(store_id=store.store_id, page_size=100)
    )
    assert [appointment.client_id for appointment in listed.appointments] == [one] * 20
