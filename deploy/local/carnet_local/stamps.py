"""Remember which schema each database has, so that a second start need not run six migrations that do nothing.

Must not decide what a migration does: a missing or different stamp only means that it runs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path


def schema_stamp(service: str, database: str) -> str:
    """Digest a service's migration scripts and the database's identity; empty when there are no scripts to look at."""
    spec = importlib.util.find_spec(service)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    scripts = sorted(
        path for folder in folders for path in Path(folder, "migrations", "versions").glob("*.py")
    )
    if not scripts:
        return ""
    digest = hashlib.sha256(database.encode())
    for script in scripts:
        digest.update(script.name.encode() + script.read_bytes())
    return digest.hexdigest()


class Stamps:
    """The stamps of one state directory, in one small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._stamps: dict[str, str] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            self._stamps = {}

    def has(self, service: str, stamp: str) -> bool:
        """Say whether a service's database was brought to this very stamp."""
        return bool(stamp) and self._stamps.get(service) == stamp

    def put(self, service: str, stamp: str) -> None:
        """Note what a service's database was brought to."""
        self._stamps[service] = stamp
        self._path.write_text(json.dumps(self._stamps))
