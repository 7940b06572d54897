"""Contacts, what they led to, and who is left alone to compare with."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Do nothing yet."""
