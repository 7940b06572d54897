"""Pairs that may be one person, and merges with what undoes them."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing yet."""
