"""Schema changes of this service, in Alembic's order."""

from pathlib import Path

VERSIONS = Path(__file__).parent / "versions"
