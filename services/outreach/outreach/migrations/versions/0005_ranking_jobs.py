"""Rankings as jobs of slices that replicas share."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Do nothing yet."""
