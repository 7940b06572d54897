"""Bulk sends with their recipients, and campaigns that were paused."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nothing yet."""
