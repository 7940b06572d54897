"""Merged and erased clients; of two interests of one client in one reference, one stands for both."""

from chassis.migrations import create_identity_tables, run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rows that are there keep their client; original_client_id is empty until one moves.

    Code from before knows no merges, so the narrower index holds for it as the old one did.
    """
    create_identity_tables()
    run_sql(
        """
        alter table interests
            add original_client_id text not null default '',
            -- The interest that stands for this one as long as both are one client's.
            add merged_into_id text not null default '';
        alter table offers add original_client_id text not null default '';
        create index interests_by_original on interests (chain_id, original_client_id) where original_client_id <> '';
        create index offers_by_original on offers (chain_id, original_client_id) where original_client_id <> '';
        create index interests_merged on interests (chain_id, client_id, reference_id) where merged_into_id <> '';
        drop index interests_one_live;
        create unique index interests_one_live on interests (chain_id, client_id, reference_id)
            where state in ('WAITING', 'OFFERED') and merged_into_id = '';
        """
    )
