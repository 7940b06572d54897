"""A client is forgotten: what is booked is called off, and what was tells nobody who it was."""

from datetime import timedelta

from carnet.appointments.v1 import appointments_pb2 as pb
from carnet.appointments.v1 import events_pb2
from carnet.profiles.v1 import events_pb2 as profiles
from sqlalchemy import text

from chassis.testing import published


async def receipts(house, client_id):
    said = await published(house.database, events_pb2.ClientForgotten, chain_id="chn_one")
    return [event.receipt for event in said if event.receipt.client_id == client_id]


async def rows_with(house, words) -> int:
    async with house.database.transaction("chn_one") as tx:
        found = await tx.execute(
            text("select count(*) from appointments a where position(:words in row_to_json(a)::text) > 0"),
            {"words": words},
        )
        return found.scalar_one()


async def test_what_is_booked_is_called_off_and_its_time_is_free(house, two) -> None:
    store, client_id = await house.store(), house.client()
    booked = await house.book(store, two, client_id=client_id, note="prefers the emerald")
    await house.erase(client_id)
    found = await house.stub.GetAppointment(pb.GetAppointmentRequest(appointment_id=booked.appointment_id))
    assert (found.state, found.client_id, found.note) == (pb.APPOINTMENT_STATE_CANCELLED, "", "")
    assert await rows_with(house, client_id) == await rows_with(house, "emerald") == 0
    cancelled = await published(house.database, events_pb2.AppointmentCancelled, chain_id="chn_one")
    assert booked.appointment_id in {event.appointment.appointment_id for event in cancelled}
    await house.book(store, two, client_id=house.client())
    (receipt,) = await receipts(house, client_id)
    assert receipt.erased == {"appointments": 1, "cancelled_appointments": 1}


async def test_what_is_over_stays_as_a_time_that_was_taken(house, two, sign_in) -> None:
    store, client_id = await house.store(), house.client()
    booked = await house.book(store, two, client_id=client_id, note="came with her sister")
    house.clock.set(two + timedelta(days=1))
    await house.erase(client_id)
    sign_in(*house.all_scopes, clock=house.clock)
    found = await house.stub.GetAppointment(pb.GetAppointmentRequest(appointment_id=booked.appointment_id))
    assert (found.state, found.client_id, found.note) == (pb.APPOINTMENT_STATE_BOOKED, "", "")
    assert found.start_time == booked.start_time
    (receipt,) = await receipts(house, client_id)
    assert receipt.erased == {"appointments": 1, "cancelled_appointments": 0}


async def test_words_of_a_cancelled_one_go_too(house, two) -> None:
    store, client_id = await house.store(), house.client()
    booked = await house.book(store, two, client_id=client_id)
    await house.stub.CancelAppointment(
        pb.CancelAppointmentRequest(appointment_id=booked.appointment_id, reason="is in hospital")
    )
    await house.erase(client_id)
    assert await rows_with(house, "hospital") == 0


async def test_former_ids_go_too_whether_the_merge_was_heard_of_or_not(house, two) -> None:
    for number, heard in enumerate((True, False)):
        store, one, other = await house.store(), house.client(), house.client()
        await house.book(store, two, client_id=one)
        await house.book(store, two + timedelta(hours=2), client_id=other)
        if heard:
            await house.hear(house.merged(one, other, f"mrg_former_{number}"))
        await house.erase(one, other)
        await house.hear(house.merged(one, other, f"mrg_former_{number}"))
        assert [await rows_with(house, client_id) for client_id in (one, other)] == [0, 0]


async def test_who_was_taken_apart_in_time_keeps_the_viewing(house, two) -> None:
    store, one, other = await house.store(), house.client(), house.client()
    kept = await house.book(store, two, client_id=other)
    await house.hear(house.merged(one, other, "mrg_saved"))
    await house.erase(one)
    await house.hear(house.unmerged(one, other, "mrg_saved"))
    assert await house.appointments_of(other) == {kept.appointment_id}


async def test_a_call_for_an_erased_client_is_refused(house, two, refused) -> None:
    store, client_id = await house.store(), house.client()
    await house.erase(client_id)
    assert await refused(house.book(store, two, client_id=client_id)) == "CLIENT_NOT_FOUND"


async def test_asked_again_the_same_receipt_is_said_again(house, two) -> None:
    store, client_id = await house.store(), house.client()
    await house.book(store, two, client_id=client_id)
    await house.erase(client_id)
    await house.erase(client_id)
    one, again = await receipts(house, client_id)
    assert one == again


async def test_another_chain_s_appointments_stay(house, two) -> None:
    store, client_id = await house.store(), house.client()
    booked = await house.book(store, two, client_id=client_id)
    await house.hear(profiles.ClientErased(erasure_id="ers_x", client_id=client_id), chain_id="chn_two")
    assert await house.appointments_of(client_id) == {booked.appointment_id}
