"""Facts kept from events, the chain's model, suggestions, and what is needed to rank chains by themselves."""

from chassis.migrations import create_mechanism_tables, run_sql, secure

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables; one client, one live suggestion is held by a partial index."""
    create_mechanism_tables()
    run_sql(
        """
        -- A row may stand before ChainCreated has arrived: zone and currency are then empty.
        create table chains (
            chain_id text primary key,
            time_zone text not null default '',
            currency_code text not null default '',
            next_run_at timestamptz,
            replay_day date,
            replay_until timestamptz,
            scoring_token text not null default '',
            scoring_until timestamptz
        );
        create index chains_due on chains (next_run_at);

        create table scoring_requests (
            chain_id text primary key,
            requested_at timestamptz not null,
            due_at timestamptz not null,
            reason text not null
        );
        create index scoring_requests_due on scoring_requests (due_at);

        create table associates (
            chain_id text not null,
            associate_id text not null,
            store_id text not null,
            primary key (chain_id, associate_id)
        );

        -- What a client's own events say. Figures over purchases and visits are counted from those when they are
        -- read, so
        -- that no order or repetition of events can leave a wrong one. version 0: known from a purchase or visit only.
        create table clients (
            chain_id text not null,
            client_id text collate "C" not null,
            number bigint generated always as identity,
            associate_id text not null default '',
            store_id text not null default '',
            language text not null default '',
            time_zone text not null default '',
            -- [kind, year, month, day] each
            occasions jsonb not null default '[]',
            version bigint not null default 0,
            is_deleted boolean not null default false,
            last_sent_at timestamptz,
            last_marketing_at timestamptz,
            last_received_at timestamptz,
            touched_at timestamptz not null,
            primary key (chain_id, client_id)
        );
        create unique index clients_number on clients (number);

        create table purchases (
            chain_id text not null,
            purchase_id text collate "C" not null,
            client_id text collate "C" not null,
            purchase_day date not null,
            total_minor bigint not null,
            currency_code text not null,
            primary key (chain_id, purchase_id)
        );
        create index purchases_by_client on purchases (chain_id, client_id);

        create table visits (
            chain_id text not null,
            visit_id text collate "C" not null,
            client_id text collate "C" not null,
            visited_at timestamptz not null,
            primary key (chain_id, visit_id)
        );
        create index visits_by_client on visits (chain_id, client_id);

        create table progress (
            chain_id text primary key,
            newest_event_at timestamptz not null
        );

        create table purchase_models (
            chain_id text primary key,
            state text not null check (state in ('fitted', 'not_enough_history', 'not_fitted')),
            note text not null,
            as_of date not null,
            clients bigint not null,
            repeat_clients bigint not null,
            -- {"r", "alpha", "a", "b", "log_likelihood", "clients"} and {"p", "q", "gamma", "log_likelihood",
            -- "clients"}
            bg_nbd jsonb,
            gamma_gamma jsonb,
            mean_spend double precision,
            mean_value_year double precision,
            vip_minor bigint,
            fitted_at timestamptz not null
        );

        create table suggestions (
            suggestion_id text collate "C" primary key,
            chain_id text not null,
            client_id text collate "C" not null,
            associate_id text not null,
            store_id text not null,
            state text not null check (state in ('open', 'snoozed', 'sent', 'dismissed', 'expired')),
            as_of date not null,
            expires_on date not null,
            score double precision not null,
            reasons jsonb not null,
            signals text[] not null,
            model_note text not null,
            version bigint not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            snoozed_until date,
            dismiss_reason text not null default '',
            answered_at timestamptz,
            message_id text not null default '',
            conversation_id text not null default '',
            sent_fingerprint text not null default '',
            attempt integer not null default 0,
            -- Texts handed to messaging whose fate is not known yet; emptied once it is.
            tried_bodies text[] not null default '{}',
            tried_at timestamptz
        );
        create unique index suggestions_one_live on suggestions (chain_id, client_id) where state in ('open',
        'snoozed'); create index suggestions_queue on suggestions (chain_id, associate_id, score desc, suggestion_id);
        create index suggestions_answered on suggestions (chain_id, answered_at) where answered_at is not null;
        create index suggestions_by_client on suggestions (chain_id, client_id);
        """
    )
    secure("chains", "scoring_requests", platform=True)
    secure("associates", "clients", "purchases", "visits", "progress", "purchase_models", "suggestions")
