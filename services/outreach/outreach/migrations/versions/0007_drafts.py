"""Drafts with the texts that became of them, and snippets."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Do nothing yet."""
