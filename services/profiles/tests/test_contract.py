"""Nothing of the contract is left out: RPCs, events, consumed events, settings, reasons, migrations."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.profiles.v1 import (
    duplicates_pb2_grpc,
    privacy_pb2_grpc,
    profiles_pb2_grpc,
    records_pb2_grpc,
    segments_pb2_grpc,
    sync_pb2_grpc,
)
from carnet.profiles.v1 import events_pb2 as ev
from carnet.waitlist.v1 import events_pb2 as waitlist_events
from google.protobuf.message import Message

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
from profiles import events
from profiles.config import Settings
from profiles.consumers import timeline_handlers
from profiles.domain.books import Reassignment, Spreading
from profiles.domain.cash_watch import CashAlert, CashAlertState
from profiles.domain.clients import (
    Client,
    ContactKind,
    ContactPoint,
    Occasion,
    OccasionKind,
    OccasionRecurrence,
    PostalAddress,
)
from profiles.domain.consents import Channel, Consent, Purpose
from profiles.domain.directory import Associate, Chain, Store
from profiles.domain.erasures import Erasure, ErasureState
from profiles.domain.exports import OTHER_SERVICES
from profiles.domain.imports import Import, ImportFormat, ImportState, Progress
from profiles.domain.merges import Merge, MergeState
from profiles.domain.pieces import Piece, Purchase, PurchaseLine, Visit, VisitItem
from profiles.domain.preferences import Preference, PreferenceKind
from profiles.domain.relationships import Relationship, RelationshipKind
from profiles.domain.repairs import Intake, Repair, RepairKind, RepairMove, RepairStage
from profiles.domain.returns import Return, ReturnLine
from profiles.domain.surprises import Surprise
from profiles.domain.wishes import Outcome, Wish, WishState
from profiles.grpc_api import (
    DuplicatesServicer,
    PrivacyServicer,
    ProfilesServicer,
    RecordsServicer,
    SegmentsServicer,
    SyncServicer,
)
from profiles.migrations import VERSIONS
from profiles.receipts import receipt_handlers

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = (SERVICE / "README.md").read_text(encoding="utf-8")
PAGES = "".join(page.read_text(encoding="utf-8") for page in sorted((SERVICE / "docs").glob("*.md")))
MOMENT = datetime(2026, 3, 10, 18, 30, 5, tzinfo=UTC)

CLIENT = Client(
    client_id="cli_01kqh1m6q0",
    given_name="not in events",
    family_name="not in events",
    language="en-US",
    time_zone="America/New_York",
    home_store_id="sto_01kqh1m6q1",
    associate_id="asc_01kqh1m6q2",
    source="not in events",
    external_id="not in events",
    version=7,
    created_at=MOMENT,
    updated_at=MOMENT,
    contact_points=(ContactPoint("cpt_01kqh1m6q3", ContactKind.PHONE, "+12025550101"),),
    occasions=(
        Occasion(
            "occ_01kqh1m6q4",
            OccasionKind.BIRTHDAY,
            1990,
            2,
            28,
            "not in events",
            OccasionRecurrence.ONCE,
            30,
            "cli_01kqh1m6qx",
            "rel_01kqh1m6qy",
        ),
    ),
    preferences=(
        Preference(PreferenceKind.METAL, "platinum", "not in events"),
        Preference(PreferenceKind.DISLIKE, "not in events"),
    ),
    secondary_associate_id="asc_01kqh1m6qb",
    nickname="not in events",
    tags=("not in events",),
    address=PostalAddress(("not in events",), "not in events", "NY", "not in events", "US"),
    relationships=(
        Relationship(
            "rel_01kqh1m6qy", RelationshipKind.SPOUSE, "cli_01kqh1m6qx", "not in events", "not in events"
        ),
    ),
)
# Of a zone that is given none is derived: this one shows the derived one.
CLIENT_SOMEWHERE = replace(CLIENT, client_id="cli_01kqh1m6qz", time_zone="")
PIECE = Piece(
    "brd_01kqh1m6q5", "126610LN", "serial: not in events", "watch", "not in events", "steel", "diamond"
)
PURCHASE = Purchase(
    purchase_id="pur_01kqh1m6q6",
    client_id=CLIENT.client_id,
    store_id="sto_01kqh1m6q1",
    associate_id="asc_01kqh1m6q2",
    purchased_on=date(2026, 3, 9),
    currency_code="USD",
    lines=(PurchaseLine(PIECE, 2, 7700), PurchaseLine(PIECE, 1, 1177)),
    occasion_kind=OccasionKind.ENGAGEMENT,
    for_whom="not in events",
    source="pos",
    external_id="not in events",
    created_at=MOMENT,
    recipient_client_id="cli_01kqh1m6qd",
    surprise=Surprise("cli_01kqh1m6qe", date(2026, 4, 1)),
)
VISIT = Visit(
    visit_id="vis_01kqh1m6q7",
    client_id=CLIENT.client_id,
    store_id="sto_01kqh1m6q1",
    associate_id="asc_01kqh1m6q2",
    visited_at=MOMENT,
    items=(VisitItem(PIECE, True), VisitItem(PIECE, False, True)),
    for_whom="not in events",
    needed_by=date(2026, 5, 1),
    note="not in events",
    created_at=MOMENT,
    occasion_kind=OccasionKind.ANNIVERSARY,
    companion="not in events",
    recipient_client_id="cli_01kqh1m6qd",
    surprise=Surprise("cli_01kqh1m6qe", date(2026, 4, 1)),
)
RETURN = Return(
    return_id="ret_01kqh1m6qf",
    purchase_id=PURCHASE.purchase_id,
    client_id=CLIENT.client_id,
    store_id="sto_01kqh1m6q1",
    returned_on=date(2026, 3, 10),
    currency_code="USD",
    lines=(ReturnLine(0, 1, 3850),),
    exchange_purchase_id="pur_01kqh1m6qg",
    reason="not in events",
    created_at=MOMENT,
)
CASH_ALERT = CashAlert(
    "csh_01kqh1m6qh", CLIENT.client_id, "sto_01kqh1m6q1", "US", 1_000_000, "USD", 1_000_001, (), (),
    date(2025, 3, 10), date(2026, 3, 10), CashAlertState.OPEN, MOMENT, closing_note="not in events",
)  # fmt: skip
CONSENT = Consent(
    consent_id="con_01kqh1m6q8",
    client_id=CLIENT.client_id,
    contact_point_id="cpt_01kqh1m6q3",
    contact_value="not in events",
    channel=Channel.SMS,
    purposes=(Purpose.CONVERSATIONAL, Purpose.MARKETING),
    wording="not in events",
    captured_by="asc_01kqh1m6q2",
    captured_at=MOMENT,
    source="not in events",
)
IMPORT = Import(
    "imp_01kqh1m6q9", "pos", "a.csv", ImportFormat.DELIMITED, ",", {}, "sto_01kqh1m6q1", (), ImportState.COMPLETED,
    Progress(clients_created=3, purchases_created=5), "", MOMENT, MOMENT,
)  # fmt: skip
REPAIR = Repair(
    repair_id="rep_01kqh1m6qg",
    client_id=CLIENT.client_id,
    store_id="sto_01kqh1m6q1",
    associate_id="asc_01kqh1m6q2",
    kind=RepairKind.WATCH_SERVICE,
    piece=PIECE,
    intake=Intake(visible_flaws="not in events"),
    scope="not in events",
    price_minor=12000,
    price_currency="USD",
    promised_on=date(2026, 4, 1),
    moves=(
        RepairMove(RepairStage.RECEIVED, MOMENT, "not in events"),
        RepairMove(RepairStage.IN_WORKSHOP, MOMENT, "not in events"),
    ),
    source="not in events",
    external_id="not in events",
    created_at=MOMENT,
    version=4,
    surprise=Surprise("cli_01kqh1m6qh", date(2026, 12, 24)),
)
WISH = Wish(
    wish_id="wsh_01kqh1m6qi",
    client_id=CLIENT.client_id,
    piece=PIECE,
    note="not in events",
    for_whom="not in events",
    created_at=MOMENT,
    outcome=Outcome(WishState.BOUGHT_BY_SOMEBODY, "cli_01kqh1m6qh", True, date(2026, 12, 24)),
    version=3,
)
ERASURE = Erasure(
    "era_01kqh1m6qk", CLIENT.client_id, ("cli_01kqh1m6qm",), ErasureState.RUNNING, "not in events", "not in events",
    MOMENT, MOMENT,
)  # fmt: skip
MERGE = Merge(
    "mrg_01kqh1m6qn", CLIENT.client_id, "cli_01kqh1m6qo", MergeState.MERGED, (), False, "not in events", MOMENT, MOMENT,
)  # fmt: skip
SAID: list[Message] = [
    events.chain_created(Chain("chn_01kqh1m6qa", "not in events", "US", "USD", "America/New_York", MOMENT)),
    events.store_created(Store("sto_01kqh1m6q1", "not in events", "America/New_York", "US", MOMENT)),
    events.associate_created(
        Associate("asc_01kqh1m6q2", "sto_01kqh1m6q1", "not in events", "not in events", True, MOMENT)
    ),
    events.associate_changed(
        Associate("asc_01kqh1m6q2", "sto_01kqh1m6q1", "not in events", "not in events", True, MOMENT, 3)
    ),
    events.client_created(CLIENT),
    events.client_changed(CLIENT),
    events.client_assigned(CLIENT, "asc_01kqh1m6qb"),
    *events.book_reassigned(
        Reassignment("rea_01kqh1m6qc", Spreading("asc_01kqh1m6qb", ("asc_01kqh1m6q2",)), "", "", 0, MOMENT),
        [CLIENT],
    ),
    events.client_deleted(CLIENT.client_id),
    events.purchase_recorded(PURCHASE),
    events.visit_recorded(VISIT),
    events.return_recorded(RETURN),
    events.cash_alert_raised(CASH_ALERT),
    events.repair_moved(REPAIR),
    events.wish_added(WISH),
    events.wish_changed(WISH),
    events.wish_removed(WISH),
    events.consent_captured(CONSENT),
    *events.batches_landed(
        "imp_01kqh1m6q9", [events.client_fact(CLIENT_SOMEWHERE)], [events.purchase_fact(PURCHASE)]
    ),
    events.import_completed(IMPORT),
    events.client_erased(ERASURE),
    events.client_merged(MERGE, CLIENT),
    events.client_unmerged(MERGE, CLIENT, replace(CLIENT, client_id="cli_01kqh1m6qo")),
]


SERVICERS = {
    "ProfilesService": (ProfilesServicer, profiles_pb2_grpc.ProfilesServiceServicer),
    "RecordsService": (RecordsServicer, records_pb2_grpc.RecordsServiceServicer),
    "DuplicatesService": (DuplicatesServicer, duplicates_pb2_grpc.DuplicatesServiceServicer),
    "SegmentsService": (SegmentsServicer, segments_pb2_grpc.SegmentsServiceServicer),
    "SyncService": (SyncServicer, sync_pb2_grpc.SyncServiceServicer),
    "PrivacyService": (PrivacyServicer, privacy_pb2_grpc.PrivacyServiceServicer),
}


@pytest.mark.parametrize("service", SERVICERS)
def test_every_rpc_is_implemented(service: str) -> None:
    servicer, generated = SERVICERS[service]
    assert_rpcs_implemented(f"carnet.profiles.v1.{service}", servicer, generated)


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    assert_events_said("carnet.profiles.v1", SAID, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event: Message) -> None:
    assert_written_as_ever(event, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_a_golden_event_has_every_field_filled_and_no_words(event: Message) -> None:
    assert_filled(event)
    written = event.SerializeToString()
    assert b"not in events" not in written
    assert b"+12025550101" not in written


def test_a_reassigned_book_is_said_in_events_that_the_broker_takes() -> None:
    reassignment = Reassignment("rea_1", Spreading("asc_1", ("asc_2",)), "", "", 0, MOMENT)
    said = events.book_reassigned(reassignment, [CLIENT] * 700)
    assert [len(event.clients) for event in said] == [500, 200]
    celebrating = replace(CLIENT, occasions=CLIENT.occasions * 100)
    said = events.book_reassigned(reassignment, [celebrating] * 400)
    assert sum(len(event.clients) for event in said) == 400
    assert max(event.ByteSize() for event in said) < 600 * 1024


def test_a_batch_event_holds_at_most_500_clients_and_500_purchases() -> None:
    landed = events.batches_landed("imp_1", [ev.ClientFact()] * 700, [ev.PurchaseFact()] * 1001)
    assert [(len(event.clients), len(event.purchases)) for event in landed] == [
        (500, 500),
        (200, 500),
        (0, 1),
    ]


def test_the_timeline_hears_of_messages_appointments_and_the_waitlist() -> None:
    packages = ["carnet.messaging.v1", "carnet.appointments.v1", "carnet.waitlist.v1"]
    unheard = {
        messaging_events.MessageDelivered,  # the line says that it was sent
        messaging_events.PermissionGranted,  # the consent has its own line
        messaging_events.ConversationAssigned,  # who sees to a conversation is no story of the client's
        messaging_events.ConversationChanged,
        messaging_events.SenderStopped,  # no client's
        messaging_events.ReminderCancelled,  # the answer has its own line
        messaging_events.CampaignPaused,  # no client's
        messaging_events.BulkSendFinished,  # each of its texts has its own line
        waitlist_events.AllocationReceived,  # no client's yet
        waitlist_events.PieceReturned,
        *(kind for kind in receipt_handlers() if kind.DESCRIPTOR.file.package in packages),
    }
    assert_heard(timeline_handlers(), packages, unheard=unheard)


def test_the_receipts_of_every_other_service_are_heard() -> None:
    said = {kind.DESCRIPTOR.full_name for kind in receipt_handlers()}
    assert said == {f"carnet.{service}.v1.ClientForgotten" for service in OTHER_SERVICES}


def test_there_is_one_newest_migration() -> None:
    assert_one_migration_head(VERSIONS)


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    assert_settings_documented(Settings, README)


def test_every_reason_stands_in_the_pages_of_the_service() -> None:
    reasons = reasons_in(SERVICE / "profiles")
    faults = "".join(
        (SERVICE / "profiles" / name).read_text(encoding="utf-8")
        for name in ("domain/import_rows.py", "domain/import_lines.py", "use_cases/landing.py")
    )
    reasons |= {
        word for word in re.findall(r"\"([A-Z]+(?:_[A-Z]+)+)\"", faults) if not word.startswith("PURPOSE_")
    }
    assert reasons >= {"CLIENT_AMBIGUOUS", "CONSENT_NOT_FOUND", "LINE_TOO_LONG", "FIELD_UNKNOWN"}
    assert_reasons_documented(reasons, README + PAGES, quote="")
