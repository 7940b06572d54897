"""How a chain works its queue, what its signals have brought, and the tiers and actions of suggestions."""

from chassis.migrations import run_sql, secure

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Suggestions that are there were for people, whatever the tier of their clients."""
    run_sql(
        """
        -- document: domain.settings.OutreachSettings as it was written; 0 and null mean the built-in value.
        create table outreach_settings (
            chain_id text primary key,
            document jsonb not null default '{}',
            version bigint not null default 0,
            updated_at timestamptz
        );

        -- Counts over a chain; none of them can be told to be of a client.
        create table signal_effects (
            chain_id text not null,
            signal text not null,
            contacts bigint not null,
            answers bigint not null,
            primary key (chain_id, signal)
        );

        alter table suggestions
            add tier text not null default '',
            add action text not null default 'personal' check (action in ('personal', 'automated')),
            add is_explored boolean not null default false;

        -- Where each client who bought stands among all; see scoring.tiers.
        alter table purchase_models add tiers jsonb;
        """
    )
    secure("outreach_settings", "signal_effects")
