"""Saved mappings, resumable uploads, and who may overwrite what."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Nothing yet."""
