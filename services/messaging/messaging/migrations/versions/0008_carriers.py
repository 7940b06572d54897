"""What parties outside hand in, as it came, and pictures."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing yet."""
