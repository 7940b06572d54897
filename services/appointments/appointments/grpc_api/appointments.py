"""The RPCs of appointments: proto -> arguments -> use case -> proto. Must not decide."""

from datetime import datetime, timedelta

from carnet.appointments.v1 import appointments_pb2 as pb
from carnet.appointments.v1 import appointments_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from appointments.domain.appointments import DEFAULT_LENGTH, Appointment
from appointments.domain.hours import OpeningSpan, StoreHours, weekly_hours
from appointments.domain.resources import Resource, ResourceKind
from appointments.domain.slots import FreeSlot
from appointments.use_cases import appointments, hours, resources
from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import page_size_of
from chassis.values import date_of, datetime_of, timestamp_of

_Context = object  # the guard has taken from it what there is
_LAST_YEAR = 9000  # moments up to here can be calculated with, buffers and days around included


class AppointmentsServicer(appointments_pb2_grpc.AppointmentsServiceServicer):
    """Serves carnet.appointments.v1.AppointmentsService; `buffer` is kept free after viewings, `grid` lists slots."""

    def __init__(self, database: Database, clock: Clock, *, buffer: timedelta, grid: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._buffer = buffer
        self._grid = grid

    async def SetStoreHours(self, request: pb.SetStoreHoursRequest, context: _Context) -> pb.StoreHours:
        """Replace a store's weekly hours."""
        spans = [
            OpeningSpan(span.weekday, _minutes_of(span.opens), _minutes_of(span.closes))
            for span in request.spans
        ]
        return hours_message(
            await hours.set_store_hours(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                hours=weekly_hours(request.store_id, request.time_zone, spans),
            )
        )

    async def GetStoreHours(self, request: pb.GetStoreHoursRequest, context: _Context) -> pb.StoreHours:
        """Read a store's weekly hours."""
        return hours_message(
            await hours.get_store_hours(
                database=self._database, caller=current_caller(), store_id=request.store_id
            )
        )

    async def CreateResource(self, request: pb.CreateResourceRequest, context: _Context) -> pb.Resource:
        """Add an associate or a room."""
        resource = await resources.create_resource(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            store_id=request.store_id,
            kind=ResourceKind(pb.ResourceKind.Name(request.kind).removeprefix("RESOURCE_KIND_")),
            display_name=request.display_name,
            associate_id=request.associate_id,
        )
        return resource_message(resource)

    async def ListResources(
        self, request: pb.ListResourcesRequest, context: _Context
    ) -> pb.ListResourcesResponse:
        """List a store's resources by name."""
        page, next_page_token = await resources.list_resources(
            database=self._database,
            caller=current_caller(),
            store_id=request.store_id,
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListResourcesResponse(
            resources=map(resource_message, page), next_page_token=next_page_token
        )

    async def ListFreeSlots(
        self, request: pb.ListFreeSlotsRequest, context: _Context
    ) -> pb.ListFreeSlotsResponse:
        """List what can be booked on a day."""
        day = date_of(request.date, "date")
        if not 1 < day.year <= _LAST_YEAR:
            raise invalid("date", f"is not between the years 2 and {_LAST_YEAR}")
        slots = await resources.list_free_slots(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            store_id=request.store_id,
            day=day,
            length=timedelta(minutes=request.minutes) or DEFAULT_LENGTH,
            grid=self._grid,
            buffer=self._buffer,
            associate_resource_id=request.associate_resource_id,
        )
        return pb.ListFreeSlotsResponse(slots=map(slot_message, slots))

    async def BookAppointment(self, request: pb.BookAppointmentRequest, context: _Context) -> pb.Appointment:
        """Book a viewing."""
        appointment = await appointments.book_appointment(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            store_id=request.store_id,
            client_id=request.client_id,
            start=_moment_of(request.start_time, "start_time"),
            length=timedelta(minutes=request.minutes) or DEFAULT_LENGTH,
            buffer=self._buffer,
            associate_resource_id=request.associate_resource_id,
            room_resource_id=request.room_resource_id,
            note=request.note,
        )
        return appointment_message(appointment)

    async def GetAppointment(self, request: pb.GetAppointmentRequest, context: _Context) -> pb.Appointment:
        """Read an appointment."""
        return appointment_message(
            await appointments.get_appointment(
                database=self._database, caller=current_caller(), appointment_id=request.appointment_id
            )
        )

    async def ListAppointments(
        self, request: pb.ListAppointmentsRequest, context: _Context
    ) -> pb.ListAppointmentsResponse:
        """List appointments by start."""
        page, next_page_token = await appointments.list_appointments(
            database=self._database,
            caller=current_caller(),
            store_id=request.store_id,
            client_id=request.client_id,
            associate_resource_id=request.associate_resource_id,
            starts_from=_moment_of(request.start_after_time, "start_after_time")
            if request.HasField("start_after_time")
            else None,
            starts_before=_moment_of(request.start_before_time, "start_before_time")
            if request.HasField("start_before_time")
            else None,
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListAppointmentsResponse(
            appointments=map(appointment_message, page), next_page_token=next_page_token
        )

    async def MoveAppointment(self, request: pb.MoveAppointmentRequest, context: _Context) -> pb.Appointment:
        """Give a viewing another time or other resources."""
        appointment = await appointments.move_appointment(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            appointment_id=request.appointment_id,
            start=_moment_of(request.start_time, "start_time"),
            length=timedelta(minutes=request.minutes) or None,
            associate_resource_id=request.associate_resource_id,
            room_resource_id=request.room_resource_id,
        )
        return appointment_message(appointment)

    async def CancelAppointment(
        self, request: pb.CancelAppointmentRequest, context: _Context
    ) -> pb.Appointment:
        """Call a viewing off."""
        appointment = await appointments.cancel_appointment(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            appointment_id=request.appointment_id,
            reason=request.reason,
        )
        return appointment_message(appointment)

    async def CloseAppointment(
        self, request: pb.CloseAppointmentRequest, context: _Context
    ) -> pb.Appointment:
        """Say whether the client came."""
        appointment = await appointments.close_appointment(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            appointment_id=request.appointment_id,
            is_attended=request.is_attended,
        )
        return appointment_message(appointment)


def _minutes_of(wall: str) -> int:
    hour, _, minute = wall.partition(":")
    return int(hour) * 60 + int(minute)


def _wall_of(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _moment_of(value: Timestamp, field: str) -> datetime:
    try:
        moment = datetime_of(value)
    except (ValueError, OverflowError) as error:
        raise invalid(field, "is not a moment of the calendar") from error
    if not 1 < moment.year <= _LAST_YEAR:
        raise invalid(field, f"is not between the years 2 and {_LAST_YEAR}")
    return moment


def hours_message(store_hours: StoreHours) -> pb.StoreHours:
    """Return the message of a store's hours."""
    return pb.StoreHours(
        store_id=store_hours.store_id,
        time_zone=store_hours.time_zone,
        spans=[
            pb.OpeningSpan(weekday=span.weekday, opens=_wall_of(span.opens), closes=_wall_of(span.closes))
            for span in store_hours.spans
        ],
    )


def resource_message(resource: Resource) -> pb.Resource:
    """Return the message of a resource."""
    return pb.Resource(
        resource_id=resource.resource_id,
        store_id=resource.store_id,
        kind=pb.ResourceKind.Value(f"RESOURCE_KIND_{resource.kind}"),
        display_name=resource.display_name,
        associate_id=resource.associate_id,
        create_time=timestamp_of(resource.created_at),
    )


def slot_message(slot: FreeSlot) -> pb.FreeSlot:
    """Return the message of a free slot."""
    return pb.FreeSlot(
        start_time=timestamp_of(slot.time.start),
        end_time=timestamp_of(slot.time.end),
        associate_resource_ids=slot.associate_resource_ids,
        room_resource_ids=slot.room_resource_ids,
    )


def appointment_message(appointment: Appointment) -> pb.Appointment:
    """Return the message of an appointment."""
    return pb.Appointment(
        appointment_id=appointment.appointment_id,
        store_id=appointment.store_id,
        client_id=appointment.client_id,
        state=pb.AppointmentState.Value(f"APPOINTMENT_STATE_{appointment.state}"),
        start_time=timestamp_of(appointment.time.start),
        end_time=timestamp_of(appointment.time.end),
        buffer_minutes=appointment.buffer // timedelta(minutes=1),
        associate_resource_id=appointment.associate_resource_id,
        room_resource_id=appointment.room_resource_id,
        note=appointment.note,
        create_time=timestamp_of(appointment.created_at),
        update_time=timestamp_of(appointment.updated_at),
        cancel_reason=appointment.cancel_reason,
    )
