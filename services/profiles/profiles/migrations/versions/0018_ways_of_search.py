"""Searching takes the way that costs least: what the newest clients tell, and an index that knows stores.

The names and arguments of newest_fitting and all_fitting stay, so that the code of before goes on with them.
"""

from chassis.migrations import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """One index for another; while it is built, some seconds for a million clients, changes to clients wait."""
    run_sql(
        """
        create index client_search_of_words on client_search using gin (chain_id, home_store_id, (who || bought));
        drop index client_search_words;
        """
    )
    _tell_from_the_newest()
    _look_at_the_newest()
    _ask_the_index()
    _plan_once()


def _tell_from_the_newest() -> None:
    run_sql(
        r"""
        -- About how much of all clients are this chain's: of all chains' the statistics know the largest.
        create function share_of_chain(chain text) returns real
            language plpgsql stable security definer
            set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
        begin
            return (
                select coalesce(max(k.share) filter (where k.chain = share_of_chain.chain), min(k.share), 1)
                from pg_stats t
                cross join unnest(t.most_common_vals::text::text[], t.most_common_freqs) k (chain, share)
                where t.schemaname = 'public' and t.tablename = 'client_search' and t.attname = 'chain_id'
            );
        end $$;

        -- How many of the chain's newest clients fit each word, how many fit all of them, how many are of `own` stores,
        -- and about how many clients there are. From this store/search_ways.py judges what each way costs.
        create function hits_among_newest(
            each_word tsquery[], but_not tsquery, of_piece text[], own text[], width integer,
            out hits integer[], out fitting integer, out of_own integer, out looked_at integer,
            out clients double precision
        ) language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_generic_plan
            set enable_seqscan = off set enable_bitmapscan = off as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
        begin
            with newest as materialized (
                select s.home_store_id, s.who, s.who || s.bought as words, s.pieces from client_search s
                where s.chain_id = this_chain
                order by s.client_id desc limit width
            )
            select array(
                select (select count(*) from newest n where n.words @@ w.word)
                from unnest(each_word) with ordinality w (word, place) order by w.place
            ), (
                select count(*) from newest n
                where n.words @@ all (each_word) and (but_not is null or not n.words @@ but_not)
                  and (cardinality(each_word) < 2 or fits_one_piece(n.who, n.pieces, each_word, of_piece))
            ), (
                select count(*) from newest n where own is null or n.home_store_id = any (own)
            ), (select count(*) from newest)
            into hits, fitting, of_own, looked_at;
            clients := greatest(looked_at, (select c.reltuples from pg_class c where c.oid = 'client_search'::regclass)
                * share_of_chain(this_chain));
        end $$;
        """
    )


def _look_at_the_newest() -> None:
    run_sql(
        r"""
        -- The newest of some stores' clients, no more than `width`, and whoever among them fits. Bounded work: this is
        -- how "m" is answered, which a tenth of all clients fit. Stops as soon as there are `most`. Complete when these
        -- are the first `most` of all, or when there are no more.
        create or replace function newest_fitting(
            stores text[], but_not_stores text[], wanted tsquery, but_not tsquery, each_word tsquery[], of_piece text[],
            before text, width integer, most integer, out client_ids text[], out is_complete boolean
        ) language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_generic_plan
            set enable_seqscan = off set enable_bitmapscan = off as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
            is_one_word boolean := cardinality(each_word) < 2;
        begin
            if stores is null then
                client_ids := array(
                    select r.client_id from (
                        select s.client_id, s.who, s.who || s.bought as words, s.pieces from client_search s
                        where s.chain_id = this_chain and s.client_id < before
                          and (but_not_stores is null or s.home_store_id <> all (but_not_stores))
                        order by s.client_id desc limit width
                    ) r
                    where r.words @@ wanted and (but_not is null or not r.words @@ but_not)
                      and (is_one_word or fits_one_piece(r.who, r.pieces, each_word, of_piece))
                    order by r.client_id desc limit most
                );
                -- Counted in the index alone, so without a look at the stores: sometimes the others were fewer.
                is_complete := cardinality(client_ids) >= most or width > (
                    select count(*) from (
                        select from client_search s where s.chain_id = this_chain and s.client_id < before
                        order by s.client_id desc limit width
                    ) looked_at
                );
                return;
            end if;
            width := greatest(width / cardinality(stores), 100);
            with found as materialized (
                select store.store_id, f.client_id from unnest(stores) store (store_id) cross join lateral (
                    select r.client_id from (
                        select s.client_id, s.who, s.who || s.bought as words, s.pieces from client_search s
                        where s.chain_id = this_chain and s.home_store_id = store.store_id and s.client_id < before
                        order by s.client_id desc limit width
                    ) r
                    where r.words @@ wanted and (but_not is null or not r.words @@ but_not)
                      and (is_one_word or fits_one_piece(r.who, r.pieces, each_word, of_piece))
                    order by r.client_id desc limit most
                ) f
            ), reach as (
                -- Down to here everybody of every store was looked at.
                select coalesce(max(least), '') as least from unnest(stores) store (store_id) cross join lateral (
                    select min(l.client_id) as least from (
                        select s.client_id from client_search s
                        where s.chain_id = this_chain and s.home_store_id = store.store_id and s.client_id < before
                        order by s.client_id desc limit width
                    ) l
                    having count(*) = width
                       and (select count(*) from found f where f.store_id = store.store_id) < most
                ) looked_at
            )
            select array(
                select f.client_id from found f where f.client_id >= reach.least order by f.client_id desc limit most
            ), reach.least = '' from reach
            into client_ids, is_complete;
            is_complete := is_complete or cardinality(client_ids) >= most;
        end $$;
        """
    )


def _ask_the_index() -> None:
    run_sql(
        r"""
        -- Everybody of some stores who fits, newest first. The index is asked for `wanted`, which may be the seldom
        -- words alone; all of them are compared. Stores are the chain's, so the index is not asked for the chain
        -- beside: it would go through everybody.
        create function fitting_in_stores(
            stores text[], wanted tsquery, but_not tsquery, each_word tsquery[], of_piece text[], before text,
            most integer
        ) returns text[]
            language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_generic_plan
            set enable_seqscan = off set enable_indexscan = off set work_mem = '32MB' as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
            is_one_word boolean := cardinality(each_word) < 2;
        begin
            return array(
                select m.client_id from (
                    select s.client_id, s.who, s.pieces from client_search s
                    where s.chain_id || '' = this_chain
                      and s.home_store_id = any (stores) and (s.who || s.bought) @@ wanted and s.client_id < before
                      and (is_one_word or (s.who || s.bought) @@ all (each_word))
                      and (but_not is null or not (s.who || s.bought) @@ but_not)
                    order by s.client_id desc offset 0
                ) m
                where is_one_word or fits_one_piece(m.who, m.pieces, each_word, of_piece)
                limit most
            );
        end $$;

        -- Everybody who fits, as before: first those of `own` stores (null: all are), then the rest, in each the
        -- newest. Where most clients are this chain's the index is not asked for the chain either. Planned anew each
        -- time, so that what is not asked for is left out.
        create or replace function all_fitting(
            own text[], of_associate text, wanted tsquery, but_not tsquery, each_word tsquery[], of_piece text[],
            before_own text, before_others text, most integer
        ) returns table (client_id text, is_own boolean)
            language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_custom_plan
            set enable_seqscan = off set enable_indexscan = off set work_mem = '32MB' as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
            is_one_word boolean := cardinality(each_word) < 2;
            is_most boolean := share_of_chain(this_chain) > 0.5;
        begin
            return query
            with matching as materialized (
                select s.client_id, own is null or s.home_store_id = any (own) as is_own, s.who, s.pieces
                from client_search s
                where (is_most or s.chain_id = this_chain) and s.chain_id || '' = this_chain
                  and (s.who || s.bought) @@ wanted
                  and (is_one_word or (s.who || s.bought) @@ all (each_word))
                  and (but_not is null or not (s.who || s.bought) @@ but_not)
                  and (of_associate = '' or exists (
                      select from clients c where c.chain_id = this_chain and c.client_id = s.client_id
                      and c.associate_id = of_associate))
            )
            select f.client_id, side.is_own
            from (values (true, before_own), (false, before_others)) side (is_own, before) cross join lateral (
                -- Pieces are compared from the newest on, and no further than the page.
                select m.client_id from (
                    select m.client_id, m.who, m.pieces from matching m
                    where m.is_own = side.is_own and m.client_id < side.before
                    order by m.client_id desc offset 0
                ) m
                where is_one_word or fits_one_piece(m.who, m.pieces, each_word, of_piece)
                limit most
            ) f;
        end $$;
        """
    )


def _plan_once() -> None:
    run_sql(
        r"""
        -- As before, but planned once a session: that took as long as to look.
        create or replace function similar_names(typed text[])
            returns table (word text, name text, word_sound text, name_sound_of text)
            language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set enable_seqscan = off
            set plan_cache_mode = force_generic_plan as $$
        #variable_conflict use_column
        begin
            return query
            select distinct t.word, cast(n.word as text), name_sound(t.word), name_sound(n.word)
            from unnest(typed) t (word) join client_words n
                on n.chain_id = current_setting('carnet.chain_id', true) and n.keys <> '{}'
                and n.keys && name_keys(t.word);
        end $$;
        """
    )
