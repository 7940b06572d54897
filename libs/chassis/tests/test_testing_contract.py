"""Each check of a service's contract, on the waitlist's: content with all of it, and failing when one thing lacks."""

from pathlib import Path

import pytest
from carnet.waitlist.v1 import events_pb2, waitlist_pb2_grpc
from pydantic import Field
from toy import VERSIONS, ThingServicer

from chassis.config import ServiceSettings
from chassis.contracts import event_type_of, events_of
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

PACKAGE = "carnet.waitlist.v1"
EVENTS = list(events_of(PACKAGE))
GENERATED = waitlist_pb2_grpc.WaitlistServiceServicer
EVENT = events_pb2.InterestRegistered(interest_id="int_1")


class ToySettings(ServiceSettings):
    """Settings with one more."""

    thing_size: int = Field(1, description="how big a thing is")


class BareSettings(ServiceSettings):
    """Settings with one that nobody explains."""

    thing_size: int = 1


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """Give a folder with a golden file for every event."""
    for kind in EVENTS:
        (tmp_path / f"{event_type_of(kind)}.binpb").write_bytes(b"")
    return tmp_path


def test_an_rpc_that_is_not_implemented_is_named() -> None:
    whole = type("Whole", (GENERATED,), {name: lambda: None for name in dir(GENERATED) if name[0].isupper()})
    assert_rpcs_implemented(f"{PACKAGE}.WaitlistService", whole, GENERATED)
    with pytest.raises(AssertionError, match=r"ThingServicer does not implement .*'AcceptOffer'"):
        assert_rpcs_implemented(f"{PACKAGE}.WaitlistService", ThingServicer, GENERATED)


def test_an_event_that_is_not_said_is_named(golden: Path) -> None:
    assert_events_said(PACKAGE, [kind() for kind in EVENTS], golden)
    with pytest.raises(AssertionError, match=event_type_of(EVENTS[0])):
        assert_events_said(PACKAGE, [kind() for kind in EVENTS[1:]], golden)


def test_a_golden_file_that_is_missing_or_nobodys_is_named(golden: Path) -> None:
    path = golden / f"{event_type_of(EVENTS[0])}.binpb"
    path.rename(golden / "carnet.toy.v1.binpb")
    with pytest.raises(AssertionError, match=rf"carnet\.toy\.v1.*{event_type_of(EVENTS[0])}"):
        assert_events_said(PACKAGE, [kind() for kind in EVENTS], golden)


def test_an_event_that_is_written_differently_fails(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARNET_UPDATE_GOLDEN", raising=False)
    with pytest.raises(AssertionError, match="other bytes"):
        assert_written_as_ever(EVENT, golden)
    (golden / f"{event_type_of(type(EVENT))}.binpb").unlink()
    with pytest.raises(AssertionError, match="is missing"):
        assert_written_as_ever(EVENT, golden)


def test_golden_files_are_written_when_asked_for(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARNET_UPDATE_GOLDEN", "1")
    assert_written_as_ever(EVENT, golden)
    monkeypatch.delenv("CARNET_UPDATE_GOLDEN")
    assert_written_as_ever(EVENT, golden)


def test_a_field_without_a_value_is_named() -> None:
    with pytest.raises(AssertionError, match=r"InterestRegistered lacks .*'client_id'"):
        assert_filled(EVENT)


def test_an_event_without_a_handler_must_be_left_unheard_on_purpose() -> None:
    first, *rest = EVENTS
    assert_heard(EVENTS, [PACKAGE])
    assert_heard(rest, [PACKAGE], unheard={first})
    with pytest.raises(AssertionError, match=event_type_of(first)):
        assert_heard(rest, [PACKAGE])
    with pytest.raises(AssertionError, match=event_type_of(first)):
        assert_heard(EVENTS, [PACKAGE], unheard={first})
    with pytest.raises(AssertionError, match="never said"):
        assert_heard([], [], unheard={first})


def test_two_newest_migrations_fail(tmp_path: Path) -> None:
    assert_one_migration_head(VERSIONS)
    for name in ("0001", "0002"):
        (tmp_path / f"{name}.py").write_text(f'revision = "{name}"\ndown_revision = None\n')
    with pytest.raises(AssertionError, match="has 2 newest versions"):
        assert_one_migration_head(tmp_path)


def test_a_setting_needs_a_description_and_its_whole_name_in_the_readme() -> None:
    assert_settings_documented(ToySettings, "| `CARNET_THING_SIZE` | 1 |")
    with pytest.raises(AssertionError, match="CARNET_THING_SIZE"):
        assert_settings_documented(ToySettings, "| `CARNET_THING_SIZES` | 1 |")
    with pytest.raises(AssertionError, match="without a description: \\['thing_size'\\]"):
        assert_settings_documented(BareSettings, "| `CARNET_THING_SIZE` | 1 |")


def test_reasons_are_found_however_they_are_made_and_wanted_in_the_readme(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "code.py").write_text(
        'ServiceError(Kind.CONFLICT, "THING_TAKEN", ...)\nReason(\n    "THING_LATE")\n'
        'refuse(reason="THING_SHUT")\nnot_found("thing", thing_id)\n'
    )
    reasons = reasons_in(tmp_path)
    assert reasons == {"THING_TAKEN", "THING_LATE", "THING_SHUT", "THING_NOT_FOUND"}
    readme = " ".join(f"`{reason}`" for reason in reasons)
    assert_reasons_documented(reasons, readme)
    for reason in reasons:
        with pytest.raises(AssertionError, match=reason):
            assert_reasons_documented(reasons, readme.replace(f"`{reason}`", reason))
        with pytest.raises(AssertionError, match=reason):
            assert_reasons_documented(reasons, readme.replace(reason, f"{reason}_TOO"), quote="")
    with pytest.raises(AssertionError, match="no reasons were found"):
        assert_reasons_documented(set(), readme)
