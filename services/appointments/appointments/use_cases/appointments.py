"""Book, move, cancel and close appointments, and list them.

Locks are taken in the order appointment, resources by id. Under the resources' locks a conflict is certain at once; the
exclusion constraint of the bookings is what makes an overlap impossible even if a lock were forgotten.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from appointments import events
from appointments.domain.appointments import Appointment, AppointmentState, require_future
from appointments.domain.hours import Interval
from appointments.domain.resources import require_bookable
from appointments.store import appointments as rows
from appointments.store import hours, resources
from chassis import identities
from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid, not_found
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def book_appointment(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    store_id: str,
    client_id: str,
    start: datetime,
    length: timedelta,
    buffer: timedelta,
    associate_resource_id: str,
    room_resource_id: str,
    note: str,
) -> Appointment:
    """Book a viewing; empty `room_resource_id` for one on the floor. Raises SlotTaken, OutsideHours, TimePast.

    CLIENT_NOT_FOUND for a client who was erased.
    """
    caller.require_store(store_id)
    async with database.transaction(caller.chain_id) as tx:
        appointment_id, is_repeat = await tx.once(key, new_id("apt"))
        if is_repeat:
            return await rows.get(tx, appointment_id)
        client_id = await require_client(tx, client_id)
        now = clock.now()
        appointment = Appointment(
            appointment_id=appointment_id,
            store_id=store_id,
            client_id=client_id,
            state=AppointmentState.BOOKED,
            time=Interval(start, start + length),
            buffer=buffer,
            associate_resource_id=associate_resource_id,
            room_resource_id=room_resource_id,
            note=note,
            cancel_reason="",
            created_at=now,
            updated_at=now,
            version=1,
        )
        await _require_possible(tx, appointment, locking=appointment.resource_ids, now=now)
        await rows.add(tx, appointment)
        tx.publish(events.appointment_booked(appointment), entity_id=appointment_id)
        return appointment


async def require_client(tx: Transaction, client_id: str) -> str:
    """Return whom an id leads to, and keep merges out until the commit. Raises CLIENT_NOT_FOUND for who was erased."""
    await identities.hold(tx)
    current = await identities.find_current(tx, client_id)
    if current is None:
        raise not_found("client", client_id)
    return current


async def _require_possible(
    tx: Transaction, wanted: Appointment, *, locking: Sequence[str], now: datetime
) -> None:
    require_bookable(
        await resources.lock(tx, locking),
        store_id=wanted.store_id,
        associate_resource_id=wanted.associate_resource_id,
        room_resource_id=wanted.room_resource_id,
    )
    require_future(wanted.time.start, now)
    (await hours.get(tx, wanted.store_id)).require_open(wanted.time)


async def get_appointment(*, database: Database, caller: Caller, appointment_id: str) -> Appointment:
    """Read an appointment. Raises NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        return await rows.get(tx, appointment_id)


async def list_appointments(
    *,
    database: Database,
    caller: Caller,
    store_id: str,
    client_id: str,
    associate_resource_id: str,
    starts_from: datetime | None,
    starts_before: datetime | None,
    page_size: int,
    page_token: str,
) -> tuple[Sequence[Appointment], str]:
    """Return one page of appointments by start, and the token of the next; `starts_before` itself is left out."""
    after = decode_page_token(page_token, int, str)
    async with database.transaction(caller.chain_id) as tx:
        found = await rows.page(
            tx,
            store_id=store_id,
            client_id=client_id and (await identities.find_current(tx, client_id) or client_id),
            associate_resource_id=associate_resource_id,
            starts_from=starts_from,
            starts_before=starts_before,
            after=None if after is None else (_start_in(int(after[0])), str(after[1])),
            limit=page_size + 1,
        )
    return cut_page(
        found,
        page_size,
        lambda appointment: (
            (appointment.time.start - _EPOCH) // timedelta(microseconds=1),
            appointment.appointment_id,
        ),
    )


def _start_in(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error


async def move_appointment(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    appointment_id: str,
    start: datetime,
    length: timedelta | None,
    associate_resource_id: str,
    room_resource_id: str,
) -> Appointment:
    """Give an appointment another time or other resources, all or nothing; empty and None leave it as it is.

    Raises AppointmentClosed, SlotTaken, OutsideHours, TimePast. A move that changes nothing is harmless.
    """
    async with database.transaction(caller.chain_id) as tx:
        appointment = await rows.lock(tx, appointment_id)
        caller.require_store(appointment.store_id)
        now = clock.now()
        moved = appointment.moved(
            start=start,
            length=length,
            associate_resource_id=associate_resource_id,
            room_resource_id=room_resource_id,
            now=now,
        )
        if moved is None:
            return appointment
        # What is given up is locked as well: who wants it waits for the outcome instead of for a row in between.
        both = sorted({*appointment.resource_ids, *moved.resource_ids})
        await _require_possible(tx, moved, locking=both, now=now)
        await rows.rebook(tx, moved)
        await rows.update(tx, moved)
        tx.publish(events.appointment_moved(moved), entity_id=appointment_id)
        return moved


async def cancel_appointment(
    *, database: Database, clock: Clock, caller: Caller, appointment_id: str, reason: str
) -> Appointment:
    """Call an appointment off and free its time; twice is harmless. Raises AppointmentClosed."""
    async with database.transaction(caller.chain_id) as tx:
        appointment = await rows.lock(tx, appointment_id)
        caller.require_store(appointment.store_id)
        return await cancel(tx, appointment, reason=reason, now=clock.now())


async def cancel(tx: Transaction, appointment: Appointment, *, reason: str, now: datetime) -> Appointment:
    """Call off an appointment that is locked. Raises AppointmentClosed."""
    cancelled = appointment.cancelled(reason=reason, now=now)
    if cancelled is None:
        return appointment
    await rows.release(tx, appointment.appointment_id)
    await rows.update(tx, cancelled)
    tx.publish(events.appointment_cancelled(cancelled), entity_id=appointment.appointment_id)
    return cancelled


async def close_appointment(
    *, database: Database, clock: Clock, caller: Caller, appointment_id: str, is_attended: bool
) -> Appointment:
    """Say whether the client came; the same again is harmless, the other corrects it.

    Raises AppointmentClosed for a cancelled one and NotStarted.
    """
    async with database.transaction(caller.chain_id) as tx:
        appointment = await rows.lock(tx, appointment_id)
        caller.require_store(appointment.store_id)
        closed = appointment.closed(is_attended=is_attended, now=clock.now())
        if closed is None:
            return appointment
        await rows.update(tx, closed)
        tx.publish(
            events.appointment_attended(closed) if is_attended else events.appointment_missed(closed),
            entity_id=appointment_id,
        )
        return closed
