"""Nothing of the contract is left out: RPCs, events, settings, reasons, migrations."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from carnet.appointments.v1 import appointments_pb2_grpc
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profiles
from google.protobuf.message import Message

from appointments import events
from appointments.bootstrap import VERSIONS
from appointments.config import Settings
from appointments.consumers import subscriptions
from appointments.domain.appointments import Appointment, AppointmentState
from appointments.domain.hours import Interval
from appointments.grpc_api import AppointmentsServicer, ClientRecordsServicer
from chassis.clock import SystemClock
from chassis.contracts import event_type_of
from chassis.testing_contract import (
    assert_events_said,
    assert_filled,
    assert_heard,
    assert_one_migration_head,
    assert_reasons_documented,
    assert_rpcs_implemented,
    assert_settings_documented,
    assert_written_as_ever,
    reasons_in,
)

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = (SERVICE / "README.md").read_text(encoding="utf-8")

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
FORGOTTEN = events.client_forgotten(
    events.erasure_receipt(
        erasure_id="ers_01kqh1m6qf3v1e5g6h7j8k9m0t",
        client_id="cli_01kqh1m6qf3v1e5g6h7j8k9m0q",
        erased={"appointments": 4, "cancelled_appointments": 1},
        retained=[("nothing", "an example of what another version may keep", 1)],
    )
)


def test_every_rpc_is_implemented() -> None:
    generated = appointments_pb2_grpc.AppointmentsServiceServicer
    assert_rpcs_implemented("carnet.appointments.v1.AppointmentsService", AppointmentsServicer, generated)


def test_the_records_of_a_client_are_told() -> None:
    generated = privacy_pb2_grpc.ClientRecordsServiceServicer
    assert_rpcs_implemented("carnet.privacy.v1.ClientRecordsService", ClientRecordsServicer, generated)


def test_the_receipt_of_an_erasure_has_every_field_filled() -> None:
    assert_filled(FORGOTTEN)
    assert_filled(FORGOTTEN.receipt)


def test_every_event_that_matters_here_has_a_handler_and_stands_in_the_readme() -> None:
    [subscription] = subscriptions(SystemClock())
    unheard = {
        profiles.ChainCreated,  # a store sets its own hours
        profiles.StoreCreated,
        profiles.AssociateCreated,  # becomes bookable when somebody makes the associate a resource
        profiles.ClientCreated,  # an appointment knows of a client the id, nothing else
        profiles.ClientChanged,
        profiles.ClientAssigned,
        profiles.BookReassigned,  # what is booked stays with whom it was booked
        profiles.ClientDeleted,  # created by mistake: whoever booked for it cancels
        profiles.PurchaseRecorded,
        profiles.ReturnRecorded,
        profiles.VisitRecorded,
        profiles.RepairMoved,
        profiles.WishAdded,
        profiles.WishChanged,
        profiles.WishRemoved,
        profiles.CashAlertRaised,
        profiles.ConsentCaptured,
        profiles.ImportBatchLanded,
        profiles.ImportCompleted,
    }
    assert_heard(subscription.handlers, ["carnet.profiles.v1"], unheard=unheard)
    assert [event_type_of(kind) for kind in subscription.handlers if event_type_of(kind) not in README] == []


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    assert_events_said("carnet.appointments.v1", [*SAID, FORGOTTEN], GOLDEN)


@pytest.mark.parametrize("event", [*SAID, FORGOTTEN], ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event: Message) -> None:
    assert_written_as_ever(event, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_a_golden_event_has_every_field_filled(event: Message) -> None:
    assert_filled(event)
    assert_filled(event.appointment)


def test_there_is_one_newest_migration() -> None:
    assert_one_migration_head(VERSIONS)


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    assert_settings_documented(Settings, README)


def test_every_reason_stands_in_the_readme() -> None:
    reasons = reasons_in(SERVICE / "appointments")
    assert reasons >= {"SLOT_TAKEN", "RESOURCE_NOT_FOUND"}
    assert_reasons_documented(reasons, README)
