"""Appointments: a client's viewing with an associate, perhaps in a room. Must not know what else is booked."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appointments.domain.hours import Interval
from appointments.domain.slots import is_past
from chassis.errors import Kind, ServiceError

DEFAULT_LENGTH = timedelta(minutes=60)


class AppointmentState(enum.StrEnum):
    """Where an appointment stands; ATTENDED and MISSED may be corrected into one another, CANCELLED is final."""

    BOOKED = "BOOKED"
    CANCELLED = "CANCELLED"
    ATTENDED = "ATTENDED"
    MISSED = "MISSED"


@dataclass(frozen=True)
class Appointment:
    """A viewing; `room_resource_id` is empty on the floor, `version` counts its changes from 1."""

    appointment_id: str
    store_id: str
    client_id: str
    state: AppointmentState
    time: Interval
    buffer: timedelta
    associate_resource_id: str
    room_resource_id: str
    note: str
    cancel_reason: str
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def taken(self) -> Interval:
        """Return the time that its resources are taken: the viewing and the buffer after it."""
        return Interval(self.time.start, self.time.end + self.buffer)

    @property
    def resource_ids(self) -> list[str]:
        """Return what it takes, in the one order in which resources are locked."""
        return sorted(filter(None, (self.associate_resource_id, self.room_resource_id)))

    def moved(
        self,
        *,
        start: datetime,
        length: timedelta | None,
        associate_resource_id: str,
        room_resource_id: str,
        now: datetime,
    ) -> "Appointment | None":
        """Return it at another time or with other resources, None when that changes nothing; empty: as it was.

        Raises AppointmentClosed for one that is over or cancelled.
        """
        self.require_booked()
        changed = replace(
            self,
            time=Interval(start, start + (length or self.time.end - self.time.start)),
            associate_resource_id=associate_resource_id or self.associate_resource_id,
            room_resource_id=room_resource_id or self.room_resource_id,
        )
        if changed == self:
            return None
        if self.time.end <= now:
            raise AppointmentClosed(self)
        return replace(changed, updated_at=now, version=self.version + 1)

    def cancelled(self, *, reason: str, now: datetime) -> "Appointment | None":
        """Return it cancelled, None when it was before. Raises AppointmentClosed when the visit was settled."""
        if self.state is AppointmentState.CANCELLED:
            return None
        self.require_booked()
        return replace(
            self,
            state=AppointmentState.CANCELLED,
            cancel_reason=reason,
            updated_at=now,
            version=self.version + 1,
        )

    def closed(self, *, is_attended: bool, now: datetime) -> "Appointment | None":
        """Return it with whether the client came, None when that was said before.

        Raises AppointmentClosed for a cancelled one and NotStarted before the start.
        """
        if self.state is AppointmentState.CANCELLED:
            raise AppointmentClosed(self)
        if now < self.time.start:
            raise NotStarted(self)
        state = AppointmentState.ATTENDED if is_attended else AppointmentState.MISSED
        if self.state is state:
            return None
        return replace(self, state=state, updated_at=now, version=self.version + 1)

    def require_booked(self) -> None:
        """Refuse with AppointmentClosed one that is cancelled or settled."""
        if self.state is not AppointmentState.BOOKED:
            raise AppointmentClosed(self)


def require_future(start: datetime, now: datetime) -> None:
    """Refuse with TimePast a start that lies behind; now itself does not."""
    if is_past(start, now):
        raise TimePast(start)


class SlotTaken(ServiceError):
    """A resource is booked for some of the time, or needed as a buffer."""

    def __init__(self, resource_ids: Sequence[str]) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "SLOT_TAKEN",
            "This time is taken.",
            metadata={"resource_ids": ", ".join(resource_ids)},
        )


class TimePast(ServiceError):
    """Nobody can be booked for yesterday."""

    def __init__(self, start: datetime) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "TIME_PAST",
            "This time has passed.",
            metadata={"start_time": start.isoformat()},
        )


class AppointmentClosed(ServiceError):
    """The appointment is over or cancelled."""

    def __init__(self, appointment: Appointment) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "APPOINTMENT_CLOSED",
            "The appointment is over or cancelled.",
            metadata={"appointment_id": appointment.appointment_id, "state": appointment.state},
        )


class NotStarted(ServiceError):
    """Whether the client came cannot be known yet."""

    def __init__(self, appointment: Appointment) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "NOT_STARTED",
            "The appointment has not started yet.",
            metadata={
                "appointment_id": appointment.appointment_id,
                "start_time": appointment.time.start.isoformat(),
            },
        )
