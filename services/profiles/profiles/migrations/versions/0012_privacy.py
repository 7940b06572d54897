"""Exports, erasures with their receipts, and who must not come back."""

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Nothing yet."""
