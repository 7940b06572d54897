"""Finding clients as somebody types, and timelines of millions of lines.

client_search keeps a client's words once: `who` from the profile, `bought` from the purchases, one index over both.
Words with a digit begin with #, pieces of e-mails with @, four digits of a phone number in a row with +. The rest are
names, tags and what pieces are like; those the chain knows one by one (client_words). The column terms and the function
search_clients are the code's of before; a later version takes them away.
"""

from chassis.migrations import run_sql, secure

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _order_timelines_by_kind()
    _spell_words()
    _keep_words()
    _know_words()
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
        create function with_joined(plain text) returns text
            language sql immutable parallel safe
            return case when strpos(plain, '''') = 0 then plain
                else translate(plain, '''', ' ') || ' ' || translate(plain, '''', '') end;

        -- Of what clients are called and tagged with, words that begin with a digit are marked; of pieces all that have
        -- one: no chain can know its serial numbers one by one.
        create function person_text(said text) returns text
            language sql stable parallel safe
            return case when said ~ '[0-9]'
                then regexp_replace(with_joined(plain_text(said)), '(^| )([0-9])', '\1#\2', 'g')
                else with_joined(plain_text(said)) end;

        create function piece_words(pieces text[]) returns text[]
            language sql stable parallel safe
            return words_of(regexp_replace(array_to_string(pieces, ' '), '(^| )([^ ]*[0-9])', '\1#\2', 'g'));

        -- A fragment of a number may begin anywhere in it: each four digits in a row are a word, and the last three.
        -- Few words that many have cost an import less than many that one has.
        create function contact_text(kind text, match_key text) returns text
            language sql stable parallel safe
            return case when kind = 'phone' then '+' || array_to_string((array[
                    substr(match_key, 2, 4), substr(match_key, 3, 4), substr(match_key, 4, 4), substr(match_key, 5, 4),
                    substr(match_key, 6, 4), substr(match_key, 7, 4), substr(match_key, 8, 4), substr(match_key, 9, 4),
                    substr(match_key, 10, 4), substr(match_key, 11, 4), substr(match_key, 12, 4),
                    substr(match_key, 13, 4), substr(match_key, 14, 4)
                ])[1:length(match_key) - 3], ' +')
                else '@' || replace(plain_text(match_key), ' ', ' @') end;

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
            add column pieces text[] not null default '{}',
            alter column terms set default '';
        drop index client_search_terms;
        create index client_search_words on client_search using gin (chain_id, (who || bought));
        create index client_search_of_store on client_search (chain_id, home_store_id, client_id);

        -- Without a unique key: two who bring one new word at a time must not wait for each other; twice does no harm.
        create table client_words (
            chain_id text not null,
            word text collate "C" not null,
            keys text[] not null
        );
        create index client_words_word on client_words (chain_id, word);
        create index client_words_keys on client_words using gin (chain_id, keys) where keys <> '{}';
        """
    )
    secure("client_words")
    run_sql("alter table client_words no force row level security;")


def _know_words() -> None:
    run_sql(
        r"""
        -- The chain's words that begin with each of `typed`, one more than `most` at most.
        create function words_beginning(typed text[], most integer) returns table (word text, whole text[])
            language sql stable security definer
            set search_path = public, pg_temp set jit = off set enable_seqscan = off
        begin atomic
            select t.word, array(
                select distinct w.word from (
                    select n.word from client_words n
                    where n.chain_id = current_setting('carnet.chain_id', true)
                      and n.word >= t.word collate "C" and n.word < (t.word || chr(1114111)) collate "C"
                    order by n.word limit most + 1
                ) w
            )
            from unnest(typed) t (word);
        end;

        create function similar_names(typed text[])
            returns table (word text, name text, word_sound text, name_sound_of text)
            language sql stable security definer
            set search_path = public, pg_temp set jit = off set enable_seqscan = off
        begin atomic
            select distinct t.word, cast(n.word as text), name_sound(t.word), name_sound(n.word)
            from unnest(typed) t (word) join client_words n
                on n.chain_id = current_setting('carnet.chain_id', true) and n.keys <> '{}'
                and n.keys && name_keys(t.word);
        end;

        -- A word that nobody has any more must not be kept: it may have been one person's name. That others have it
        -- shows among the newest clients for the frequent ones; only the rest is worth asking the index.
        create function forget_words(words text[]) returns void
            language plpgsql volatile security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_generic_plan
            set enable_seqscan = off as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
            rare text[] := array(
                select n.word from client_words n where n.chain_id = this_chain and n.word = any (words)
                except
                select unnest(tsvector_to_array(s.who || s.bought)) collate "C" from (
                    select r.who, r.bought from client_search r where r.chain_id = this_chain
                    order by r.client_id desc limit 300
                ) s
            );
        begin
            delete from client_words n
            where n.chain_id = this_chain and n.word = any (rare) and not exists (
                select from client_search s where s.chain_id = this_chain
                and (s.who || s.bought) @@ cast(quote_literal(n.word) as tsquery));
        end $$;

        create function forget_words_of_gone() returns trigger language plpgsql as $$
        begin
            perform forget_words(array(select distinct unnest(tsvector_to_array(who || bought)) from gone));
            return null;
        end $$;
        create trigger forget_words after delete on client_search
            referencing old table as gone for each statement execute function forget_words_of_gone();
        """
    )


def _find_clients() -> None:
    run_sql(
        r"""
        -- What was bought must be one piece, with the year of its purchase: not the stone of one, the style of another.
        create function fits_one_piece(who tsvector, pieces text[], each_word tsquery[], of_piece text[])
            returns boolean
            language sql immutable parallel safe
            return (
                with open as (
                    select array_agg(w.pattern) patterns, count(*) words
                    from unnest(each_word, of_piece) w (word, pattern) where not who @@ w.word
                )
                select words < 2 or exists (
                    select from unnest(pieces) piece where ' ' || piece || ' ' like all (patterns)) from open
            );

        -- The newest of some stores' clients, no more than `width`, and whoever among them fits. Bounded work: this is
        -- how "m" is answered, which a tenth of all clients fit. Stops as soon as there are `most`. Complete when these
        -- are the first `most` of all, or when there are no more.
        create function newest_fitting(
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
                        select s.client_id, s.who, s.bought, s.pieces from client_search s
                        where s.chain_id = this_chain and s.client_id < before
                          and (but_not_stores is null or s.home_store_id <> all (but_not_stores))
                        order by s.client_id desc limit width
                    ) r
                    where r.who || r.bought @@ wanted and (but_not is null or not r.who || r.bought @@ but_not)
                      and (is_one_word or fits_one_piece(r.who, r.pieces, each_word, of_piece))
                    order by r.client_id desc limit most
                );
                is_complete := cardinality(client_ids) >= most or width > (
                    select count(*) from (
                        select from client_search s
                        where s.chain_id = this_chain and s.client_id < before
                          and (but_not_stores is null or s.home_store_id <> all (but_not_stores))
                        limit width
                    ) looked_at
                );
                return;
            end if;
            width := greatest(width / cardinality(stores), 100);
            with found as materialized (
                select store.store_id, f.client_id from unnest(stores) store (store_id) cross join lateral (
                    select r.client_id from (
                        select s.client_id, s.who, s.bought, s.pieces from client_search s
                        where s.chain_id = this_chain and s.home_store_id = store.store_id and s.client_id < before
                        order by s.client_id desc limit width
                    ) r
                    where r.who || r.bought @@ wanted and (but_not is null or not r.who || r.bought @@ but_not)
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

        -- Everybody who fits, through the index of words: first those of `own` stores (null: all are), then the rest,
        -- in each the newest. Stands behind newest_fitting, which answers what many fit.
        create function all_fitting(
            own text[], of_associate text, wanted tsquery, but_not tsquery, each_word tsquery[], of_piece text[],
            before_own text, before_others text, most integer
        ) returns table (client_id text, is_own boolean)
            language plpgsql stable security definer
            set search_path = public, pg_temp set jit = off set plan_cache_mode = force_generic_plan
            set enable_seqscan = off set work_mem = '32MB' as $$
        declare
            this_chain text := current_setting('carnet.chain_id', true);
            is_one_word boolean := cardinality(each_word) < 2;
        begin
            return query
            with matching as materialized (
                select s.client_id, own is null or s.home_store_id = any (own) as is_own from client_search s
                where s.chain_id = this_chain and (s.who || s.bought) @@ wanted
                  and (but_not is null or not (s.who || s.bought) @@ but_not)
                  and (of_associate = '' or exists (
                      select from clients c where c.chain_id = this_chain and c.client_id = s.client_id
                      and c.associate_id = of_associate))
            )
            select f.client_id, side.is_own
            from (values (true, before_own), (false, before_others)) side (is_own, before) cross join lateral (
                -- Pieces are compared from the newest on, and no further than the page.
                select m.client_id from (
                    select m.client_id from matching m
                    where m.is_own = side.is_own and m.client_id < side.before
                    order by m.client_id desc offset 0
                ) m
                where is_one_word or exists (
                    select from client_search s where s.chain_id = this_chain and s.client_id = m.client_id
                    and fits_one_piece(s.who, s.pieces, each_word, of_piece))
                limit most
            ) f;
        end $$;
        """
    )


def _refresh() -> None:
    run_sql(
        r"""
        -- One look into an index for each (limit and offset keep the planner at it, who knows nothing of a new chain).
        -- Brings the words of clients in line; of what they bought only those purchases are new, or all with null. Of
        -- pieces the newest 500 are kept. Returns what clients are not found by any more. Under the caller's row-level
        -- security.
        create function refresh_search(of_clients text[], purchases text[]) returns setof text
            language sql volatile
        begin atomic
            with named as materialized (
                select c.chain_id, c.client_id, c.home_store_id,
                    person_text(c.given_name || ' ' || c.family_name) as name,
                    person_text(c.nickname || ' ' || array_to_string(c.tags, ' ')) as others,
                    known.who, known.bought,
                    case when cardinality(purchases) = 0 then coalesce(known.pieces, '{}') else (
                        select (new.pieces || array(
                            select old.text from unnest(known.pieces) with ordinality old (text, place)
                            where purchases is not null and old.text <> all (new.pieces) order by old.place
                        ))[1:500]
                        from (select array(
                            select piece.text from (
                                select p.purchase_id, p.purchased_on from purchases p
                                where p.chain_id = c.chain_id and p.client_id = c.client_id
                                  and (purchases is null or p.purchase_id = any (purchases))
                                offset 0
                            ) p
                            cross join lateral (
                                select l.* from purchase_lines l
                                where l.chain_id = c.chain_id and l.purchase_id = p.purchase_id offset 0
                            ) l
                            left join lateral (
                                select b.display_name from brands b
                                where b.chain_id = c.chain_id and b.brand_id = l.brand_id limit 1
                            ) b on true
                            cross join lateral array_to_string(words_of(with_joined(plain_text(concat_ws(' ',
                                extract(year from p.purchased_on), b.display_name, l.reference, l.serial, l.category,
                                l.description, l.metal, l.stone, l.cut, l.style, l.certificate)))), ' ') piece (text)
                            group by piece.text order by max(p.purchased_on) desc
                        ) as pieces) new
                    ) end as pieces
                from clients c
                left join lateral (
                    select s.who, s.bought, s.pieces from client_search s
                    where s.chain_id = c.chain_id and s.client_id = c.client_id limit 1
                ) known on true
                where c.chain_id = current_setting('carnet.chain_id', true) and c.client_id = any (of_clients)
            ), changed as materialized (
                select n.chain_id, n.client_id, n.home_store_id, n.name, n.others, n.who as who_before,
                    n.bought as bought_before, n.pieces,
                    array_to_tsvector(words_of(concat_ws(' ', n.name, n.others, (
                        select string_agg(contact_text(p.kind, p.match_key), ' ') from contact_points p
                        where p.chain_id = n.chain_id and p.client_id = n.client_id)))) as who,
                    array_to_tsvector(piece_words(n.pieces)) as bought
                from named n
            ), kept as (
                insert into client_search (chain_id, client_id, home_store_id, who, bought, pieces)
                select c.chain_id, c.client_id, c.home_store_id, c.who, c.bought, c.pieces
                from changed c order by c.client_id
                on conflict (chain_id, client_id) do update set
                    home_store_id = excluded.home_store_id, who = excluded.who, bought = excluded.bought,
                    pieces = excluded.pieces, terms = ''
                where (client_search.home_store_id, client_search.who, client_search.bought, client_search.pieces)
                    is distinct from (excluded.home_store_id, excluded.who, excluded.bought, excluded.pieces)
            ), known as (
                insert into client_words (chain_id, word, keys)
                select current_setting('carnet.chain_id', true), w.word,
                    case when bool_or(w.is_name) and length(w.word) > 2 then name_keys(w.word) else '{}' end
                from (
                    select distinct unnest(words_of(c.name)) word, true is_name from changed c
                    where c.who is distinct from c.who_before
                    union all
                    select distinct unnest(words_of(c.others)), false from changed c
                    where c.who is distinct from c.who_before
                    union all
                    select distinct unnest(tsvector_to_array(c.bought)), false from changed c
                    where c.bought is distinct from c.bought_before
                ) w
                left join lateral (
                    select true as is_known from client_words n
                    where n.chain_id = current_setting('carnet.chain_id', true) and n.word = w.word collate "C"
                      and (n.keys <> '{}' or not w.is_name) limit 1
                ) n on true
                where w.word not like '#%' and n.is_known is null
                group by w.word
            )
            select unnest(tsvector_to_array(c.who_before || c.bought_before)) from changed c
            where (c.who, c.bought) is distinct from (c.who_before, c.bought_before)
            except
            select unnest(tsvector_to_array(c.who || c.bought)) from changed c
            where (c.who, c.bought) is distinct from (c.who_before, c.bought_before);
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
