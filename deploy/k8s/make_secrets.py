"""Generate the passwords and keys of a demo installation, for Kubernetes or for compose; the same ones every time.

    python deploy/k8s/make_secrets.py kubernetes | compose

They go to deploy/.secrets/, which git ignores, beside the state.json that remembers them and holds the operator's key.
A real installation brings its own Secrets of the same names and keys, from its own vault.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from carnet_local.nats_permissions import PERMISSIONS, SERVICES
from carnet_local.state import State, open_state

_SECRETS = Path(__file__).resolve().parents[1] / ".secrets"

Secrets = Mapping[str, Mapping[str, str]]
"""The files that each part of the installation sees, by the part's name."""


def secrets_of(state: State) -> Secrets:
    """Say which secrets each part gets; its own, and nobody else's."""
    passwords = state.passwords
    secrets: dict[str, dict[str, str]] = {}
    for service in SERVICES:
        secrets[service] = {
            "database_url": _database_url(service, service, passwords[f"database.{service}"]),
            "nats_url": f"nats://{service}:{passwords[f'nats.{service}']}@nats:4222",
            "signing_key": json.dumps(state.signing_keys[service]),
            "caller_keys": json.dumps(state.caller_keys),
        }
        # Only migrations may change tables, so only they know the owner's password.
        secrets[f"{service}-owner"] = {
            "database_url": _database_url(service, f"{service}_owner", passwords[f"database.{service}_owner"])
        }
    # Empty where drafts are written by template only, or where the model asks for no key.
    secrets["outreach"] |= {"draft_api_key": os.environ.get("CARNET_DRAFT_API_KEY", "")}
    secrets["messaging"] |= {
        "suppression_key": state.suppression_key,
        "link_key": state.link_key,
        # Empty where the phone network is the sandbox.
        "twilio_auth_tokens": os.environ.get("CARNET_TWILIO_AUTH_TOKENS", ""),
        "twilio_api_key_secret": os.environ.get("CARNET_TWILIO_API_KEY_SECRET", ""),
        # Empty where e-mails go to the sandbox's mailboxes, and where bounces are not handed in.
        "smtp_url": os.environ.get("CARNET_SMTP_URL", ""),
        "email_bounce_secret": os.environ.get("CARNET_EMAIL_BOUNCE_SECRET", ""),
    }
    secrets["profiles"] |= {
        "suppression_key": state.suppression_key,
        "encryption_key": state.connector_key,
    }
    secrets["gateway"] |= {
        "valkey_url": f"redis://:{passwords['valkey']}@valkey:6379/0",
        "encryption_key": state.encryption_key,
        "operator_key_hash": hashlib.sha256(state.operator_key.encode()).hexdigest(),
    }
    secrets["postgres"] = {"postgres": passwords["postgres"]}
    secrets["databases"] = secrets["postgres"] | {
        role: passwords[f"database.{role}"] for name in SERVICES for role in (name, f"{name}_owner")
    }
    secrets["nats"] = {
        "passwords.conf": "".join(f'{user}_password: "{passwords[f"nats.{user}"]}"\n' for user in PERMISSIONS)
    }
    secrets["valkey"] = {"valkey.conf": f"requirepass {passwords['valkey']}\n"}
    return secrets


def _database_url(database: str, role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@postgres:5432/{database}"


def write_kubernetes(secrets: Secrets, directory: Path) -> None:
    """Write one file for `kubectl apply`; JSON, which is YAML too."""
    items = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(files)}
        for name, files in secrets.items()
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2)
    (directory / "secrets.json").write_text(text)


def write_compose(secrets: Secrets, directory: Path) -> None:
    """Write one folder a part, to be mounted into its container.

    The containers' users differ from the one here, so the files are open and the directory around them is closed.
    """
    for name, files in secrets.items():
        folder = directory / name
        # Not replaced: a container that runs holds the folder itself.
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        for file, value in files.items():
            (folder / file).write_text(value)
            (folder / file).chmod(0o644)


def main() -> None:
    """Do what the command line says, and say where the result is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=["kubernetes", "compose"])
    kind = parser.parse_args().kind
    directory = _SECRETS / kind
    secrets = secrets_of(open_state(directory))  # which closes the directory to others
    (write_kubernetes if kind == "kubernetes" else write_compose)(secrets, directory)
    print(f"The secrets are in {directory}; the operator's key is in its state.json.")


if __name__ == "__main__":
    main()
