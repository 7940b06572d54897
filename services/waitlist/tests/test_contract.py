"""Nothing of the contract is left out: RPCs, events, settings, reasons, migrations."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from carnet.waitlist.v1 import waitlist_pb2_grpc

from chassis.config import ServiceSettings
from chassis.contracts import event_type_of, events_of, service_named
from chassis.migrations import configuration
from waitlist import events
from waitlist.bootstrap import VERSIONS
from waitlist.config import Settings
from waitlist.domain.allocations import Allocation, Piece, PieceState
from waitlist.domain.interests import Interest, InterestState
from waitlist.domain.offers import Offer, OfferState
from waitlist.grpc_api import WaitlistServicer

SERVICE = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
README = SERVICE / "README.md"
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


def test_every_rpc_is_implemented() -> None:
    for method in service_named("carnet.waitlist.v1.WaitlistService").methods:
        inherited = getattr(waitlist_pb2_grpc.WaitlistServiceServicer, method.name)
        assert getattr(WaitlistServicer, method.name) is not inherited


def test_every_event_of_the_contract_is_said_and_has_a_golden_file() -> None:
    types = {event_type_of(kind) for kind in events_of("carnet.waitlist.v1")}
    assert {event_type_of(type(event)) for event in SAID} == types
    assert {path.stem for path in GOLDEN.glob("*.binpb")} == types


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was_and_read_back(event) -> None:
    path = GOLDEN / f"{event_type_of(type(event))}.binpb"
    if os.environ.get("CARNET_UPDATE_GOLDEN") == "1":
        path.write_bytes(event.SerializeToString(deterministic=True))
    assert event.SerializeToString(deterministic=True) == path.read_bytes()
    assert type(event).FromString(path.read_bytes()) == event


@pytest.mark.parametrize("event", SAID, ids=lambda event: type(event).__name__)
def test_a_golden_event_has_every_field_filled_and_says_the_brand(event) -> None:
    body = getattr(event, "offer", event)
    assert {descriptor.name for descriptor, _ in body.ListFields()} == set(body.DESCRIPTOR.fields_by_name)
    assert body.brand_id == "brd_01kqh1m6q4"


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory.from_config(configuration(VERSIONS, "")).get_heads()) == 1


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    for name in set(Settings.model_fields) - set(ServiceSettings.model_fields):
        assert Settings.model_fields[name].description
        assert f"CARNET_{name.upper()}" in README.read_text(encoding="utf-8")


def test_every_reason_stands_in_the_readme() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (SERVICE / "waitlist").rglob("*.py"))
    reasons = set(re.findall(r"Kind\.[A-Z_]+,\s*\"([A-Z_]+)\"", code))
    reasons |= {f"{entity.upper()}_NOT_FOUND" for entity in re.findall(r"not_found\(\"(\w+)\"", code)}
    assert reasons >= {"OFFER_EXPIRED", "REFERENCE_NOT_FOUND"}
    readme = README.read_text(encoding="utf-8")
    assert [reason for reason in sorted(reasons) if reason not in readme] == []
