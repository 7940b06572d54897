"""The directory of the house, its clients, what they bought, saw and agreed to, timelines and imports.

Every index begins with chain_id. Row-level security adds that condition to each statement, and while a chain is new to
the planner's statistics an index on chain_id alone looks better than one on the id asked for: each batch of an import
then read the whole chain.
"""

from chassis.migrations import append_only, create_mechanism_tables, run_sql, secure

revision = "0001"
down_revision = None

_PIECE = """
    brand_id text not null default '',
    reference text not null default '',
    serial text not null default '',
    category text not null default '',
    description text not null default '',
    metal text not null default '',
    stone text not null default '',
    cut text not null default '',
    style text not null default '',
    size text not null default '',
    price_minor bigint,
    price_currency text not null default ''
"""


def upgrade() -> None:
    create_mechanism_tables()
    # All three are trusted: a database's owner may create them without being a superuser.
    run_sql("create extension pg_trgm; create extension unaccent; create extension btree_gin;")
    _create_directory()
    _create_clients()
    _create_search()
    _create_records()
    _create_imports()


def _create_directory() -> None:
    run_sql(
        """
        create table chains (
            chain_id text primary key,
            display_name text not null,
            country text not null,
            currency_code text not null,
            time_zone text not null,
            created_at timestamptz not null
        );
        create table stores (
            chain_id text not null,
            store_id text not null,
            display_name text not null,
            time_zone text not null,
            country text not null,
            created_at timestamptz not null,
            primary key (chain_id, store_id)
        );
        create index stores_by_name on stores (chain_id, display_name, store_id);
        create table associates (
            chain_id text not null,
            associate_id text not null,
            store_id text not null,
            display_name text not null,
            email text not null,
            is_active boolean not null default true,
            created_at timestamptz not null,
            primary key (chain_id, associate_id),
            foreign key (chain_id, store_id) references stores
        );
        create unique index associates_email on associates (chain_id, lower(email));
        create index associates_by_name on associates (chain_id, display_name, associate_id);
        create index associates_of_store on associates (chain_id, store_id, display_name, associate_id);
        create table brands (
            chain_id text not null,
            brand_id text not null,
            display_name text not null,
            created_at timestamptz not null,
            primary key (chain_id, brand_id)
        );
        create index brands_by_name on brands (chain_id, display_name, brand_id);
        """
    )
    secure("chains", platform=True)
    secure("stores", "associates", "brands")


def _create_clients() -> None:
    run_sql(
        """
        create table clients (
            chain_id text not null,
            client_id text not null,
            given_name text not null default '',
            family_name text not null default '',
            language text not null default '',
            time_zone text not null default '',
            home_store_id text not null,
            associate_id text not null default '',
            source text not null default '',
            external_id text not null default '',
            version bigint not null default 1,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            primary key (chain_id, client_id)
        );
        create unique index clients_external_id on clients (chain_id, source, external_id) where external_id <> '';
        create index clients_of_store on clients (chain_id, home_store_id, client_id);
        create index clients_of_associate on clients (chain_id, associate_id, client_id) where associate_id <> '';

        create table contact_points (
            chain_id text not null,
            contact_point_id text not null,
            position bigint generated always as identity,
            client_id text not null,
            kind text not null check (kind in ('phone', 'email')),
            value text not null,
            match_key text not null,
            label text not null default '',
            is_preferred boolean not null default false,
            verified_at timestamptz,
            unique (chain_id, client_id, kind, match_key),
            primary key (chain_id, contact_point_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index contact_points_match on contact_points (chain_id, match_key, kind);

        create table occasions (
            chain_id text not null,
            occasion_id text not null,
            position bigint generated always as identity,
            client_id text not null,
            kind text not null,
            year integer not null,
            month integer not null,
            day integer not null,
            for_whom text not null default '',
            primary key (chain_id, occasion_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index occasions_of_client on occasions (chain_id, client_id);

        create table preferences (
            client_id text not null,
            position integer not null,
            chain_id text not null,
            kind text not null,
            value text not null,
            source text not null default '',
            noted_on date,
            primary key (chain_id, client_id, position),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        """
    )
    secure("clients", "contact_points", "occasions", "preferences")


def _create_search() -> None:
    # LIKE is not leakproof, so Postgres uses no index for it behind row-level security. The words of a client therefore
    # stand in a table of their own whose policy binds the runtime role but not the owner, and are read through one
    # function that runs as the owner and names the chain itself. clients keeps its policy for both.
    run_sql(
        r"""
        create table client_search (
            client_id text not null,
            chain_id text not null,
            terms text not null,
            primary key (chain_id, client_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index client_search_terms on client_search using gin (chain_id, terms gin_trgm_ops);

        create function searchable(words text) returns text
            language sql immutable strict parallel safe
            return lower(unaccent('unaccent'::regdictionary, words));

        create function search_pattern(word text) returns text
            language sql immutable strict parallel safe
            return '%' || replace(replace(replace(searchable(word), '\', '\\'), '%', '\%'), '_', '\_') || '%';

        create function search_clients(
            words text[], in_store text, of_associate text, before text, most integer
        ) returns setof text
        language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            patterns text[] := (
                select array_agg(search_pattern(word) order by length(word) desc) from unnest(words) word
            );
        begin
            return query
            select s.client_id
            from client_search s join clients c using (chain_id, client_id)
            where s.chain_id = current_setting('carnet.chain_id', true)
              and s.terms like patterns[1] and s.terms like all (patterns)
              and (in_store = '' or c.home_store_id = in_store)
              and (of_associate = '' or c.associate_id = of_associate)
              and (before = '' or s.client_id < before)
            order by s.client_id desc
            limit most;
        end $$;
        """
    )
    secure("client_search")
    run_sql("alter table client_search no force row level security;")


def _create_records() -> None:
    run_sql(
        f"""
        create table purchases (
            chain_id text not null,
            purchase_id text not null,
            client_id text not null,
            store_id text not null,
            associate_id text not null default '',
            purchased_on date not null,
            total_minor bigint not null,
            currency_code text not null,
            occasion_kind text not null default '',
            for_whom text not null default '',
            source text not null default '',
            external_id text not null default '',
            created_at timestamptz not null,
            primary key (chain_id, purchase_id),
            foreign key (chain_id, client_id) references clients
        );
        create unique index purchases_external_id on purchases (chain_id, source, external_id) where external_id <> '';
        create index purchases_of_client on purchases (chain_id, client_id);
        create table purchase_lines (
            purchase_id text not null,
            position integer not null,
            chain_id text not null,
            quantity integer not null,
            amount_minor bigint not null,
            {_PIECE},
            primary key (chain_id, purchase_id, position)
        );

        create table visits (
            chain_id text not null,
            visit_id text not null,
            client_id text not null,
            store_id text not null,
            associate_id text not null default '',
            visited_at timestamptz not null,
            for_whom text not null default '',
            needed_by date,
            note text not null default '',
            created_at timestamptz not null,
            primary key (chain_id, visit_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index visits_of_client on visits (chain_id, client_id);
        create table visit_items (
            visit_id text not null,
            position integer not null,
            chain_id text not null,
            is_liked boolean not null,
            {_PIECE},
            primary key (chain_id, visit_id, position),
            foreign key (chain_id, visit_id) references visits on delete cascade
        );

        create table consents (
            chain_id text not null,
            consent_id text not null,
            client_id text not null,
            contact_point_id text not null,
            contact_value text not null,
            channel text not null,
            purposes text[] not null,
            wording text not null,
            captured_by text not null,
            captured_at timestamptz not null,
            source text not null default '',
            primary key (chain_id, consent_id)
        );
        create index consents_of_client on consents (chain_id, client_id);

        create table timeline_entries (
            entry_id text not null,
            chain_id text not null,
            client_id text not null,
            kind text not null,
            occurred_at timestamptz not null,
            summary text not null,
            subject_id text not null,
            primary key (chain_id, client_id, occurred_at, entry_id)
        );
        """
    )
    secure("purchases", "purchase_lines", "visits", "visit_items", "consents", "timeline_entries")
    append_only("consents", role="profiles")


def _create_imports() -> None:
    # import_rows counts equal rows of a file while it is read, so that the process need not remember them. A crash of
    # Postgres may empty it: it cuts the upload too, and the next one begins at the first line.
    run_sql(
        """
        create table imports (
            chain_id text not null,
            import_id text not null,
            source text not null,
            file_name text not null,
            format text not null,
            delimiter text not null,
            columns jsonb not null,
            store_id text not null,
            associate_ids text[] not null,
            state text not null,
            upload_id text not null default '',
            upload_seen_at timestamptz,
            bytes_received bigint not null default 0,
            lines_read bigint not null default 0,
            lines_refused bigint not null default 0,
            clients_created bigint not null default 0,
            purchases_created bigint not null default 0,
            purchases_unchanged bigint not null default 0,
            failure text not null default '',
            created_at timestamptz not null,
            finished_at timestamptz,
            primary key (chain_id, import_id)
        );
        create table import_faults (
            import_id text not null,
            line bigint not null,
            field text not null,
            chain_id text not null,
            reason text not null,
            message text not null,
            primary key (chain_id, import_id, line, field)
        );
        create unlogged table import_rows (
            import_id text not null,
            row_hash bigint not null,
            chain_id text not null,
            occurrences integer not null,
            primary key (chain_id, import_id, row_hash)
        );
        """
    )
    secure("imports", "import_faults", "import_rows")
