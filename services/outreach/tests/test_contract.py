"""Nothing of the contract is left out: RPCs, events and their stored bytes, settings, error reasons, migrations."""

from pathlib import Path

import pytest
from carnet.appointments.v1 import events_pb2 as appointments_events
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.outreach.v1 import (
    campaigns_pb2,
    campaigns_pb2_grpc,
    catalogue_pb2_grpc,
    events_pb2,
    outreach_pb2,
    outreach_pb2_grpc,
    reports_pb2,
    reports_pb2_grpc,
)
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.waitlist.v1 import events_pb2 as waitlist_events
from google.protobuf.message import Message
from google.type.date_pb2 import Date

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
from outreach import events
from outreach.bootstrap import VERSIONS
from outreach.config import Settings
from outreach.consumers import handlers
from outreach.grpc_api import (
    CampaignsServicer,
    CatalogueServicer,
    ClientRecordsServicer,
    OutreachServicer,
    ReportsServicer,
)

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = (SERVICE / "README.md").read_text(encoding="utf-8")
PAGES = "".join(page.read_text(encoding="utf-8") for page in sorted((SERVICE / "docs").glob("*.md")))

HEARD = handlers(SystemClock(), Settings.model_construct(nightly_hour=4))
SAID: list[Message] = [
    events_pb2.SuggestionRaised(
        suggestion_id="sug_1",
        client_id="cli_1",
        associate_id="asc_1",
        store_id="sto_1",
        signals=[outreach_pb2.SIGNAL_HIGH_INTENT, outreach_pb2.SIGNAL_OCCASION_AHEAD],
        score=12.5,
        version=1,
    ),
    events_pb2.SuggestionSent(
        suggestion_id="sug_1",
        client_id="cli_1",
        associate_id="asc_1",
        store_id="sto_1",
        message_id="msg_1",
        signals=[outreach_pb2.SIGNAL_VIP_GOING_QUIET],
        version=3,
    ),
    events_pb2.SuggestionDismissed(
        suggestion_id="sug_1", client_id="cli_1", associate_id="asc_1", store_id="sto_1", version=2
    ),
    events_pb2.SuggestionLogged(
        suggestion_id="sug_1",
        client_id="cli_1",
        associate_id="asc_1",
        store_id="sto_1",
        kind=outreach_pb2.CONTACT_KIND_VISIT,
        signals=[outreach_pb2.SIGNAL_CARE_DUE, outreach_pb2.SIGNAL_OCCASION_AHEAD],
        version=4,
    ),
    events_pb2.OutcomeCredited(
        outcome_id="out_1",
        kind=reports_pb2.OUTCOME_KIND_PURCHASE,
        client_id="cli_1",
        store_id="sto_1",
        credits=[
            reports_pb2.Credit(touch_id="tch_1", share=0.25),
            reports_pb2.Credit(touch_id="tch_2", share=0.75),
        ],
        rule_version=2,
        version=3,
    ),
    events_pb2.CampaignFinished(
        campaign_id="cmp_1", state=campaigns_pb2.CAMPAIGN_STATE_FINISHED, recipients=120, sent=110
    ),
    events_pb2.ScoringCompleted(
        as_of_date=Date(year=2026, month=3, day=10),
        model_state=outreach_pb2.PURCHASE_MODEL_STATE_FITTED,
        clients_scored=23570,
        suggestions_raised=300,
    ),
    events.client_forgotten(
        events.erasure_receipt(
            erasure_id="ers_1",
            client_id="cli_1",
            erased={"clients": 2, "purchases": 7, "returns": 1, "suggestions": 3, "visits": 5},
            retained=[("nothing", "an example of what another version may keep", 1)],
        )
    ),
]


def test_every_rpc_is_implemented() -> None:
    generated = outreach_pb2_grpc.OutreachServiceServicer
    assert_rpcs_implemented("carnet.outreach.v1.OutreachService", OutreachServicer, generated)


def test_every_rpc_of_campaigns_is_implemented() -> None:
    generated = campaigns_pb2_grpc.CampaignsServiceServicer
    assert_rpcs_implemented("carnet.outreach.v1.CampaignsService", CampaignsServicer, generated)


def test_the_catalogue_is_served() -> None:
    generated = catalogue_pb2_grpc.CatalogueServiceServicer
    assert_rpcs_implemented("carnet.outreach.v1.CatalogueService", CatalogueServicer, generated)


def test_every_rpc_of_reports_is_implemented() -> None:
    generated = reports_pb2_grpc.ReportsServiceServicer
    assert_rpcs_implemented("carnet.outreach.v1.ReportsService", ReportsServicer, generated)


def test_the_records_of_a_client_are_told() -> None:
    generated = privacy_pb2_grpc.ClientRecordsServiceServicer
    assert_rpcs_implemented("carnet.privacy.v1.ClientRecordsService", ClientRecordsServicer, generated)


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    assert_events_said("carnet.outreach.v1", SAID, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event: Message) -> None:
    assert_written_as_ever(event, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_a_golden_event_has_every_field_filled(event: Message) -> None:
    assert_filled(event)


def test_every_event_that_matters_here_has_a_handler() -> None:
    unheard = {
        profiles_events.ConsentCaptured,  # messaging's matter
        profiles_events.CashAlertRaised,  # the store's own task, no reason to write to anybody
        messaging_events.ClientForgotten,  # a receipt for profiles
        messaging_events.MessageDelivered,  # a text counts from its sending
        messaging_events.PermissionGranted,  # asked of messaging when a text is sent
        messaging_events.PermissionRevoked,
        messaging_events.ConversationAssigned,  # who answers is messaging's matter; an answer is MessageSent
        messaging_events.ConversationChanged,
        messaging_events.SenderStopped,  # its texts wait in messaging
        messaging_events.ReminderCancelled,  # the answer itself is MessageReceived
        messaging_events.CampaignPaused,  # messaging holds the rest of it back
        messaging_events.BulkSendFinished,  # each of its texts is told of by itself
        appointments_events.ClientForgotten,  # receipts for profiles
        waitlist_events.ClientForgotten,
        waitlist_events.PieceReturned,  # it was promised to nobody
    }
    heard_of = ["carnet.profiles.v1", "carnet.messaging.v1", "carnet.appointments.v1", "carnet.waitlist.v1"]
    assert_heard(HEARD, heard_of, unheard=unheard)


def test_every_event_that_is_said_or_heard_stands_in_the_readme() -> None:
    types = [event_type_of(kind) for kind in [*HEARD, *map(type, SAID)]]
    assert [one for one in types if one.removeprefix("carnet.") not in README] == []


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    assert_settings_documented(Settings, README)


def test_every_reason_stands_in_the_readme_or_its_pages() -> None:
    reasons = reasons_in(SERVICE / "outreach")
    assert reasons >= {"SUGGESTION_CLOSED", "SEND_DENIED", "SNOOZE_NOT_AHEAD", "CLIENT_NOT_FOUND"}
    assert_reasons_documented(reasons, README + PAGES)


def test_there_is_one_newest_migration() -> None:
    assert_one_migration_head(VERSIONS)
