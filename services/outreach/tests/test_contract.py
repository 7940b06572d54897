"""Nothing of the contract is left out: RPCs, events and their stored bytes, settings, error reasons, migrations."""

import os
import re
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.outreach.v1 import events_pb2, outreach_pb2, outreach_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profiles_events
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from chassis.clock import SystemClock
from chassis.config import ServiceSettings
from chassis.contracts import event_type_of, events_of, service_named
from chassis.migrations import configuration
from outreach.bootstrap import VERSIONS
from outreach.config import Settings
from outreach.consumers import handlers
from outreach.grpc_api import OutreachServicer

FOLDER = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = (FOLDER / "README.md").read_text(encoding="utf-8")

SAMPLES: dict[type[Message], Message] = {
    events_pb2.SuggestionRaised: events_pb2.SuggestionRaised(
        suggestion_id="sug_1",
        client_id="cli_1",
        associate_id="asc_1",
        store_id="sto_1",
        signals=[outreach_pb2.SIGNAL_HIGH_INTENT, outreach_pb2.SIGNAL_OCCASION_AHEAD],
        score=12.5,
        version=1,
    ),
    events_pb2.SuggestionSent: events_pb2.SuggestionSent(
        suggestion_id="sug_1",
        client_id="cli_1",
        associate_id="asc_1",
        store_id="sto_1",
        message_id="msg_1",
        signals=[outreach_pb2.SIGNAL_VIP_GOING_QUIET],
        version=3,
    ),
    events_pb2.SuggestionDismissed: events_pb2.SuggestionDismissed(
        suggestion_id="sug_1", client_id="cli_1", associate_id="asc_1", store_id="sto_1", version=2
    ),
    events_pb2.ScoringCompleted: events_pb2.ScoringCompleted(
        as_of_date=Date(year=2026, month=3, day=10),
        model_state=outreach_pb2.PURCHASE_MODEL_STATE_FITTED,
        clients_scored=23570,
        suggestions_raised=300,
    ),
}


@pytest.mark.parametrize("kind", list(events_of("carnet.outreach.v1")), ids=lambda kind: kind.__name__)
def test_todays_code_reads_the_stored_event_and_writes_the_same_bytes(kind):
    sample = SAMPLES[kind]
    assert all(field in {f for f, _ in sample.ListFields()} for field in kind.DESCRIPTOR.fields)
    path = GOLDEN / f"{event_type_of(kind)}.binpb"
    if os.environ.get("CARNET_UPDATE_GOLDEN") == "1":
        path.write_bytes(sample.SerializeToString(deterministic=True))
    stored = path.read_bytes()
    assert kind.FromString(stored) == sample
    assert kind.FromString(stored).SerializeToString(deterministic=True) == stored


def test_every_rpc_is_implemented():
    for method in service_named("carnet.outreach.v1.OutreachService").methods:
        ours = getattr(OutreachServicer, method.name)
        assert ours is not getattr(outreach_pb2_grpc.OutreachServiceServicer, method.name), method.name


def test_every_consumed_event_has_a_handler_and_stands_in_the_readme():
    table = handlers(SystemClock(), Settings.model_construct(nightly_hour=4))
    unheard = {
        profiles_events.StoreCreated,  # a client's day is the chain's
        profiles_events.ConsentCaptured,  # messaging's matter
        profiles_events.AssociateChanged,  # who left keeps the book until it is reassigned
    }
    assert set(events_of("carnet.profiles.v1")) - set(table) == unheard
    assert {messaging_events.MessageSent, messaging_events.MessageReceived} <= set(table)
    for kind in [*table, *SAMPLES]:
        assert event_type_of(kind).removeprefix("carnet.") in README, kind


def test_every_setting_is_described_and_stands_in_the_readme():
    for name, field in Settings.model_fields.items():
        assert field.description
        if name not in ServiceSettings.model_fields:
            assert f"CARNET_{name.upper()}" in README


def test_every_error_reason_stands_in_the_readme():
    code = "\n".join(path.read_text(encoding="utf-8") for path in (FOLDER / "outreach").rglob("*.py"))
    reasons = set(re.findall(r"Kind\.[A-Z_]+,\s*\"([A-Z_]+)\"", code))
    reasons |= {f"{entity.upper()}_NOT_FOUND" for entity in re.findall(r"not_found\(\"(\w+)\"", code)}
    assert {"SUGGESTION_CLOSED", "SEND_DENIED", "SNOOZE_NOT_AHEAD", "CLIENT_NOT_FOUND"} <= reasons
    assert {reason for reason in reasons if f"`{reason}`" not in README} == set()


def test_there_is_one_migration_head():
    assert len(ScriptDirectory.from_config(configuration(VERSIONS, "")).get_heads()) == 1
