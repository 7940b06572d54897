"""The state survives, stays private, and yields to whoever has a port."""

from __future__ import annotations

import json
import os
import socket
import stat
from dataclasses import asdict, replace
from pathlib import Path

import jwt
import pytest
from cryptography.fernet import Fernet

from carnet_local.databases import ServiceDatabase
from carnet_local.errors import LocalFailure
from carnet_local.ports import free_port, is_free
from carnet_local.servers import Servers
from carnet_local.services import SERVICES, Endpoints, environment_of
from carnet_local.stamps import Stamps, schema_stamp
from carnet_local.state import open_state, read_state, save_state


def test_a_second_opening_finds_the_same_state(tmp_path: Path) -> None:
    assert open_state(tmp_path / ".carnet") == open_state(tmp_path / ".carnet")


def test_only_the_owner_may_read_the_state(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_state(tmp_path / ".carnet")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / ".carnet").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".carnet" / "state.json").stat().st_mode) == 0o600


def test_what_an_older_state_lacks_is_added_and_the_rest_kept(tmp_path: Path) -> None:
    whole = open_state(tmp_path)
    older = replace(whole, passwords={"postgres": whole.passwords["postgres"]}, signing_keys={})
    save_state(tmp_path, older)
    raw = json.loads((tmp_path / "state.json").read_text())
    del raw["suppression_key"], raw["connector_key"]
    (tmp_path / "state.json").write_text(json.dumps(raw))
    again = open_state(tmp_path)
    assert len(again.suppression_key) >= 32
    Fernet(again.connector_key)
    assert again.passwords.keys() == whole.passwords.keys()
    assert again.passwords["postgres"] == whole.passwords["postgres"]
    assert again.signing_keys.keys() == whole.signing_keys.keys()


def test_a_broken_state_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(LocalFailure, match="make reset"):
        open_state(tmp_path)


def test_taken_ports_are_avoided_and_free_ones_remembered(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        wanted = free_port()
        state = replace(state, ports=state.ports | {"gateway_http": taken, "nats": wanted})
        chosen = state.with_free_ports().ports
    assert chosen["gateway_http"] != taken
    assert chosen["nats"] == wanted
    assert is_free(chosen["gateway_http"])
    assert len(set(chosen.values())) == len(chosen)


def test_a_token_signed_by_one_service_verifies_with_the_shared_key_set(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    key = jwt.PyJWK(state.signing_keys["gateway"])
    token = jwt.encode({"sub": "asc_1"}, key, headers={"kid": "gateway"})
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(state.caller_keys).keys}
    assert set(keys) == set(SERVICES)
    assert jwt.decode(token, keys["gateway"], algorithms=["EdDSA"]) == {"sub": "asc_1"}
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, keys["profiles"], algorithms=["EdDSA"])
    assert "d" not in json.dumps([sorted(key) for key in state.caller_keys["keys"]]).replace("kid", "")
    Fernet(state.encryption_key)


def test_each_service_gets_its_own_secrets_and_no_others(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    endpoints = Endpoints.choose(Servers.at(tmp_path, state.server_settings(), durable=True), {})
    database = ServiceDatabase("postgresql://owner", "postgresql://runtime")
    for service in SERVICES:
        environment = environment_of(
            service, state=state, directory=tmp_path, endpoints=endpoints, database=database
        )
        text = json.dumps(environment)
        assert environment["CARNET_DATABASE_URL"] == "postgresql://runtime"
        assert ("CARNET_ENCRYPTION_KEY" in environment) == (service in ("gateway", "profiles"))
        assert ("CARNET_SUPPRESSION_KEY" in environment) == (service in ("profiles", "messaging"))
        assert state.passwords["postgres"] not in text
        assert state.operator_key not in text
        for other in SERVICES:
            assert (state.signing_keys[other]["d"] in text) == (other == service)
            assert (state.passwords[f"nats.{other}"] in text) == (other == service)


def test_the_developers_own_servers_are_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = open_state(tmp_path)
    servers = Servers.at(tmp_path, state.server_settings(), durable=True)
    own = {"CARNET_POSTGRES_URL": "postgresql://super@db", "CARNET_NATS_URL": "nats://mine"}
    endpoints = Endpoints.choose(servers, own)
    assert endpoints.external == {"postgres", "nats"}
    assert endpoints.valkey_url == servers.valkey_url
    for name, url in own.items():
        monkeypatch.setenv(name, url)
    environment = environment_of(
        "waitlist",
        state=state,
        directory=tmp_path,
        endpoints=endpoints,
        database=ServiceDatabase("owner", "runtime"),
    )
    assert environment["CARNET_NATS_URL"] == "nats://mine"
    assert "CARNET_POSTGRES_URL" not in environment


def test_an_interrupted_save_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_state(tmp_path)

    def fail(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        save_state(tmp_path, replace(before, seeded=True))
    after = read_state(tmp_path)
    assert after is not None
    assert asdict(after) == asdict(before)


def test_a_schema_is_stamped_by_its_scripts_and_its_database(tmp_path: Path) -> None:
    first = schema_stamp("waitlist", "721/16384")
    assert first
    assert first == schema_stamp("waitlist", "721/16384")
    assert first != schema_stamp("waitlist", "722/16384")
    stamps = Stamps(tmp_path / "migrated.json")
    assert not stamps.has("waitlist", first)
    stamps.put("waitlist", first)
    assert Stamps(tmp_path / "migrated.json").has("waitlist", first)


def test_a_service_without_scripts_is_migrated_every_time(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "migrated.json")
    stamp = schema_stamp("no_such_service", "721/16384")
    stamps.put("no_such_service", stamp)
    assert not stamps.has("no_such_service", stamp)
