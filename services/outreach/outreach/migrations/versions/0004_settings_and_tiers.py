"""How a chain works its queue, tiers and actions of suggestions, and the parts of their reasons."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Do nothing yet."""
