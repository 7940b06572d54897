"""Pieces with their stock, and what arrived for whom."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Do nothing yet."""
