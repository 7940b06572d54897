"""Connections to other systems and their runs."""

from chassis.migrations import run_sql, secure

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # The worker looks for due connectors of all chains; what a run then does is bound to its chain.
    run_sql(
        """
        create table connectors (
            chain_id text not null,
            connector_id text not null,
            display_name text not null,
            source text not null,
            tenant_id text not null,
            environment text not null,
            client_id text not null,
            encrypted_secret bytea not null,
            company_id text not null,
            store_id text not null,
            interval_minutes integer not null,
            state text not null,
            delta_times jsonb not null,
            next_run_at timestamptz not null,
            last_failure text not null default '',
            created_at timestamptz not null,
            primary key (chain_id, connector_id),
            foreign key (chain_id, store_id) references stores
        );
        create unique index connectors_by_name on connectors (chain_id, lower(display_name));
        create index connectors_due on connectors (next_run_at) where state = 'active' and company_id <> '';

        create table connector_runs (
            chain_id text not null,
            connector_run_id text not null,
            connector_id text not null,
            state text not null,
            records_read bigint not null default 0,
            clients_created bigint not null default 0,
            purchases_created bigint not null default 0,
            records_refused bigint not null default 0,
            waits integer not null default 0,
            failure text not null default '',
            leased_until timestamptz not null,
            created_at timestamptz not null,
            finished_at timestamptz,
            primary key (chain_id, connector_run_id),
            foreign key (chain_id, connector_id) references connectors on delete cascade
        );
        create unique index connector_runs_one_at_a_time on connector_runs (chain_id, connector_id)
            where state = 'running';
        create index connector_runs_of_connector on connector_runs (chain_id, connector_id, connector_run_id desc);
        create index connector_runs_to_take on connector_runs (leased_until) where state = 'running';

        create table connector_items (
            chain_id text not null,
            connector_id text not null,
            item_id text not null,
            number text not null,
            display_name text not null,
            category text not null,
            primary key (chain_id, connector_id, item_id),
            foreign key (chain_id, connector_id) references connectors on delete cascade
        );
        """
    )
    secure("connectors", "connector_runs", platform=True)
    secure("connector_items")
