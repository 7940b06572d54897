"""Facts of each client in one row, and what repairs, wishes, waitlists, appointments and contacts leave."""

from chassis.migrations import run_sql, secure

revision = "0003"
down_revision = "0002"

_OF_CLIENTS = ("repair_moves", "appointment_moves", "wishes", "interests", "offers", "contacts", "arrivals")


def upgrade() -> None:
    """Raw facts keep every version of a thing, so that any day can be counted again; the rest is counted from them."""
    run_sql(
        """
        alter table clients
            add secondary_associate_id text not null default '',
            add derived_time_zone text not null default '',
            -- [contract's PreferenceKind, value] each
            add preferences jsonb not null default '[]';
        comment on column clients.occasions is
            '[kind, year, month, day, recurrence, lead days or -1, relationship, surprise for, whose]; older: shorter';

        alter table purchases
            add store_id text not null default '',
            add associate_id text not null default '',
            add occasion_kind smallint not null default 0,
            add is_engagement boolean not null default false,
            -- [brand, category, metal, stone, reference, quantity, minor units] each
            add lines jsonb not null default '[]';

        alter table visits
            add store_id text not null default '',
            add associate_id text not null default '',
            add need_by date,
            add looked_at integer not null default 0,
            add tried_on integer not null default 0,
            add liked integer not null default 0,
            add occasion_kind smallint not null default 0,
            add recipient_client_id text not null default '';
        create index visits_mentioning_recipient on visits (chain_id, recipient_client_id)
            where recipient_client_id <> '';

        create table repair_moves (
            chain_id text not null,
            repair_id text collate "C" not null,
            version bigint not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            store_id text not null,
            kind smallint not null,
            stage smallint not null,
            promised_on date,
            moved_at timestamptz not null,
            surprise_for_client_id text not null default '',
            surprise_ends_on date,
            primary key (chain_id, repair_id, version)
        );
        create index repair_moves_mentioning on repair_moves (chain_id, surprise_for_client_id)
            where surprise_for_client_id <> '';

        create table appointment_moves (
            chain_id text not null,
            appointment_id text collate "C" not null,
            version bigint not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            store_id text not null,
            state text not null check (state in ('booked', 'moved', 'cancelled', 'attended', 'missed')),
            starts_at timestamptz not null,
            said_at timestamptz not null,
            primary key (chain_id, appointment_id, version)
        );

        -- The newest version of each; one that was removed stays removed.
        create table wishes (
            chain_id text not null,
            wish_id text collate "C" not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            version bigint not null,
            state smallint not null,
            brand_id text not null default '',
            reference text not null default '',
            category text not null default '',
            metal text not null default '',
            stone text not null default '',
            is_surprise boolean not null default false,
            surprise_ends_on date,
            bought_by_client_id text not null default '',
            is_removed boolean not null default false,
            primary key (chain_id, wish_id)
        );
        create index wishes_mentioning on wishes (chain_id, bought_by_client_id) where bought_by_client_id <> '';

        -- Either moment may be heard of first; who was never heard to begin is not waiting.
        create table interests (
            chain_id text not null,
            interest_id text collate "C" not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            reference_id text not null,
            brand_id text not null,
            store_id text not null,
            registered_at timestamptz,
            withdrawn_at timestamptz,
            primary key (chain_id, interest_id)
        );
        create index interests_in_reference on interests (chain_id, reference_id);

        create table allocations (
            chain_id text not null,
            allocation_id text collate "C" not null,
            reference_id text not null,
            brand_id text not null,
            store_id text not null,
            received_at timestamptz not null,
            primary key (chain_id, allocation_id)
        );
        create index allocations_of_reference on allocations (chain_id, reference_id);

        create table offers (
            chain_id text not null,
            offer_id text collate "C" not null,
            version bigint not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            reference_id text not null,
            store_id text not null,
            state text not null check (state in ('made', 'accepted', 'declined', 'expired', 'sold')),
            said_at timestamptz not null,
            primary key (chain_id, offer_id, version)
        );

        -- Each text to and from a client, and each call, visit or e-mail that somebody noted.
        create table contacts (
            chain_id text not null,
            contact_id text collate "C" not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            kind text not null
                check (kind in ('sent', 'marketing', 'received', 'call', 'visit', 'email', 'other')),
            contacted_at timestamptz not null,
            is_by_person boolean not null default true,
            -- Handed to messaging, and not yet said by the carrier.
            is_expected boolean not null default false,
            primary key (chain_id, contact_id)
        );
        -- What was known until now: the last moments only, kept in clients, which nothing writes any more.
        alter table clients no force row level security;
        insert into contacts (chain_id, contact_id, client_id, kind, contacted_at)
            select chain_id, 'last ' || kind || ' ' || client_id, client_id, kind, contacted_at from clients
            cross join lateral (values ('sent', last_sent_at), ('marketing', last_marketing_at),
                ('received', last_received_at)) as last (kind, contacted_at)
            where contacted_at is not null;
        alter table clients force row level security;

        -- Since when pieces that a client waits for are in the client's store, as the catalogue's side finds it.
        create table arrivals (
            chain_id text not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            mark text not null check (mark in ('wish_arrived', 'favourite_arrived')),
            arrived_on date not null
        );
        create unique index arrivals_once on arrivals (chain_id, client_id, original_client_id, mark);

        -- Associates and stores as numbers, so that a column of them has one size. Given once, for good.
        create table numbered_names (
            chain_id text not null,
            name text collate "C" not null,
            number integer generated always as identity,
            primary key (chain_id, name)
        );
        create unique index numbered_names_number on numbered_names (number);

        -- Days are numbered from 1970-01-01, -1000000 is none. changes_on: the first day on which it would be counted
        -- otherwise without anything said; basis: of which zone, currency and way of counting it is.
        create table client_facts (
            chain_id text not null,
            number bigint not null,
            client_id text collate "C" not null,
            associate integer not null,
            store integer not null,
            last_text integer not null,
            last_answer integer not null,
            purchase_days integer not null,
            first_purchase integer not null,
            last_purchase integer not null,
            last_visit integer not null,
            earlier_visit integer not null,
            home_days integer not null,
            touched integer not null,
            total_minor bigint not null,
            home_repeat_minor bigint not null,
            price_low_minor bigint not null,
            price_high_minor bigint not null,
            basis bigint not null,
            changes_on date not null,
            primary key (chain_id, number)
        );
        create unique index client_facts_by_client on client_facts (chain_id, client_id);
        create index client_facts_due on client_facts (chain_id, basis, changes_on);

        -- Of each client: visits and gifts in reach, and marks that few have. what: the mark's position, 100 a visit,
        -- 101 a gift; value: the occasion of a gift.
        create table client_days (
            chain_id text not null,
            number bigint not null,
            what smallint not null,
            day integer not null,
            value integer not null
        );
        create index client_days_of_client on client_days (chain_id, number);
        create index client_days_by_day on client_days (chain_id, what, day);

        -- season: month x 100 + day.
        create table client_occasions (
            chain_id text not null,
            number bigint not null,
            kind smallint not null,
            year smallint not null,
            season smallint not null,
            recurrence smallint not null,
            lead_days smallint not null,
            relationship smallint not null
        );
        create index client_occasions_of_client on client_occasions (chain_id, number);
        create index client_occasions_by_season on client_occasions (chain_id, season);
        create index client_occasions_ahead on client_occasions (chain_id, lead_days) where lead_days > 90;

        create table client_affinities (
            chain_id text not null,
            client_id text collate "C" not null,
            kind text collate "C" not null check (kind in ('brand', 'category', 'metal', 'stone')),
            value text collate "C" not null,
            share real not null,
            primary key (chain_id, client_id, kind, value)
        );
        create index client_affinities_of_value on client_affinities (chain_id, kind, value, share);

        -- Clients whose row is to be counted anew. Each transaction adds rows of its own and waits for nobody who takes
        -- them off.
        create table uncounted_clients (
            position bigint generated always as identity primary key,
            chain_id text not null,
            client_id text collate "C" not null,
            queued_at timestamptz not null
        );
        create index uncounted_clients_waiting on uncounted_clients (chain_id, client_id);
        create index uncounted_clients_since on uncounted_clients (chain_id, queued_at);
        """
    )
    for table in _OF_CLIENTS:
        run_sql(
            f"""
            create index {table}_by_client on {table} (chain_id, client_id);
            create index {table}_by_original on {table} (chain_id, original_client_id)
                where original_client_id <> '';
            """
        )
    run_sql(
        """
        alter table clients no force row level security;
        insert into uncounted_clients (chain_id, client_id, queued_at)
            select chain_id, client_id, touched_at from clients where not is_deleted;
        insert into numbered_names (chain_id, name)
            select chain_id, associate_id from clients where associate_id <> ''
            union select chain_id, store_id from clients where store_id <> '';
        alter table clients force row level security;
        """
    )
    secure(*_OF_CLIENTS, "allocations", "numbered_names")
    secure("client_facts", "client_days", "client_occasions", "client_affinities")
    secure("uncounted_clients", platform=True)
