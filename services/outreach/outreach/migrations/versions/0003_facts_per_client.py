"""Facts of each client in one row, and what repairs, wishes, waitlists and appointments leave with a client."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Do nothing yet."""
