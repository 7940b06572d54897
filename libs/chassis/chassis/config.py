"""Settings from the environment, all faults at once. Must not hold a setting that only one service knows."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "CARNET_"

Settings = TypeVar("Settings", bound=BaseSettings)


class ConfigError(Exception):
    """The environment is missing settings or holds bad ones; the message names every one of them."""


class ServiceSettings(BaseSettings):
    """What every service is told; each service adds its own fields. See ADR 0004 for why this is a base class."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    database_url: str = Field(description="postgresql:// address with the service's own role")
    nats_url: str = Field(description="nats:// address with the service's own user")
    grpc_address: str = Field(description="host:port to serve gRPC on")
    metrics_address: str = Field(description="host:port of /metrics, /healthz and /readyz")
    signing_key: str = Field(description="the service's own private Ed25519 key, a JWK as JSON")
    caller_keys: str = Field(
        description="public keys of all services, a JWK set as JSON; each with its scopes"
    )
    log_format: str = Field("json", pattern="^(json|text)$", description="json for machines, text for people")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least level that is logged"
    )
    otlp_endpoint: str = Field(
        "", description="host:port of an OpenTelemetry collector; empty sends no traces"
    )
    database_pool_size: int = Field(10, ge=2, le=100, description="most connections that one process holds")
    stream_replicas: int = Field(
        1, ge=1, le=5, description="copies of the service's stream; three in a cluster"
    )
    drain_seconds: float = Field(10.0, ge=0, le=120, description="time that running calls get at shutdown")


class MigrationSettings(BaseSettings):
    """What a migration is told: the address with the owner's role, which the service itself never gets."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    database_url: str = Field(description="postgresql:// address with the owner's role")


def load(settings: type[Settings], environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a service; `CARNET_X_FILE` names a file that holds the value of `CARNET_X`.

    Raises ConfigError that names every missing or bad setting.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, str] = {}
    faults: list[str] = []
    for name in settings.model_fields:
        variable = f"{_PREFIX}{name.upper()}"
        if path := environ.get(f"{variable}_FILE"):
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                faults.append(f"{variable}_FILE: {error.strerror}")
        elif variable in environ:
            values[name] = environ[variable]
    try:
        read = settings.model_validate(values)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            faults.append(f"{_PREFIX}{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}")
        read = None
    if faults or read is None:
        raise ConfigError(
            "The configuration has faults:\n" + "\n".join(f"  {fault}" for fault in sorted(faults))
        )
    return read
