"""Checks that a service leaves nothing of its contract out: RPCs, events, settings, reasons, migrations.

Each asserts one thing for the data that a service's tests/test_contract.py gives it. Must not know any service, nor be
imported outside of tests.
"""

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from alembic.script import ScriptDirectory
from google.protobuf.message import Message

from chassis.config import ServiceSettings
from chassis.contracts import event_type_of, events_of, service_named
from chassis.migrations import configuration

_REASONS = (r"Kind\.[A-Z_]+,\s*\"([A-Z_]+)\"", r"Reason\(\s*\"([A-Z_]+)\"", r"reason=\"([A-Z_]+)\"")
_MISSING_ENTITIES = r"not_found\(\s*\"(\w+)\""


def assert_rpcs_implemented(service: str, servicer: type, generated: type) -> None:
    """Assert that `servicer` has an own method for every RPC of a service such as `carnet.waitlist.v1.WaitlistService`.

    `generated` is the class from the contract, whose methods only answer UNIMPLEMENTED.
    """
    names = [method.name for method in service_named(service).methods]
    absent = [name for name in names if getattr(servicer, name, None) in (None, getattr(generated, name))]
    assert not absent, f"{servicer.__name__} does not implement {absent}"


def assert_events_said(package: str, said: Iterable[Message], golden: Path) -> None:
    """Assert that the events of a package such as `carnet.waitlist.v1` are those said, and those with a golden file."""
    types = {event_type_of(kind) for kind in events_of(package)}
    spoken = {event_type_of(type(event)) for event in said}
    assert spoken == types, _difference("the examples", spoken, f"the events of {package}", types)
    kept = {path.stem for path in golden.glob("*.binpb")}
    assert kept == types, _difference("the golden files", kept, f"the events of {package}", types)


def assert_written_as_ever(event: Message, golden: Path) -> None:
    """Assert that today's code writes the bytes of the event's golden file, and reads the event out of them.

    `CARNET_UPDATE_GOLDEN=1` writes the file first.
    """
    path = golden / f"{event_type_of(type(event))}.binpb"
    written = event.SerializeToString(deterministic=True)
    if os.environ.get("CARNET_UPDATE_GOLDEN") == "1":
        path.write_bytes(written)
    assert path.exists(), (
        f"{path.name} is missing: write it with CARNET_UPDATE_GOLDEN=1, look at it, commit it"
    )
    stored = path.read_bytes()
    assert written == stored, f"{path.name} holds other bytes than are written today"
    read = type(event).FromString(stored)
    assert read == event, f"{path.name} is read as another event:\n{read}"
    assert read.SerializeToString(deterministic=True) == stored, f"{path.name} changes when it is read"


def assert_filled(message: Message) -> None:
    """Assert that every field of an example has a value, so that its golden file keeps every field readable."""
    empty = set(message.DESCRIPTOR.fields_by_name) - {field.name for field, _ in message.ListFields()}
    assert not empty, f"the example of {message.DESCRIPTOR.full_name} lacks {sorted(empty)}"


def assert_heard(
    handled: Iterable[type[Message]], packages: Iterable[str], *, unheard: Collection[type[Message]] = ()
) -> None:
    """Assert that exactly the events of the packages have a handler, but for those left `unheard` on purpose."""
    heard = {event_type_of(kind) for kind in handled}
    ignored = {event_type_of(kind) for kind in unheard}
    there = {event_type_of(kind) for package in packages for kind in events_of(package)}
    assert not ignored - there, f"left unheard, but never said: {sorted(ignored - there)}"
    assert heard == there - ignored, _difference("what is handled", heard, "what is said", there - ignored)


def assert_one_migration_head(versions: Path) -> None:
    """Assert that a service's folder of migrations has one newest version."""
    heads = ScriptDirectory.from_config(configuration(versions, "")).get_heads()
    assert len(heads) == 1, f"{versions} has {len(heads)} newest versions: {heads}"


def assert_settings_documented(settings: type[ServiceSettings], readme: str) -> None:
    """Assert that every setting has a description, and that the service's own ones stand in its README."""
    bare = [name for name, field in settings.model_fields.items() if not field.description]
    assert not bare, f"settings without a description: {bare}"
    own = set(settings.model_fields) - set(ServiceSettings.model_fields) | set(settings.__annotations__)
    variables = [f"CARNET_{name.upper()}" for name in sorted(own)]
    untold = [variable for variable in variables if not _has_word(readme, variable)]
    assert not untold, f"settings that the README does not name: {untold}"


def reasons_in(package: Path) -> set[str]:
    """Return the reasons of all errors that the Python files below a folder make."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py")))
    reasons = {reason for pattern in _REASONS for reason in re.findall(pattern, code)}
    return reasons | {f"{entity.upper()}_NOT_FOUND" for entity in re.findall(_MISSING_ENTITIES, code)}


def assert_reasons_documented(reasons: Collection[str], readme: str, *, quote: str = "`") -> None:
    """Assert that every reason stands in the README, each between two `quote`s."""
    assert reasons, "no reasons were found; were they looked for in the right folder?"
    untold = [reason for reason in sorted(reasons) if not _has_word(readme, reason, quote)]
    assert not untold, f"reasons that the README does not name as {quote}REASON{quote}: {untold}"


def _has_word(text: str, word: str, quote: str = "") -> bool:
    return re.search(rf"{re.escape(quote)}(?<!\w){re.escape(word)}(?!\w){re.escape(quote)}", text) is not None


def _difference(ours: str, these: set[str], theirs: str, those: set[str]) -> str:
    return f"only among {ours}: {sorted(these - those)}; only among {theirs}: {sorted(those - these)}"
