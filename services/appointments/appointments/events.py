"""What appointments says happened, from its own objects. No note, no reason, no name."""

from collections.abc import Iterable, Mapping

from carnet.appointments.v1 import events_pb2 as pb
from carnet.privacy.v1 import privacy_pb2

from appointments.domain.appointments import Appointment
from chassis.values import timestamp_of


def appointment_booked(appointment: Appointment) -> pb.AppointmentBooked:
    """Return the fact that a viewing was booked."""
    return pb.AppointmentBooked(appointment=_fact(appointment))


def appointment_moved(appointment: Appointment) -> pb.AppointmentMoved:
    """Return the fact that a viewing has another time or other resources."""
    return pb.AppointmentMoved(appointment=_fact(appointment))


def appointment_cancelled(appointment: Appointment) -> pb.AppointmentCancelled:
    """Return the fact that a viewing was called off."""
    return pb.AppointmentCancelled(appointment=_fact(appointment))


def appointment_attended(appointment: Appointment) -> pb.AppointmentAttended:
    """Return the fact that the client came."""
    return pb.AppointmentAttended(appointment=_fact(appointment))


def appointment_missed(appointment: Appointment) -> pb.AppointmentMissed:
    """Return the fact that the client did not come."""
    return pb.AppointmentMissed(appointment=_fact(appointment))


def erasure_receipt(
    *,
    erasure_id: str,
    client_id: str,
    erased: Mapping[str, int],
    retained: Iterable[tuple[str, str, int]] = (),
) -> privacy_pb2.ErasureReceipt:
    """Return the receipt of an erasure; `retained` are (category, basis, count)."""
    return privacy_pb2.ErasureReceipt(
        erasure_id=erasure_id,
        client_id=client_id,
        erased=erased,
        retained=[
            privacy_pb2.Retention(category=category, basis=basis, count=count)
            for category, basis, count in retained
        ],
    )


def client_forgotten(receipt: privacy_pb2.ErasureReceipt) -> pb.ClientForgotten:
    """Return the fact that appointments forgot a client."""
    return pb.ClientForgotten(receipt=receipt)


def _fact(appointment: Appointment) -> pb.AppointmentFact:
    return pb.AppointmentFact(
        appointment_id=appointment.appointment_id,
        store_id=appointment.store_id,
        client_id=appointment.client_id,
        start_time=timestamp_of(appointment.time.start),
        end_time=timestamp_of(appointment.time.end),
        version=appointment.version,
    )
