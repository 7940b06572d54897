"""Nothing of the contract is left out: RPCs, events, settings, reasons, migrations, error codes."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import messaging_pb2_grpc
from google.protobuf.message import Message as ProtoMessage

from chassis.config import ServiceSettings
from chassis.contracts import event_type_of, events_of, service_named
from chassis.migrations import configuration
from messaging import events
from messaging.bootstrap import VERSIONS
from messaging.config import Settings
from messaging.domain import Change, Direction, Message, PermissionEntry, Purpose, State, Verdict
from messaging.grpc_api import MessagingServicer
from messaging.providers.codes import FAULTS
from messaging.providers.sandbox import MAGIC

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = (SERVICE / "README.md").read_text(encoding="utf-8")
CODE = "".join(path.read_text(encoding="utf-8") for path in sorted((SERVICE / "messaging").rglob("*.py")))
MOMENT = datetime(2026, 3, 10, 18, tzinfo=UTC)

MESSAGE = Message(
    message_id="msg_01kqh1m6q0",
    conversation_id="cnv_01kqh1m6q1",
    store_id="sto_01kqh1m6q2",
    client_id="cli_01kqh1m6q3",
    direction=Direction.OUTBOUND,
    body="not in events",
    state=State.SENT,
    purpose=Purpose.SERVICE,
    segments=2,
    author="not in events",
    created_at=MOMENT,
    updated_at=MOMENT,
    sent_at=MOMENT,
)
CLIENTS = ["cli_01kqh1m6q3", "cli_01kqh1m6q4"]


def entry(change: Change) -> PermissionEntry:
    return PermissionEntry(
        entry_id="prm_01kqh1m6q5",
        phone="not in events",
        purpose=Purpose.MARKETING,
        change=change,
        evidence="not in events",
        source="keyword",
        actor="not in events",
        cause_id="msg_01kqh1m6q0",
        occurred_at=MOMENT,
    )


SAID = [
    events.message_received(MESSAGE),
    events.message_sent(MESSAGE),
    events.message_delivered(MESSAGE),
    events.message_failed(MESSAGE, "30005"),
    events.permission_changed(entry(Change.GRANTED), CLIENTS),
    events.permission_changed(entry(Change.REVOKED), CLIENTS),
]


def test_every_rpc_is_implemented() -> None:
    for method in service_named("carnet.messaging.v1.MessagingService").methods:
        inherited = getattr(messaging_pb2_grpc.MessagingServiceServicer, method.name)
        assert getattr(MessagingServicer, method.name) is not inherited
        assert method.name in README


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    types = {event_type_of(kind) for kind in events_of("carnet.messaging.v1")}
    assert {event_type_of(type(event)) for event in SAID} == types
    assert {path.stem for path in GOLDEN.glob("*.binpb")} == types


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event: ProtoMessage) -> None:
    path = GOLDEN / f"{event_type_of(type(event))}.binpb"
    if os.environ.get("CARNET_UPDATE_GOLDEN") == "1":
        path.write_bytes(event.SerializeToString(deterministic=True))
    assert event.SerializeToString(deterministic=True) == path.read_bytes()
    assert type(event).FromString(path.read_bytes()) == event


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_a_golden_event_has_every_field_filled_and_no_words(event: ProtoMessage) -> None:
    assert {descriptor.name for descriptor, _ in event.ListFields()} == set(event.DESCRIPTOR.fields_by_name)
    assert b"not in events" not in event.SerializeToString()


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (Purpose, pb.Purpose, "PURPOSE"),
        (State, pb.MessageState, "MESSAGE_STATE"),
        (Verdict, pb.Verdict, "VERDICT"),
        (Change, pb.PermissionChange, "PERMISSION_CHANGE"),
        (Direction, pb.Direction, "DIRECTION"),
    ],
)
def test_our_words_are_those_of_the_contract(ours: Any, theirs: Any, prefix: str) -> None:
    assert set(theirs.keys()) == {f"{prefix}_{word}" for word in (*ours, "UNSPECIFIED")}


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory.from_config(configuration(VERSIONS, "")).get_heads()) == 1


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    for name in set(Settings.model_fields) - set(ServiceSettings.model_fields):
        assert Settings.model_fields[name].description
        assert f"CARNET_{name.upper()}" in README


def test_every_reason_stands_in_the_readme() -> None:
    reasons = set(re.findall(r"Kind\.[A-Z_]+,\s*\"([A-Z_]+)\"", CODE))
    reasons |= set(re.findall(r"Reason\(\s*\"([A-Z_]+)\"", CODE))
    reasons |= set(re.findall(r"reason=\"([A-Z_]+)\"", CODE))
    reasons |= {f"{entity.upper()}_NOT_FOUND" for entity in re.findall(r"not_found\(\"(\w+)\"", CODE)}
    assert reasons >= {"PHONE_INVALID", "SENDER_MISSING", "QUIET_HOURS", "MESSAGE_NOT_FOUND"}
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in README] == []


def test_every_magic_number_and_error_code_stands_in_the_readme() -> None:
    assert [code for code in (*MAGIC, *FAULTS) if code not in README] == []
