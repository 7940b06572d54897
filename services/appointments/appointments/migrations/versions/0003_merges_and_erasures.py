"""Merged and erased clients."""

from chassis.migrations import create_identity_tables, run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rows that are there keep their client; original_client_id is empty until one moves."""
    create_identity_tables()
    run_sql(
        """
        alter table appointments add original_client_id text not null default '';
        create index appointments_by_original on appointments (chain_id, original_client_id)
            where original_client_id <> '';
        """
    )
