"""What the runner tells each service: the one place here where the environment contract is written.

Pure data from a state; it starts nothing. The Kubernetes manifests set the same names.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from carnet_local.databases import ServiceDatabase
from carnet_local.nats_permissions import SERVICES
from carnet_local.servers import HOST, Servers
from carnet_local.state import State

__all__ = ["SERVICES", "Endpoints", "environment_of", "migrate_command", "serve_command"]


@dataclass(frozen=True)
class Endpoints:
    """Where the servers are, be they embedded or the developer's own."""

    postgres_url: str
    nats_urls: Mapping[str, str]
    valkey_url: str
    external: frozenset[str]

    @classmethod
    def choose(cls, servers: Servers, environment: Mapping[str, str]) -> Endpoints:
        """Prefer CARNET_POSTGRES_URL, CARNET_NATS_URL and CARNET_VALKEY_URL to the embedded servers."""
        given = {
            name: environment.get(f"CARNET_{name.upper()}_URL") for name in ("postgres", "nats", "valkey")
        }
        return cls(
            postgres_url=given["postgres"] or servers.postgres_url,
            nats_urls={service: given["nats"] or servers.nats_url(service) for service in SERVICES},
            valkey_url=given["valkey"] or servers.valkey_url,
            external=frozenset(name for name, url in given.items() if url),
        )


def environment_of(
    service: str, *, state: State, directory: Path, endpoints: Endpoints, database: ServiceDatabase
) -> dict[str, str]:
    """Write a service's environment: the developer's own variables, overridden by the contract.

    `directory` is where everything of the platform is kept.
    """
    # The superuser's URL is the runner's business only, and the key of a language model outreach's.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "CARNET_POSTGRES_URL" and (service == "outreach" or not name.startswith("CARNET_DRAFT_"))
    }
    contract = {
        "CARNET_SERVICE": service,
        "CARNET_DATABASE_URL": database.runtime_url,
        "CARNET_NATS_URL": endpoints.nats_urls[service],
        "CARNET_GRPC_ADDRESS": grpc_address(state, service),
        "CARNET_METRICS_ADDRESS": metrics_address(state, service),
        "CARNET_SIGNING_KEY": json.dumps(state.signing_keys[service]),
        "CARNET_CALLER_KEYS": json.dumps(state.caller_keys),
        "CARNET_LOG_FORMAT": "json",
        **{f"CARNET_{other.upper()}_ADDRESS": grpc_address(state, other) for other in SERVICES},
    }
    if service == "messaging":
        contract |= {
            "CARNET_SUPPRESSION_KEY": state.suppression_key,
            "CARNET_LINK_KEY": state.link_key,
            # Whoever tries a real carrier from here reaches this machine by a tunnel of their own.
            "CARNET_PUBLIC_URL": os.environ.get("CARNET_PUBLIC_URL", state.api_url),
            "CARNET_OBJECTS_DIR": str(directory.resolve() / "objects"),
        }
    if service == "profiles":
        contract |= {
            "CARNET_SUPPRESSION_KEY": state.suppression_key,
            "CARNET_ENCRYPTION_KEY": state.connector_key,
            "CARNET_OBJECTS_DIR": str(directory.resolve() / "objects"),
        }
    if service == "gateway":
        contract |= {
            "CARNET_HTTP_ADDRESS": f"{HOST}:{state.ports['gateway_http']}",
            "CARNET_PUBLIC_URL": state.api_url,
            "CARNET_VALKEY_URL": endpoints.valkey_url,
            "CARNET_ENCRYPTION_KEY": state.encryption_key,
            "CARNET_OPERATOR_KEY_HASH": hashlib.sha256(state.operator_key.encode()).hexdigest(),
            # A partner's endpoint on this machine is a demo here, and an attack anywhere else.
            "CARNET_ALLOW_PRIVATE_WEBHOOKS": "true",
            # Seed, demo and tests are one caller that does the work of many.
            "CARNET_RATE_PER_SECOND": "1000",
            "CARNET_RATE_BURST": "2000",
        }
    return inherited | contract


def grpc_address(state: State, service: str) -> str:
    """Say where a service's gRPC server listens."""
    return f"{HOST}:{state.ports[f'{service}_grpc']}"


def metrics_address(state: State, service: str) -> str:
    """Say where a service serves /metrics, /healthz and /readyz."""
    return f"{HOST}:{state.ports[f'{service}_metrics']}"


def serve_command(service: str) -> list[str]:
    """Give the command that serves."""
    return [sys.executable, "-m", service, "serve"]


def migrate_command(service: str) -> list[str]:
    """Give the command that migrates; its CARNET_DATABASE_URL is the owner's."""
    return [sys.executable, "-m", service, "migrate"]
