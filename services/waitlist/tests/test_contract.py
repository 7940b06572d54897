"""Nothing of the contract is left out: RPCs, events, settings, reasons, migrations."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.waitlist.v1 import waitlist_pb2_grpc
from google.protobuf.message import Message

from chassis.testing_contract import (
    assert_events_said,
    assert_filled,
    assert_one_migration_head,
    assert_reasons_documented,
    assert_rpcs_implemented,
    assert_settings_documented,
    assert_written_as_ever,
    reasons_in,
)
from waitlist import events
from waitlist.bootstrap import VERSIONS
from waitlist.config import Settings
from waitlist.domain.allocations import Allocation, Piece, PieceState
from waitlist.domain.interests import Interest, InterestState
from waitlist.domain.offers import Offer, OfferState
from waitlist.grpc_api import ClientRecordsServicer, WaitlistServicer

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = (SERVICE / "README.md").read_text(encoding="utf-8")
MOMENT = datetime(2026, 3, 10, 18, tzinfo=UTC)

PIECE = Piece("pce_01kqh1m6q0", "alc_01kqh1m6q1", "7X3K9021", PieceState.HELD, "off_01kqh1m6q2", version=4)
ALLOCATION = Allocation(
    "alc_01kqh1m6q1", "ref_01kqh1m6q3", "126610LN", "brd_01kqh1m6q4", "sto_01kqh1m6q5", MOMENT, (PIECE, PIECE)
)
INTEREST = Interest(
    interest_id="int_01kqh1m6q6",
    reference_id="ref_01kqh1m6q3",
    brand_id="brd_01kqh1m6q4",
    client_id="cli_01kqh1m6q7",
    store_id="sto_01kqh1m6q5",
    state=InterestState.WAITING,
    wording="not in events",
    purpose="not in events",
    registered_at=MOMENT,
)
OFFER = Offer(
    offer_id="off_01kqh1m6q2",
    allocation_id="alc_01kqh1m6q1",
    reference_id="ref_01kqh1m6q3",
    reference_code="126610LN",
    brand_id="brd_01kqh1m6q4",
    store_id="sto_01kqh1m6q5",
    piece_id="pce_01kqh1m6q0",
    serial="7X3K9021",
    interest_id="int_01kqh1m6q6",
    client_id="cli_01kqh1m6q7",
    state=OfferState.OPEN,
    made_at=MOMENT,
    expires_at=MOMENT,
    answered_at=None,
    policy_version=2,
)
SAID = [
    events.interest_registered(INTEREST),
    events.interest_withdrawn(INTEREST),
    events.allocation_received(ALLOCATION),
    events.offer_made(OFFER, PIECE),
    events.offer_accepted(OFFER, PIECE),
    events.offer_declined(OFFER, PIECE),
    events.offer_expired(OFFER, PIECE),
    events.piece_sold(OFFER, PIECE),
    events.piece_returned(PIECE, ALLOCATION),
]
FORGOTTEN = events.client_forgotten(
    events.erasure_receipt(
        erasure_id="ers_01kqh1m6q8",
        client_id="cli_01kqh1m6q7",
        erased={"interests": 2, "offers": 1, "standings": 1},
        retained=[("allocation_decisions", "proof that scarce pieces were given fairly", 3)],
    )
)


def test_every_rpc_is_implemented() -> None:
    generated = waitlist_pb2_grpc.WaitlistServiceServicer
    assert_rpcs_implemented("carnet.waitlist.v1.WaitlistService", WaitlistServicer, generated)


def test_the_records_of_a_client_are_told() -> None:
    generated = privacy_pb2_grpc.ClientRecordsServiceServicer
    assert_rpcs_implemented("carnet.privacy.v1.ClientRecordsService", ClientRecordsServicer, generated)


def test_the_receipt_of_an_erasure_has_every_field_filled() -> None:
    assert_filled(FORGOTTEN)
    assert_filled(FORGOTTEN.receipt)


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    assert_events_said("carnet.waitlist.v1", [*SAID, FORGOTTEN], GOLDEN)


@pytest.mark.parametrize("event", [*SAID, FORGOTTEN], ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event: Message) -> None:
    assert_written_as_ever(event, GOLDEN)


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_a_golden_event_has_every_field_filled_and_says_the_brand(event: Message) -> None:
    body = getattr(event, "offer", event)
    assert_filled(event)
    assert_filled(body)
    assert body.brand_id == "brd_01kqh1m6q4"


def test_there_is_one_newest_migration() -> None:
    assert_one_migration_head(VERSIONS)


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    assert_settings_documented(Settings, README)


def test_every_reason_stands_in_the_readme() -> None:
    reasons = reasons_in(SERVICE / "waitlist")
    assert reasons >= {"OFFER_EXPIRED", "REFERENCE_NOT_FOUND"}
    assert_reasons_documented(reasons, README)
