"""How purchases were paid and for whom, what came back, and the watch on cash."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing yet."""
