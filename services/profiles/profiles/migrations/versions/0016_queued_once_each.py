"""Whom an import queues to be found and counted, a line each: who comes in is never kept waiting by who is taken off.

Words of search are put together from the newest 500 purchases and 500 contacts, so that nobody's are without bound.
"""

from chassis.migrations import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """One function again and one key wider: the code of before goes on with both."""
    run_sql(
        """
        alter table search_queue
            add column position bigint generated always as identity,
            drop constraint search_queue_pkey,
            add primary key (chain_id, client_id, position);
        """
    )
    run_sql(
        r"""
        -- One look into an index for each (limit and offset keep the planner at it, who knows nothing of a new chain).
        -- Brings the words of clients in line; of what they bought only those purchases are new, or all with null. Of
        -- pieces the newest 500 are kept. Returns what clients are not found by any more. Under the caller's row-level
        -- security.
        -- Planned anew each time: a session that served a chain while it was empty would keep the plan of then, and
        -- read all purchases for each client.
        create or replace function refresh_search(of_clients text[], purchases text[]) returns setof text
            language sql volatile
            set jit = off set plan_cache_mode = force_custom_plan
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
                                order by p.purchased_on desc limit 500
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
                        select string_agg(contact_text(p.kind, p.match_key), ' ') from (
                            select c.kind, c.match_key from contact_points c
                            where c.chain_id = n.chain_id and c.client_id = n.client_id
                            order by c.kind, c.match_key limit 500
                        ) p)))) as who,
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
