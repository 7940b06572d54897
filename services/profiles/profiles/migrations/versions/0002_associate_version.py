"""Associates count their changes, so that consumers can tell a late event."""

from chassis.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """A column with a constant default is added without rewriting the table."""
    run_sql("alter table associates add column version bigint not null default 1;")
