"""References, interests, allocations with pieces, offers, policies, and what ranking knows of clients."""

from chassis.migrations import append_only, create_mechanism_tables, run_sql, secure

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables; one piece, one live offer and one client, one live interest are held by partial indexes."""
    create_mechanism_tables()
    run_sql(
        """
        create table brand_references (
            reference_id text primary key,
            chain_id text not null,
            brand_id text not null,
            code text not null,
            display_name text not null,
            price_minor bigint,
            currency text,
            created_at timestamptz not null,
            unique (chain_id, brand_id, code),
            check ((price_minor is null) = (currency is null))
        );
        create index brand_references_by_code on brand_references (chain_id, code, reference_id);

        create table interests (
            interest_id text primary key,
            chain_id text not null,
            reference_id text not null references brand_references,
            client_id text not null,
            store_id text not null,
            state text not null check (state in ('WAITING', 'OFFERED', 'FULFILLED', 'WITHDRAWN')),
            wording text not null,
            purpose text not null,
            registered_at timestamptz not null
        );
        create unique index interests_one_live on interests (chain_id, client_id, reference_id)
            where state in ('WAITING', 'OFFERED');
        create index interests_live_by_reference on interests (reference_id) where state in ('WAITING', 'OFFERED');
        create index interests_by_reference on interests (reference_id, interest_id);
        create index interests_by_client on interests (chain_id, client_id, interest_id);

        create table allocations (
            allocation_id text primary key,
            chain_id text not null,
            reference_id text not null references brand_references,
            brand_id text not null,
            store_id text not null,
            received_at timestamptz not null
        );
        create index allocations_by_chain on allocations (chain_id, allocation_id);
        create index allocations_by_reference on allocations (reference_id, allocation_id);

        create table pieces (
            piece_id text primary key,
            chain_id text not null,
            allocation_id text not null references allocations,
            brand_id text not null,
            serial text not null,
            position int not null,
            state text not null check (state in ('AVAILABLE', 'HELD', 'PROMISED', 'SOLD', 'RETURNED')),
            offer_id text,
            version bigint not null,
            unique (allocation_id, position),
            check ((state in ('HELD', 'PROMISED', 'SOLD')) = (offer_id is not null))
        );
        -- A piece that went back may be allocated again.
        create unique index pieces_one_serial on pieces (chain_id, brand_id, serial) where state <> 'RETURNED';

        create table policies (
            chain_id text not null,
            version int not null,
            waiting_time_weight double precision not null,
            history_weight double precision not null,
            first_time_buyer_weight double precision not null,
            local_store_weight double precision not null,
            recent_allocation_days int not null,
            created_at timestamptz not null,
            created_by text not null,
            primary key (chain_id, version)
        );

        create table offers (
            offer_id text primary key,
            chain_id text not null,
            allocation_id text not null references allocations,
            piece_id text not null references pieces,
            interest_id text not null references interests,
            client_id text not null,
            state text not null check (state in ('OPEN', 'ACCEPTED', 'DECLINED', 'EXPIRED')),
            made_at timestamptz not null,
            made_by text not null,
            expires_at timestamptz not null,
            answered_at timestamptz,
            answered_by text,
            policy_version int not null,
            decision jsonb not null,
            foreign key (chain_id, policy_version) references policies,
            check ((state in ('ACCEPTED', 'DECLINED')) = (answered_at is not null))
        );
        create unique index offers_one_live_per_piece on offers (piece_id) where state in ('OPEN', 'ACCEPTED');
        create unique index offers_one_open_per_interest on offers (interest_id) where state = 'OPEN';
        create index offers_by_chain on offers (chain_id, offer_id);
        create index offers_by_allocation on offers (allocation_id, offer_id);
        create index offers_by_client on offers (chain_id, client_id, offer_id);
        create index offers_open on offers (chain_id, expires_at) where state = 'OPEN';

        -- When open offers lapse, readable over all chains: the sweeper asks it which chains have work.
        create table offer_deadlines (
            offer_id text primary key references offers,
            chain_id text not null,
            expires_at timestamptz not null
        );
        create index offer_deadlines_due on offer_deadlines (expires_at);

        -- Per currency, because amounts of several currencies do not add up.
        create table client_standings (
            chain_id text not null,
            client_id text not null,
            currency text not null,
            purchase_count bigint not null,
            total_minor bigint not null,
            last_purchase_day date,
            primary key (chain_id, client_id, currency)
        );
        """
    )
    secure("brand_references", "interests", "allocations", "pieces", "policies", "offers", "client_standings")
    secure("offer_deadlines", platform=True)
    append_only("policies", role="waitlist")
