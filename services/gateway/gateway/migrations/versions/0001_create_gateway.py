"""Create people, keys, sessions, the live feed, and what goes to partner brands."""

from chassis.migrations import create_mechanism_tables, run_sql, secure

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables of the first version."""
    create_mechanism_tables()
    run_sql(
        """
        create table users (
            user_id text primary key,
            chain_id text not null,
            email text not null,
            email_key text not null unique,
            password_hash text not null,
            display_name text not null,
            role text not null,
            associate_id text not null,
            store_ids text[] not null,
            is_active boolean not null,
            create_time timestamptz not null
        );
        create index users_by_email on users (chain_id, email_key);
        create table sessions (
            session_id text primary key,
            chain_id text not null,
            token_hash text not null unique,
            user_id text not null references users,
            create_time timestamptz not null,
            expire_time timestamptz not null
        );
        create index sessions_by_user on sessions (user_id);
        create index sessions_by_expiry on sessions (expire_time);
        create table api_keys (
            api_key_id text primary key,
            chain_id text not null,
            token_hash text not null unique,
            prefix text not null,
            display_name text not null,
            role text not null,
            scopes text[] not null,
            brand_id text not null,
            is_active boolean not null,
            created_by text not null,
            create_time timestamptz not null,
            last_use_time timestamptz
        );
        create index api_keys_by_age on api_keys (chain_id, api_key_id desc);

        create table feed_heads (
            chain_id text primary key,
            position bigint not null
        );
        create table feed (
            chain_id text not null,
            position bigint not null,
            event_id text not null,
            event_type text not null,
            subject text not null,
            body text not null,
            event_time timestamptz not null,
            create_time timestamptz not null,
            primary key (chain_id, position)
        );
        create index feed_by_age on feed (chain_id, create_time);

        create table partner_heads (
            chain_id text not null,
            brand_id text not null,
            position bigint not null,
            primary key (chain_id, brand_id)
        );
        create table partner_events (
            chain_id text not null,
            brand_id text not null,
            position bigint not null,
            event_id text not null,
            event_type text not null,
            subject text not null,
            data text not null,
            event_time timestamptz not null,
            create_time timestamptz not null,
            primary key (chain_id, brand_id, position)
        );
        create unique index partner_events_by_id on partner_events (chain_id, brand_id, event_id);
        create index partner_events_by_age on partner_events (chain_id, create_time);

        create table webhook_endpoints (
            webhook_endpoint_id text primary key,
            chain_id text not null,
            brand_id text not null,
            url text not null,
            event_types text[] not null,
            secret bytea not null,
            is_active boolean not null,
            disable_reason text not null,
            create_time timestamptz not null,
            failing_since timestamptz,
            next_attempt_time timestamptz,
            lease_id text,
            lease_until timestamptz
        );
        create index webhook_endpoints_by_age on webhook_endpoints (chain_id, webhook_endpoint_id desc);
        create index webhook_endpoints_due on webhook_endpoints (next_attempt_time) where is_active;
        create table webhook_deliveries (
            webhook_delivery_id text primary key,
            chain_id text not null,
            webhook_endpoint_id text not null references webhook_endpoints on delete cascade,
            brand_id text not null,
            position bigint not null,
            event_id text not null,
            event_type text not null,
            state text not null,
            attempts integer not null,
            last_status integer not null,
            last_error text not null,
            next_attempt_time timestamptz,
            create_time timestamptz not null,
            deliver_time timestamptz,
            unique (webhook_endpoint_id, position)
        );
        create index webhook_deliveries_waiting on webhook_deliveries (webhook_endpoint_id, position)
            where state = 'WAITING';
        create index webhook_deliveries_by_age on webhook_deliveries (chain_id, create_time);
        """
    )
    # Read before the chain of a caller is known, or by work over all chains: sign-in, due endpoints, ends of feeds.
    secure("users", "sessions", "api_keys", "feed_heads", "partner_heads", "webhook_endpoints", platform=True)
    secure("feed", "partner_events", "webhook_deliveries")
