"""Finding clients as somebody types, and timelines of millions of lines.

client_search keeps a client's words once: `who` from the profile, `bought` from the purchases, one index over both. Its
column terms and the function search_clients are the code's of before; a later version takes them away.
"""

from chassis.migrations import run_sql, secure

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _order_timelines_by_kind()
    _spell_words()
    _keep_words()
    _keep_names()
    _find_clients()
    _refresh()
    _fill()


def _order_timelines_by_kind() -> None:
    # With the kind before the time one index serves every page of a timeline, filtered or not, and imports pay for no
    # second one. Nothing is rewritten; while the index is built, lines wait.
    run_sql(
        """
        alter table timeline_entries
            drop constraint timeline_entries_pkey,
            add primary key (chain_id, client_id, kind, occurred_at, entry_id);
        """
    )


def _spell_words() -> None:
    # What is ASCII already, as nearly all is, takes the quick way: these run for each client of an import.
    run_sql(
        r"""
        create function plain_text(said text) returns text
            language sql stable parallel safe
            return case when octet_length(said) = length(said)
                then translate(lower(said), $$-.,;:_/()[]{}!?"#%&*+=<>@|~^`$\$$, repeat(' ', 33))
                else regexp_replace(searchable(said), '[^[:alnum:]'']+', ' ', 'g') end;

        create function words_of(plain text) returns text[]
            language sql immutable parallel safe
            return array_remove(string_to_array(plain, ' '), '');

        -- O'Brien is found as O Brien and as OBrien.
        create function name_text(said text) returns text
            language sql stable parallel safe
            return case when strpos(plain_text(said), '''') = 0 then plain_text(said)
                else translate(plain_text(said), '''', ' ') || ' ' || translate(plain_text(said), '''', '') end;

        -- A fragment of a number may begin anywhere in it; what begins anywhere is the beginning of a tail.
        create function contact_text(kind text, match_key text) returns text
            language sql stable parallel safe
            return case when kind = 'phone' then
                concat_ws(' +', '', right(match_key, 3), right(match_key, 4), right(match_key, 5), right(match_key, 6),
                    right(match_key, 7), right(match_key, 8), right(match_key, 9), right(match_key, 10),
                    right(match_key, 11), right(match_key, 12), right(match_key, 13), right(match_key, 14),
                    substr(match_key, 2))
                else match_key || ' ' || plain_text(match_key) end;

        -- How a name sounds, roughly and in most languages of Europe: letters that are written for one another are one.
        create function name_sound(word text) returns text
            language sql immutable strict parallel safe
            return regexp_replace(translate(
                replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
                word, 'sch', 's'), 'sh', 's'), 'ph', 'f'), 'ce', 'se'), 'ci', 'si'), 'cy', 'si'), 'ck', 'k'),
                'ch', 'k'), 'qu', 'k'), 'x', 'ks'), 'cqzyjwh', 'kksiiv'), '(.)\1+', '\1', 'g');

        -- Two words with one letter missing, too many, another or in the wrong place have a key in common.
        create function name_keys(word text) returns text[]
            language sql immutable strict parallel safe
            return (
                select array_agg(distinct key)
                from (select name_sound(word) sound) said cross join lateral (
                    select said.sound
                    union all
                    select left(said.sound, place - 1) || substr(said.sound, place + 1)
                    from generate_series(1, length(said.sound)) place where length(said.sound) > 3
                ) keys (key)
            );
        """
    )


def _keep_words() -> None:
    # The policies of both tables bind the runtime role but not their owner, as whom the functions that search run: what
    # they compare with is not leakproof, so that Postgres uses no index for it behind row-level security. They name the
    # chain themselves.
    run_sql(
        """
        alter table client_search
            add column home_store_id text not null default '',
            add column who tsvector not null default '',
            add column bought tsvector not null default '',
            alter column terms set default '';
        drop index client_search_terms;
        create index client_search_words on client_search using gin (chain_id, (who || bought))
            with (gin_pending_list_limit = 1024);
        create index client_search_of_store on client_search (chain_id, home_store_id, client_id);

        -- Without a unique key: two who bring one new name at a time must not wait for each other; twice does no harm.
        create table client_name_words (
            chain_id text not null,
            word text not null,
            keys text[] not null
        );
        create index client_name_words_word on client_name_words (chain_id, word);
        create index client_name_words_keys on client_name_words using gin (chain_id, keys);
        """
    )
    secure("client_name_words")
    run_sql("alter table client_name_words no force row level security;")


def _find_clients() -> None:
    run_sql(
        r"""
        create function piece_text(
            year integer, brand text, reference text, serial text, category text, description text, metal text,
            stone text, cut text, style text, certificate text
        ) returns text
            language sql stable parallel safe
            return concat_ws(' ', year, brand, reference, serial, category, description, metal, stone, cut, style,
                certificate);

        -- What was bought must be one piece, with the year of its purchase: not the stone of one, the style of another.
        create function fits_one_piece(of_chain text, of_client text, who tsvector, each_word tsquery[])
            returns boolean
            language plpgsql stable as $$
        declare
            of_piece tsquery[] := array(select word from unnest(each_word) word where not who @@ word);
        begin
            if cardinality(of_piece) < 2 then
                return true;
            end if;
            return exists (
                select from purchases p
                join purchase_lines l on l.chain_id = p.chain_id and l.purchase_id = p.purchase_id
                left join brands b on b.chain_id = l.chain_id and b.brand_id = l.brand_id
                cross join lateral array_to_tsvector(words_of(name_text(piece_text(
                    extract(year from p.purchased_on)::integer, b.display_name, l.reference, l.serial, l.category,
                    l.description, l.metal, l.stone, l.cut, l.style, l.certificate)))) piece
                where p.chain_id = of_chain and p.client_id = of_client
                  and not exists (select from unnest(of_piece) word where not piece @@ word)
            );
        end $$;

        -- The newest of some stores' clients, no more than `width`, and whoever among them fits. Bounded work: this is
        -- how "m" is answered, which a tenth of all clients fit.
        create function newest_fitting(
            stores text[], but_not_stores text[], wanted tsquery, but_not tsquery, each_word tsquery[], before text,
            width integer, most integer, out client_ids text[], out hits bigint, out is_all boolean
        ) language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_generic_plan
            set enable_seqscan = off set enable_bitmapscan = off as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
        begin
            if stores is null then
                with recent as materialized (
                    select s.client_id, s.who, s.bought from client_search s
                    where s.chain_id = this_chain and s.client_id < before
                      and (but_not_stores is null or s.home_store_id <> all (but_not_stores))
                    order by s.client_id desc limit width
                ), fitting as materialized (
                    select r.client_id, r.who from recent r
                    where r.who || r.bought @@ wanted and not coalesce(r.who || r.bought @@ but_not, false)
                )
                select array(
                    select f.client_id from (select * from fitting order by client_id desc offset 0) f
                    where fits_one_piece(this_chain, f.client_id, f.who, each_word) limit most
                ), (select count(*) from fitting), (select count(*) < width from recent)
                into client_ids, hits, is_all;
                return;
            end if;
            width := greatest(width / cardinality(stores), 100);
            with recent as materialized (
                select r.* from unnest(stores) store (store_id) cross join lateral (
                    select s.client_id, s.who, s.bought, s.home_store_id from client_search s
                    where s.chain_id = this_chain and s.home_store_id = store.store_id and s.client_id < before
                    order by s.client_id desc limit width
                ) r
            ), reach as (
                -- Down to here everybody of every store was looked at.
                select coalesce(max(least), '') least from (
                    select min(client_id) least from recent group by home_store_id having count(*) = width) stores
            ), fitting as materialized (
                select r.client_id, r.who from recent r, reach
                where r.client_id >= reach.least
                  and r.who || r.bought @@ wanted and not coalesce(r.who || r.bought @@ but_not, false)
            )
            select array(
                select f.client_id from (select * from fitting order by client_id desc offset 0) f
                where fits_one_piece(this_chain, f.client_id, f.who, each_word) limit most
            ), (select count(*) from fitting), (select least = '' from reach)
            into client_ids, hits, is_all;
        end $$;

        -- Everybody who fits, through the index of words. Stands behind newest_fitting, which answers what many fit.
        create function all_fitting(
            stores text[], but_not_stores text[], of_associate text, wanted tsquery, but_not tsquery,
            each_word tsquery[], before text, most integer
        ) returns text[]
            language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_generic_plan
            set enable_seqscan = off set work_mem = '32MB' as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
        begin
            return array(
                select f.client_id from (
                    select s.client_id, s.who from client_search s
                    where s.chain_id = this_chain and (s.who || s.bought) @@ wanted
                      and not coalesce((s.who || s.bought) @@ but_not, false) and s.client_id < before
                      and (stores is null or s.home_store_id = any (stores))
                      and (but_not_stores is null or s.home_store_id <> all (but_not_stores))
                      and (of_associate = '' or exists (
                          select from clients c where c.chain_id = this_chain and c.client_id = s.client_id
                          and c.associate_id = of_associate))
                    order by s.client_id desc offset 0
                ) f
                where fits_one_piece(this_chain, f.client_id, f.who, each_word) limit most
            );
        end $$;
        """
    )


def _keep_names() -> None:
    run_sql(
        r"""
        create function similar_names(typed text[])
            returns table (word text, name text, word_sound text, name_sound_of text)
            language sql stable security definer
            set search_path = public, pg_temp set jit = off set enable_seqscan = off
        begin atomic
            select distinct t.word, n.word, name_sound(t.word), name_sound(n.word)
            from unnest(typed) t (word) join client_name_words n
                on n.chain_id = current_setting('carnet.chain_id', true) and n.keys && name_keys(t.word);
        end;

        -- A name that nobody has any more must not be kept: it may have been one person's only.
        create function forget_names(words text[]) returns void
            language sql volatile security definer
            set search_path = public, pg_temp set jit = off set enable_seqscan = off
        begin atomic
            delete from client_name_words n
            where n.chain_id = current_setting('carnet.chain_id', true) and n.word = any (words)
              and not exists (
                  select from client_search s where s.chain_id = n.chain_id
                  and (s.who || s.bought) @@ cast(quote_literal(n.word) as tsquery));
        end;

        create function forget_names_of_gone() returns trigger language plpgsql as $$
        begin
            perform forget_names(array(select distinct unnest(tsvector_to_array(who)) from gone));
            return null;
        end $$;
        create trigger forget_names after delete on client_search
            referencing old table as gone for each statement execute function forget_names_of_gone();
        """
    )


def _refresh() -> None:
    run_sql(
        """
        -- Brings the words of clients in line; of what they bought, only those purchases are new, or all with null.
        -- Returns what clients are not found by any more. Under the caller's row-level security.
        create function refresh_search(of_clients text[], purchases text[]) returns setof text
            language sql volatile
        begin atomic
            with changed as materialized (
                select c.chain_id, c.client_id, c.home_store_id, c.name, known.who,
                    array_to_tsvector(words_of(concat_ws(' ', c.name, plain_text(c.others), (
                        select string_agg(contact_text(p.kind, p.match_key), ' ') from contact_points p
                        where p.chain_id = c.chain_id and p.client_id = c.client_id
                    )))) as words,
                    case when purchases is null or known.bought is null then '' else known.bought end
                        || case when cardinality(purchases) = 0 then '' else coalesce((
                            select array_to_tsvector(words_of(name_text(string_agg(piece_text(
                                extract(year from p.purchased_on)::integer, b.display_name, l.reference, l.serial,
                                l.category, l.description, l.metal, l.stone, l.cut, l.style, l.certificate), ' '))))
                            from purchases p
                            join purchase_lines l on l.chain_id = p.chain_id and l.purchase_id = p.purchase_id
                            left join brands b on b.chain_id = l.chain_id and b.brand_id = l.brand_id
                            where p.chain_id = c.chain_id and p.client_id = c.client_id
                              and (purchases is null or p.purchase_id = any (purchases))
                        ), '') end as bought
                from (
                    select chain_id, client_id, home_store_id, name_text(given_name || ' ' || family_name) as name,
                        nickname || ' ' || array_to_string(tags, ' ') as others
                    from clients
                    where chain_id = current_setting('carnet.chain_id', true) and client_id = any (of_clients)
                    offset 0
                ) c
                left join client_search known on known.chain_id = c.chain_id and known.client_id = c.client_id
            ), kept as (
                insert into client_search (chain_id, client_id, home_store_id, who, bought)
                select chain_id, client_id, home_store_id, words, bought from changed order by client_id
                on conflict (chain_id, client_id) do update set
                    home_store_id = excluded.home_store_id, who = excluded.who, bought = excluded.bought, terms = ''
                where (client_search.home_store_id, client_search.who, client_search.bought)
                    is distinct from (excluded.home_store_id, excluded.who, excluded.bought)
            ), named as (
                insert into client_name_words (chain_id, word, keys)
                select current_setting('carnet.chain_id', true), word, name_keys(word) from (
                    select distinct unnest(words_of(name)) word from changed where who is distinct from words
                ) names
                where length(word) > 2 and not exists (
                    select from client_name_words n
                    where n.chain_id = current_setting('carnet.chain_id', true) and n.word = names.word)
            )
            select unnest(tsvector_to_array(who)) from changed where who is distinct from words
            except
            select unnest(tsvector_to_array(words)) from changed where who is distinct from words;
        end;
        """
    )


def _fill() -> None:
    # Once for every chain that is there; afterwards the service keeps it so.
    run_sql(
        """
        do $$
        declare
            this_chain text;
        begin
            perform set_config('carnet.platform', 'on', true);
            for this_chain in select chain_id from chains loop
                perform set_config('carnet.chain_id', this_chain, true);
                perform refresh_search(array(select client_id from clients), null);
            end loop;
            perform set_config('carnet.chain_id', '', true);
            perform set_config('carnet.platform', '', true);
        end $$;
        """
    )
