"""The chain's own rules for the gate, and consents that wait for a YES."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing yet."""
