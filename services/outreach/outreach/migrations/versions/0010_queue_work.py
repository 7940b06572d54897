"""Contacts logged outside messaging, and suggestions handed on."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Do nothing yet."""
