"""Brand registrations, what was sent today, and whose turn it is."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nothing yet."""
