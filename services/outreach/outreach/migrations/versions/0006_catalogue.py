"""Pieces, the shelf of every store, the stores themselves, and what came to or left a shelf."""

from chassis.migrations import run_sql, secure

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Only new tables, and derived columns on wishes so that a piece finds those who wished for it."""
    run_sql(
        r"""
        create extension if not exists pg_trgm; -- trusted: the owner of the database may create them
        create extension if not exists unaccent;

        create function searchable(words text) returns text
            language sql immutable strict parallel safe
            return lower(unaccent('unaccent'::regdictionary, regexp_replace(btrim(words), '\s+', ' ', 'g')));

        alter table wishes
            add reference_key text generated always as (searchable(reference)) stored,
            add category_key text generated always as (searchable(category)) stored,
            add metal_key text generated always as (searchable(metal)) stored,
            add stone_key text generated always as (searchable(stone)) stored;
        create index wishes_for_reference on wishes (chain_id, reference_key) where not is_removed;
        create index wishes_for_category on wishes (chain_id, category_key) where not is_removed;

        create table stores (
            chain_id text not null,
            store_id text collate "C" not null,
            primary key (chain_id, store_id)
        );

        -- A deleted piece keeps its row, so that an upsert brings it back under its own id, and what was bought of it
        -- still says which set it belongs to.
        create table pieces (
            chain_id text not null,
            piece_id text collate "C" not null,
            code text collate "C" not null,
            display_name text not null,
            brand_id text not null,
            collection text not null,
            reference text not null,
            category text not null,
            metal text not null,
            stone text not null,
            cut text not null,
            style text not null,
            size text not null,
            set_code text not null,
            price_minor bigint,
            currency_code text not null default '',
            image_url text not null,
            -- Of everything that a caller says of a piece but arrive dates: what is the same is left alone.
            fingerprint text not null,
            is_deleted boolean not null default false,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            reference_key text generated always as (searchable(reference)) stored,
            category_key text generated always as (searchable(category)) stored,
            metal_key text generated always as (searchable(metal)) stored,
            stone_key text generated always as (searchable(stone)) stored,
            set_key text generated always as (searchable(set_code)) stored,
            primary key (chain_id, piece_id)
        ) with (fillfactor = 85); -- a new price or stock then changes no index
        create unique index pieces_by_code on pieces (chain_id, code);
        create index pieces_of_brand on pieces (chain_id, brand_id, piece_id) where not is_deleted;
        create index pieces_of_category on pieces (chain_id, category_key, piece_id) where not is_deleted;
        create index pieces_of_reference on pieces (chain_id, reference_key) where reference_key <> '';

        -- What lies in a store now, a row for each piece and store with at least one of it, beside what it is looked up
        -- by: a store's shelf is small even where the catalogue is not.
        create table shelf (
            chain_id text not null,
            store_id text collate "C" not null,
            piece_id text collate "C" not null,
            quantity integer not null check (quantity > 0),
            arrived_on date not null,
            brand_id text not null,
            reference_key text not null,
            category_key text not null,
            metal_key text not null,
            stone_key text not null,
            set_key text not null,
            price_minor bigint,
            currency_code text not null,
            primary key (chain_id, store_id, piece_id)
        ) with (fillfactor = 85);
        create index shelf_of_piece on shelf (chain_id, piece_id);
        create index shelf_newest on shelf (chain_id, store_id, arrived_on desc, piece_id);
        create index shelf_of_brand on shelf (chain_id, store_id, brand_id, arrived_on desc, piece_id);
        create index shelf_of_category on shelf (chain_id, store_id, category_key, arrived_on desc, piece_id);
        create index shelf_of_stone on shelf (chain_id, store_id, stone_key, arrived_on desc, piece_id)
            where stone_key <> '';
        create index shelf_of_reference on shelf (chain_id, store_id, reference_key) where reference_key <> '';
        create index shelf_of_set on shelf (chain_id, store_id, set_key) where set_key <> '';

        -- What came to or left a shelf: for whom that means something is found in the background, at once and once more
        -- later. The columns are those of the shelf at the time.
        create table shelf_news (
            position bigint generated always as identity primary key,
            chain_id text not null,
            store_id text not null,
            brand_id text not null,
            reference_key text not null,
            category_key text not null,
            metal_key text not null,
            stone_key text not null,
            is_second boolean not null default false,
            due_at timestamptz not null
        );
        create index shelf_news_due on shelf_news (due_at);
        create index shelf_news_of_store on shelf_news (chain_id, store_id, due_at);

        -- LIKE is not leakproof, so Postgres uses no index for it behind row-level security: as in profiles, the words
        -- stand in a table whose policy binds the runtime role but not the owner, and one function of the owner's
        -- reads it and names the chain itself. terms are folded words of letters and digits, a space before each.
        create table piece_search (
            chain_id text not null,
            piece_id text collate "C" not null,
            brand_id text not null,
            category_key text not null,
            terms text not null,
            primary key (chain_id, piece_id)
        );
        create index piece_search_terms on piece_search using gin (chain_id, terms gin_trgm_ops);

        create function search_pieces(
            words text[], of_brand text, of_category text, in_store text, before text, most integer
        ) returns setof text
        language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            own text := current_setting('carnet.chain_id', true);
            patterns text[] := (
                select array_agg('% ' || word || '%' order by length(word) desc) from unnest(words) word
            );
        begin
            return query
            select s.piece_id
            from piece_search s
            where s.chain_id = own
              and s.terms like patterns[1] and s.terms like all (patterns)
              and (of_brand = '' or s.brand_id = of_brand)
              and (of_category = '' or s.category_key = searchable(of_category))
              and (in_store = '' or exists (select 1 from shelf h
                where h.chain_id = own and h.store_id = in_store and h.piece_id = s.piece_id))
              and (before = '' or s.piece_id < before)
            order by s.piece_id desc
            limit most;
        end $$;
        """
    )
    secure("stores", "pieces", "shelf", "piece_search")
    secure("shelf_news", platform=True)
    run_sql("alter table piece_search no force row level security;")
