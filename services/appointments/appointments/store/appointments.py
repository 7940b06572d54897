"""The rows of appointments and of the bookings that hold their resources."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from appointments.domain.appointments import Appointment, AppointmentState, SlotTaken
from appointments.domain.hours import Interval
from chassis import identities
from chassis.database import Transaction
from chassis.errors import not_found

_SELECT = """
    select appointment_id, store_id, client_id, state, starts_at, ends_at, buffer_minutes, associate_resource_id,
        coalesce(room_resource_id, '') as room_resource_id, note, cancel_reason, created_at, updated_at, version
    from appointments
"""


def _appointment(row: Row[Any]) -> Appointment:
    return Appointment(
        appointment_id=row.appointment_id,
        store_id=row.store_id,
        client_id=row.client_id,
        state=AppointmentState(row.state),
        time=Interval(row.starts_at, row.ends_at),
        buffer=timedelta(minutes=row.buffer_minutes),
        associate_resource_id=row.associate_resource_id,
        room_resource_id=row.room_resource_id,
        note=row.note,
        cancel_reason=row.cancel_reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


def _values(tx: Transaction, appointment: Appointment) -> dict[str, Any]:
    return {
        **vars(appointment),
        "chain_id": tx.chain_id,
        "starts_at": appointment.time.start,
        "ends_at": appointment.time.end,
        "buffer_minutes": appointment.buffer // timedelta(minutes=1),
    }


async def add(tx: Transaction, appointment: Appointment) -> None:
    """Write a new appointment and book its resources. Raises SlotTaken."""
    await tx.execute(
        "insert into appointments (appointment_id, chain_id, store_id, client_id, state, starts_at, ends_at,"
        " buffer_minutes, associate_resource_id, room_resource_id, note, cancel_reason, created_at, updated_at,"
        " version) values (:appointment_id, :chain_id, :store_id, :client_id, :state, :starts_at, :ends_at,"
        " :buffer_minutes, :associate_resource_id, nullif(:room_resource_id, ''), :note, :cancel_reason,"
        " :created_at, :updated_at, :version)",
        _values(tx, appointment),
    )
    await _book(tx, appointment)


async def update(tx: Transaction, appointment: Appointment) -> None:
    """Write a changed appointment; its bookings stay as they are."""
    await tx.execute(
        "update appointments set state = :state, starts_at = :starts_at, ends_at = :ends_at,"
        " associate_resource_id = :associate_resource_id, room_resource_id = nullif(:room_resource_id, ''),"
        " cancel_reason = :cancel_reason, updated_at = :updated_at, version = :version"
        " where appointment_id = :appointment_id",
        _values(tx, appointment),
    )


async def rebook(tx: Transaction, appointment: Appointment) -> None:
    """Give up what the appointment holds and book what it takes now. Raises SlotTaken; then roll back."""
    await tx.execute(
        "delete from bookings where appointment_id = :appointment_id",
        {"appointment_id": appointment.appointment_id},
    )
    await _book(tx, appointment)


async def release(tx: Transaction, appointment_id: str) -> None:
    """Free what the appointment holds; the rows stay as a record."""
    await tx.execute(
        "update bookings set active = false where appointment_id = :appointment_id",
        {"appointment_id": appointment_id},
    )


async def _book(tx: Transaction, appointment: Appointment) -> None:
    # Counting rows instead of catching the violation: a caught one deadlocks under load (measured).
    booked = await tx.execute(
        "insert into bookings (chain_id, appointment_id, resource_id, during, active)"
        " select :chain_id, :appointment_id, resource_id, tstzrange(:taken_from, :taken_to), true"
        " from unnest(cast(:resource_ids as text[])) as wanted (resource_id)"
        " on conflict do nothing returning resource_id",
        {
            "chain_id": tx.chain_id,
            "appointment_id": appointment.appointment_id,
            "taken_from": appointment.taken.start,
            "taken_to": appointment.taken.end,
            "resource_ids": appointment.resource_ids,
        },
    )
    if taken := set(appointment.resource_ids) - set(booked.scalars()):
        raise SlotTaken(sorted(taken))


async def get(tx: Transaction, appointment_id: str) -> Appointment:
    """Read an appointment. Raises NOT_FOUND."""
    return await _one(tx, appointment_id, "")


async def lock(tx: Transaction, appointment_id: str) -> Appointment:
    """Read an appointment and keep others from changing it. Raises NOT_FOUND."""
    return await _one(tx, appointment_id, "for no key update")


async def _one(tx: Transaction, appointment_id: str, locking: str) -> Appointment:
    found = await tx.execute(
        f"{_SELECT} where appointment_id = :appointment_id {locking}", {"appointment_id": appointment_id}
    )
    if (row := found.one_or_none()) is None:
        raise not_found("appointment", appointment_id)
    return _appointment(row)


async def lock_of_clients(tx: Transaction, client_ids: Collection[str]) -> list[Appointment]:
    """Read the appointments that came under ids of clients and keep others from changing them."""
    found = await tx.execute(
        f"{_SELECT} where chain_id = :chain_id and {identities.came_as('client_id')}"
        " order by appointment_id for no key update",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return [_appointment(row) for row in found]


async def make_nobodys(tx: Transaction, appointment_ids: Collection[str]) -> None:
    """Take client and words out of appointments; when, where and what was taken stays."""
    await tx.execute(
        "update appointments set client_id = '', original_client_id = '', note = '', cancel_reason = ''"
        " where chain_id = :chain_id and appointment_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(appointment_ids)},
    )


async def page(
    tx: Transaction,
    *,
    store_id: str,
    client_id: str,
    associate_resource_id: str,
    starts_from: datetime | None,
    starts_before: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Appointment]:
    """List appointments by start and id, from after a (start, id) on; empty and None filter nothing."""
    conditions = {
        "store_id = :store_id": store_id,
        "client_id = :client_id": client_id,
        "associate_resource_id = :associate_resource_id": associate_resource_id,
        "starts_at >= :starts_from": starts_from,
        "starts_at < :starts_before": starts_before,
        "(starts_at, appointment_id) > (:after_start, :after_id)": after,
    }
    asked = " and ".join(["chain_id = :chain_id", *(text for text, value in conditions.items() if value)])
    found = await tx.execute(
        f"{_SELECT} where {asked} order by starts_at, appointment_id limit :limit",
        {
            "chain_id": tx.chain_id,
            "store_id": store_id,
            "client_id": client_id,
            "associate_resource_id": associate_resource_id,
            "starts_from": starts_from,
            "starts_before": starts_before,
            "after_start": after and after[0],
            "after_id": after and after[1],
            "limit": limit,
        },
    )
    return [_appointment(row) for row in found]


async def find_taken(
    tx: Transaction, resource_ids: Sequence[str], within: Interval
) -> dict[str, list[Interval]]:
    """Read when resources are taken, buffers included, as far as it touches `within`."""
    found = await tx.execute(
        "select resource_id, lower(during) as taken_from, upper(during) as taken_to from bookings"
        " where active and resource_id = any(:resource_ids) and during && tstzrange(:start, :end)",
        {"resource_ids": list(resource_ids), "start": within.start, "end": within.end},
    )
    taken: dict[str, list[Interval]] = {}
    for row in found:
        taken.setdefault(row.resource_id, []).append(Interval(row.taken_from, row.taken_to))
    return taken
