"""What one machine's Carnet remembers in `.carnet/state.json`: ports, passwords, keys, and who can sign in.

The only module that reads or writes that file. It holds secrets: the folder is 0700, the file 0600.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from carnet_local.caller_scopes import CALLER_SCOPES
from carnet_local.errors import LocalFailure
from carnet_local.nats_permissions import PERMISSIONS, SERVICES
from carnet_local.ports import free_port, is_free
from carnet_local.servers import ServerSettings

PREFERRED_PORTS: Mapping[str, int] = {
    "gateway_http": 8080,
    "postgres": 7432,
    "nats": 7422,
    "valkey": 7379,
    **{f"{service}_grpc": 7101 + n for n, service in enumerate(SERVICES)},
    **{f"{service}_metrics": 7201 + n for n, service in enumerate(SERVICES)},
}

_PASSWORDS = (
    "postgres",
    "valkey",
    *(f"nats.{user}" for user in PERMISSIONS),
    *(f"database.{service}" for service in SERVICES),
    *(f"database.{service}_owner" for service in SERVICES),
)


@dataclass(frozen=True)
class State:
    """The remembered state; keys are JWKs, ports and passwords go by name."""

    ports: dict[str, int]
    passwords: dict[str, str]
    signing_keys: dict[str, dict[str, str]]
    encryption_key: str
    operator_key: str
    suppression_key: str = ""
    connector_key: str = ""
    link_key: str = ""
    seeded: bool = False
    sign_ins: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def caller_keys(self) -> dict[str, Any]:
        """The JWKS with every service's public key: the key id is its name, `scopes` is what it may claim."""
        return {
            "keys": [
                {
                    **{name: value for name, value in key.items() if name != "d"},
                    "scopes": CALLER_SCOPES[service],
                }
                for service, key in self.signing_keys.items()
            ]
        }

    @property
    def api_url(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{self.ports['gateway_http']}"

    def with_free_ports(self) -> State:
        """Keep every remembered port that is free and choose others for the rest."""
        ports: dict[str, int] = {}
        for name, port in self.ports.items():
            taken = port in ports.values() or not is_free(port)
            ports[name] = free_port(avoid={*self.ports.values(), *ports.values()}) if taken else port
        return replace(self, ports=ports)

    def server_settings(self) -> ServerSettings:
        """Give the embedded servers their ports and passwords."""
        return ServerSettings(
            postgres_port=self.ports["postgres"],
            postgres_password=self.passwords["postgres"],
            nats_port=self.ports["nats"],
            nats_passwords={user: self.passwords[f"nats.{user}"] for user in PERMISSIONS},
            valkey_port=self.ports["valkey"],
            valkey_password=self.passwords["valkey"],
        )


def open_state(directory: Path) -> State:
    """Read the state, or make a new one; what an older one lacks is added. Raises LocalFailure."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    state = read_state(directory)
    if state is None:
        state = State({}, {}, {}, Fernet.generate_key().decode(), f"carnet_op_{secrets.token_urlsafe(32)}")
    state = replace(
        state,
        ports={**PREFERRED_PORTS, **state.ports},
        passwords={name: secrets.token_urlsafe(24) for name in _PASSWORDS} | state.passwords,
        signing_keys={service: _signing_key(service) for service in SERVICES} | state.signing_keys,
        suppression_key=state.suppression_key or secrets.token_urlsafe(32),
        connector_key=state.connector_key or Fernet.generate_key().decode(),
        link_key=state.link_key or secrets.token_urlsafe(32),
    )
    save_state(directory, state)
    return state


def read_state(directory: Path) -> State | None:
    """Read the state as it is; None when there is none."""
    path = directory / "state.json"
    try:
        raw = json.loads(path.read_text())
        raw["sign_ins"] = tuple(tuple(entry) for entry in raw["sign_ins"])
        return State(**{field.name: raw[field.name] for field in fields(State) if field.name in raw})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LocalFailure(f"{path} cannot be read ({error}); `make reset` starts anew") from error


def save_state(directory: Path, state: State) -> None:
    """Replace the file in one step, so that a crash leaves the old or the new one."""
    descriptor, name = tempfile.mkstemp(dir=directory, prefix="state.", suffix=".tmp")  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(state), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(directory / "state.json")


def _signing_key(service: str) -> dict[str, str]:
    jwk = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    return {**jwk, "kid": service, "alg": "EdDSA", "use": "sig"}
