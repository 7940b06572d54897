"""Who of the staff is there: an associate who left cannot be booked."""

from chassis.migrations import run_sql, secure

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Kept beside the resources, because news of an associate may come before the resource does."""
    run_sql(
        """
        create table associates (
            chain_id text not null,
            associate_id text not null,
            is_active boolean not null,
            version bigint not null,
            primary key (chain_id, associate_id)
        );
        """
    )
    secure("associates")
