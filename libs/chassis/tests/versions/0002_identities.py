"""Ids that lead to others, and a table whose rows follow them."""

from chassis.migrations import create_identity_tables, run_sql, secure

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create_identity_tables()
    run_sql(
        """
        create table belongings (
            belonging_id text primary key,
            chain_id text not null,
            owner_id text not null,
            original_owner_id text not null default '',
            price_minor bigint not null default 0,
            currency text not null default 'USD',
            got_at timestamptz
        );
        """
    )
    secure("belongings")
