"""The number of a client who is to be looked at again, so that a set of them is read by numbers."""

from chassis.migrations import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Null where the release before this one marked the client: it is looked up then."""
    run_sql("alter table due_clients add number bigint")
