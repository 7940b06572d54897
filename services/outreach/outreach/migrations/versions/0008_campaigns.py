"""Campaigns and their recipients."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Do nothing yet."""
