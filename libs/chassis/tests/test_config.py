"""Configuration: every fault at once, secrets from files, nothing given away."""

from pathlib import Path

import pytest

from chassis.config import ConfigError, ServiceSettings, load

GOOD = {
    "CARNET_DATABASE_URL": "postgresql://u:hunter2@h/d",
    "CARNET_NATS_URL": "nats://h",
    "CARNET_GRPC_ADDRESS": "h:1",
    "CARNET_METRICS_ADDRESS": "h:2",
    "CARNET_SIGNING_KEY": "{}",
    "CARNET_CALLER_KEYS": "{}",
}


def test_good_settings_are_read() -> None:
    assert load(ServiceSettings, GOOD).grpc_address == "h:1"


def test_every_fault_is_named_at_once() -> None:
    environ = {
        **GOOD,
        "CARNET_LOG_LEVEL": "LOUD",
        "CARNET_DRAIN_SECONDS": "soon",
        "CARNET_SIGNING_KEY_FILE": "/nowhere",
    }
    del environ["CARNET_NATS_URL"]
    with pytest.raises(ConfigError) as refused:
        load(ServiceSettings, environ)
    for name in (
        "CARNET_LOG_LEVEL",
        "CARNET_DRAIN_SECONDS",
        "CARNET_NATS_URL",
        "CARNET_SIGNING_KEY_FILE: No such file",
    ):
        assert name in str(refused.value)


def test_a_fault_does_not_give_a_value_away() -> None:
    with pytest.raises(ConfigError) as refused:
        load(ServiceSettings, {**GOOD, "CARNET_LOG_FORMAT": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_a_file_holds_the_value(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("from-file\n")
    environ = {**GOOD, "CARNET_SIGNING_KEY_FILE": str(secret)}
    assert load(ServiceSettings, environ).signing_key == "from-file"
