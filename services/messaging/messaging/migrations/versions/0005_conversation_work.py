"""Who has read what in a conversation, internal notes, and words to search by."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing yet."""
