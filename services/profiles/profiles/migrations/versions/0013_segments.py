"""Saved filters and the facts that they look at."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Nothing yet."""
