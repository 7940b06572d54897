"""What is noted with clients who wait: their numbers, and whether what they prefer is to be counted anew as well."""

from chassis.migrations import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """A number is null where the release before this one marked the client: it is looked up then."""
    run_sql(
        """
        alter table due_clients add number bigint;
        alter table uncounted_clients add tastes boolean not null default true;
        """
    )
