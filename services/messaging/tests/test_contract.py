"""Nothing of the contract is left out: RPCs, events, settings, reasons, migrations, error codes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profile_events
from google.protobuf.message import Message as ProtoMessage

from chassis.clock import SystemClock
from chassis.contracts import event_type_of, service_named
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
from messaging import events
from messaging.bootstrap import SERVICERS, VERSIONS
from messaging.config import Settings
from messaging.consumers import handlers
from messaging.domain import (
    Change,
    Channel,
    Conversation,
    ConversationState,
    Direction,
    Likelihood,
    Message,
    PermissionEntry,
    Purpose,
    ReviewState,
    Sender,
    SenderState,
    State,
    Verdict,
)
from messaging.grpc_api import ClientRecordsServicer
from messaging.providers.codes import FAULTS
from messaging.providers.sandbox import MAGIC
from messaging.suppression import Suppressor

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = (SERVICE / "README.md").read_text(encoding="utf-8")
PAGES = "".join(page.read_text(encoding="utf-8") for page in sorted((SERVICE / "docs").glob("*.md")))
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
    author="asc_01kqh1m6q4",
    created_at=MOMENT,
    updated_at=MOMENT,
    sent_at=MOMENT,
    campaign_id="cmp_01kqh1m6q7",
)
CONVERSATION = Conversation(
    conversation_id="cnv_01kqh1m6q1",
    store_id="sto_01kqh1m6q2",
    sender_id="snd_01kqh1m6q8",
    client_phone="not in events",
    client_ids=("cli_01kqh1m6q3",),
    unread_count=0,
    last_message_time=MOMENT,
    created_at=MOMENT,
    assignee_id="asc_01kqh1m6q4",
)
SENDER = Sender("snd_01kqh1m6q8", "sto_01kqh1m6q2", "not in events", "not in events", MOMENT)
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
    events.conversation_assigned(CONVERSATION, former_assignee_id="asc_01kqh1m6q9", actor="asc_01kqh1m6qa"),
    events.conversation_changed(CONVERSATION),
    events.sender_stopped(SENDER, error_code="30034"),
    events.reminder_cancelled(MESSAGE, "apt_01kqh1m6qb"),
    events.campaign_paused("cmp_01kqh1m6q7", sent_count=400, opt_out_count=12),
    events.bulk_send_finished(
        bulk_send_id="blk_01kqh1m6qc", store_id="sto_01kqh1m6q2", sent=390, denied=7, failed=2, cancelled=1
    ),
    events.message_received(MESSAGE, media_count=1),
    events.message_sent(MESSAGE),
    events.message_delivered(MESSAGE),
    events.message_failed(MESSAGE, "30005"),
    events.permission_changed(entry(Change.GRANTED), CLIENTS),
    events.permission_changed(entry(Change.REVOKED), CLIENTS),
    events.client_forgotten(
        events.erasure_receipt(
            erasure_id="ers_01kqh1m6q6",
            client_id="cli_01kqh1m6q3",
            erased={"conversations": 1, "messages": 12, "numbers": 2, "permission_entries": 4},
            retained=[("permission_ledger", "keyed hash of a number that asked for silence", 3)],
        )
    ),
]
HEARD = handlers(
    database=cast(Any, None), profiles=cast(Any, None), clock=SystemClock(), suppressor=Suppressor("k" * 32)
)


@pytest.mark.parametrize("name", SERVICERS)
def test_every_rpc_is_implemented(name: str) -> None:
    servicer = cast(type, SERVICERS[name][1])
    generated = next(kind for kind in servicer.__mro__[1:] if kind.__name__ == f"{name}Servicer")
    assert_rpcs_implemented(f"carnet.messaging.v1.{name}", servicer, generated)


def test_the_records_of_a_client_are_told() -> None:
    generated = privacy_pb2_grpc.ClientRecordsServiceServicer
    assert_rpcs_implemented("carnet.privacy.v1.ClientRecordsService", ClientRecordsServicer, generated)


def test_every_event_that_matters_here_has_a_handler() -> None:
    unheard = {
        profile_events.ChainCreated,  # a sender names its chain
        profile_events.StoreCreated,  # asked of profiles when a store is given a number
        profile_events.AssociateCreated,  # who writes is in the call
        profile_events.AssociateChanged,
        profile_events.ClientCreated,  # numbers and zone are asked of profiles when a text is written
        profile_events.ClientChanged,
        profile_events.ClientAssigned,  # a conversation belongs to the store
        profile_events.BookReassigned,
        profile_events.ImportBatchLanded,
        profile_events.ImportCompleted,
        profile_events.PurchaseRecorded,  # what a client bought decides nothing about a text
        profile_events.ReturnRecorded,
        profile_events.VisitRecorded,
        profile_events.RepairMoved,
        profile_events.WishAdded,
        profile_events.WishChanged,
        profile_events.WishRemoved,
        profile_events.CashAlertRaised,
    }
    assert_heard(HEARD, ["carnet.profiles.v1"], unheard=unheard)


def test_every_event_that_is_heard_stands_in_the_readme() -> None:
    assert [event_type_of(kind) for kind in HEARD if event_type_of(kind) not in README] == []


@pytest.mark.parametrize("name", SERVICERS)
def test_every_rpc_stands_in_the_readme_or_its_pages(name: str) -> None:
    methods = service_named(f"carnet.messaging.v1.{name}").methods
    assert [method.name for method in methods if method.name not in README + PAGES] == []


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    assert_events_said("carnet.messaging.v1", SAID, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event: ProtoMessage) -> None:
    assert_written_as_ever(event, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_a_golden_event_has_every_field_filled_and_no_words(event: ProtoMessage) -> None:
    assert_filled(event)
    assert b"not in events" not in event.SerializeToString()


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (Purpose, pb.Purpose, "PURPOSE"),
        (State, pb.MessageState, "MESSAGE_STATE"),
        (Verdict, pb.Verdict, "VERDICT"),
        (Change, pb.PermissionChange, "PERMISSION_CHANGE"),
        (Direction, pb.Direction, "DIRECTION"),
        (Likelihood, pb.RevocationLikelihood, "REVOCATION_LIKELIHOOD"),
        (Channel, pb.Channel, "CHANNEL"),
        (ConversationState, pb.ConversationState, "CONVERSATION_STATE"),
        (SenderState, pb.SenderState, "SENDER_STATE"),
        (ReviewState, pb.PermissionReviewState, "PERMISSION_REVIEW_STATE"),
    ],
)
def test_our_words_are_those_of_the_contract(ours: Any, theirs: Any, prefix: str) -> None:
    assert set(theirs.keys()) == {f"{prefix}_{word}" for word in (*ours, "UNSPECIFIED")}


def test_there_is_one_newest_migration() -> None:
    assert_one_migration_head(VERSIONS)


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    assert_settings_documented(Settings, README)


def test_every_reason_stands_in_the_readme() -> None:
    reasons = reasons_in(SERVICE / "messaging")
    assert reasons >= {"PHONE_INVALID", "SENDER_MISSING", "QUIET_HOURS", "MESSAGE_NOT_FOUND"}
    assert_reasons_documented(reasons, README + PAGES, quote="")


def test_every_magic_number_and_error_code_stands_in_the_readme() -> None:
    assert [code for code in (*MAGIC, *FAULTS) if code not in README + PAGES] == []
