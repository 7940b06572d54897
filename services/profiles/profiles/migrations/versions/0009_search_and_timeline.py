"""Finding clients as somebody types, and timelines of millions of lines."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nothing yet."""
