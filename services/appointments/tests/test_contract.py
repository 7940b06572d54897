"""Nothing of the contract is left out: RPCs, events, settings, reasons, migrations."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from carnet.appointments.v1 import appointments_pb2_grpc, events_pb2

from appointments import events
from appointments.bootstrap import VERSIONS
from appointments.config import Settings
from appointments.domain.appointments import Appointment, AppointmentState
from appointments.domain.hours import Interval
from appointments.grpc_api import AppointmentsServicer
from chassis.config import ServiceSettings
from chassis.contracts import event_type_of, events_of, service_named
from chassis.migrations import configuration

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = SERVICE / "README.md"

APPOINTMENT = Appointment(
    appointment_id="apt_01kqh1m6qf3v1e5g6h7j8k9m0n",
    store_id="sto_01kqh1m6qf3v1e5g6h7j8k9m0p",
    client_id="cli_01kqh1m6qf3v1e5g6h7j8k9m0q",
    state=AppointmentState.BOOKED,
    time=Interval(datetime(2026, 3, 10, 18, tzinfo=UTC), datetime(2026, 3, 10, 19, tzinfo=UTC)),
    buffer=timedelta(minutes=15),
    associate_resource_id="rsc_01kqh1m6qf3v1e5g6h7j8k9m0r",
    room_resource_id="rsc_01kqh1m6qf3v1e5g6h7j8k9m0s",
    note="not in events",
    cancel_reason="not in events",
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    updated_at=datetime(2026, 3, 2, tzinfo=UTC),
    version=3,
)
SAID = [
    events.appointment_booked(APPOINTMENT),
    events.appointment_moved(APPOINTMENT),
    events.appointment_cancelled(APPOINTMENT),
    events.appointment_attended(APPOINTMENT),
    events.appointment_missed(APPOINTMENT),
]


def test_every_rpc_is_implemented() -> None:
    for method in service_named("carnet.appointments.v1.AppointmentsService").methods:
        inherited = getattr(appointments_pb2_grpc.AppointmentsServiceServicer, method.name)
        assert getattr(AppointmentsServicer, method.name) is not inherited


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    types = {event_type_of(kind) for kind in events_of("carnet.appointments.v1")}
    assert {event_type_of(type(event)) for event in SAID} == types
    assert {path.stem for path in GOLDEN.glob("*.binpb")} == types


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event) -> None:
    path = GOLDEN / f"{event_type_of(type(event))}.binpb"
    if os.environ.get("CARNET_UPDATE_GOLDEN") == "1":
        path.write_bytes(event.SerializeToString(deterministic=True))
    assert event.SerializeToString(deterministic=True) == path.read_bytes()
    assert type(event).FromString(path.read_bytes()) == event


def test_a_golden_event_has_every_field_filled() -> None:
    for event in SAID:
        filled = {descriptor.name for descriptor, _ in event.appointment.ListFields()}
        assert filled == set(events_pb2.AppointmentFact.DESCRIPTOR.fields_by_name)


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory.from_config(configuration(VERSIONS, "")).get_heads()) == 1


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    for name in set(Settings.model_fields) - set(ServiceSettings.model_fields):
        assert Settings.model_fields[name].description
        assert f"CARNET_{name.upper()}" in README.read_text(encoding="utf-8")


def test_every_reason_stands_in_the_readme() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (SERVICE / "appointments").rglob("*.py"))
    reasons = set(re.findall(r"Kind\.[A-Z_]+,\s*\"([A-Z_]+)\"", code))
    reasons |= {f"{entity.upper()}_NOT_FOUND" for entity in re.findall(r"not_found\(\"(\w+)\"", code)}
    assert reasons >= {"SLOT_TAKEN", "RESOURCE_NOT_FOUND"}
    readme = README.read_text(encoding="utf-8")
    assert [reason for reason in sorted(reasons) if reason not in readme] == []
