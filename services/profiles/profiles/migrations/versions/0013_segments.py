"""Saved filters and the facts that they look at."""

from chassis.migrations import run_sql, secure

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(
        """
        create table segments (
            chain_id text not null,
            segment_id text not null,
            display_name text not null,
            filter jsonb not null,
            version bigint not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            primary key (chain_id, segment_id)
        );
        create unique index segments_by_name on segments (chain_id, lower(display_name));

        create table client_facts (
            chain_id text not null,
            client_id text not null,
            purchases integer not null,
            spent_minor bigint not null,
            last_purchase_on date,
            last_visit_on date,
            brand_ids text[] not null,
            categories text[] not null,
            metals text[] not null,
            stones text[] not null,
            primary key (chain_id, client_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        """
    )
    secure("segments", "client_facts")
