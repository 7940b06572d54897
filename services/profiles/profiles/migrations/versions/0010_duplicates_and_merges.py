"""Pairs that may be one person, and merges with what undoes them.

match_keys and match_clients say under which keys clients meet; they are made from the clients and can be made again.
match_queue holds who changed since: every statement that changes what is compared adds to it, by trigger, so that no
path of writing can forget to. It is no set: a row that somebody else is about to add must not make anybody wait. The
queue and the passes are read across chains by the one background task; they hold ids and counts only.
"""

from chassis.migrations import run_sql, secure

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """New tables, and triggers on clients, contact points, occasions and relationships."""
    _create_matching()
    _create_duplicates()
    _create_merges()


def _create_matching() -> None:
    run_sql(
        """
        create table match_clients (
            chain_id text not null,
            client_id text not null,
            keys bigint[] not null,
            primary key (chain_id, client_id)
        );
        create table match_keys (
            chain_id text not null,
            key bigint not null,
            client_id text not null,
            primary key (chain_id, key, client_id)
        );
        create table match_queue (
            chain_id text not null,
            position bigint generated always as identity,
            client_id text not null,
            primary key (chain_id, position)
        );

        create function queue_for_matching() returns trigger language plpgsql as $$
        begin
            insert into match_queue (chain_id, client_id) select distinct chain_id, client_id from changed;
            return null;
        end $$;
        create function queue_birthdays_for_matching() returns trigger language plpgsql as $$
        begin
            insert into match_queue (chain_id, client_id)
                select distinct chain_id, client_id from changed where kind = 'birthday';
            return null;
        end $$;
        create function queue_renamed_for_matching() returns trigger language plpgsql as $$
        begin
            insert into match_queue (chain_id, client_id)
                select chain_id, client_id from (
                    select chain_id, client_id, given_name, family_name, nickname, address_lines, postal_code, locality
                    from changed
                    except
                    select chain_id, client_id, given_name, family_name, nickname, address_lines, postal_code, locality
                    from before
                ) renamed;
            return null;
        end $$;
        create trigger clients_added_match after insert on clients
            referencing new table as changed for each statement execute function queue_for_matching();
        create trigger clients_changed_match after update on clients
            referencing old table as before new table as changed
            for each statement execute function queue_renamed_for_matching();
        create trigger contact_points_added_match after insert on contact_points
            referencing new table as changed for each statement execute function queue_for_matching();
        create trigger contact_points_removed_match after delete on contact_points
            referencing old table as changed for each statement execute function queue_for_matching();
        create trigger occasions_added_match after insert on occasions
            referencing new table as changed for each statement execute function queue_birthdays_for_matching();
        create trigger occasions_changed_match after update on occasions
            referencing new table as changed for each statement execute function queue_birthdays_for_matching();
        create trigger occasions_removed_match after delete on occasions
            referencing old table as changed for each statement execute function queue_birthdays_for_matching();
        create trigger relationships_added_match after insert on relationships
            referencing new table as changed for each statement execute function queue_for_matching();
        create trigger relationships_removed_match after delete on relationships
            referencing old table as changed for each statement execute function queue_for_matching();
        """
    )
    secure("match_clients", "match_keys")
    secure("match_queue", platform=True)


def _create_duplicates() -> None:
    run_sql(
        """
        create table duplicates (
            chain_id text not null,
            duplicate_id text not null,
            first_client_id text not null,
            second_client_id text not null,
            score double precision not null,
            reasons jsonb not null,
            is_certain boolean not null,
            state text not null check (state in ('open', 'dismissed', 'merged')),
            pass_id text not null default '',
            created_at timestamptz not null,
            decided_by text not null default '',
            decided_at timestamptz,
            primary key (chain_id, duplicate_id),
            unique (chain_id, first_client_id, second_client_id)
        );
        create index duplicates_by_score on duplicates (chain_id, state, score, duplicate_id);
        create index duplicates_of_second on duplicates (chain_id, second_client_id);
        create index duplicates_certain on duplicates (chain_id, duplicate_id) where is_certain and state = 'open';

        create table duplicate_passes (
            chain_id text not null,
            duplicate_pass_id text not null,
            state text not null check (state in ('running', 'completed', 'failed')),
            keyed_until text not null default '',
            compared_until bigint,
            clients_read bigint not null default 0,
            pairs_compared bigint not null default 0,
            duplicates_found bigint not null default 0,
            merged_automatically bigint not null default 0,
            failures integer not null default 0,
            failure text not null default '',
            created_at timestamptz not null,
            finished_at timestamptz,
            primary key (chain_id, duplicate_pass_id)
        );
        create unique index duplicate_passes_running on duplicate_passes (chain_id) where state = 'running';

        create function forget_matching() returns trigger language plpgsql as $$
        begin
            delete from match_keys k using gone g, match_clients m
                where m.chain_id = g.chain_id and m.client_id = g.client_id
                  and k.chain_id = g.chain_id and k.key = any(m.keys) and k.client_id = g.client_id;
            delete from match_clients m using gone g where m.chain_id = g.chain_id and m.client_id = g.client_id;
            delete from duplicates d using gone g
                where d.chain_id = g.chain_id and d.first_client_id = g.client_id and d.state = 'open';
            delete from duplicates d using gone g
                where d.chain_id = g.chain_id and d.second_client_id = g.client_id and d.state = 'open';
            return null;
        end $$;
        create trigger clients_removed_match after delete on clients
            referencing old table as gone for each statement execute function forget_matching();
        """
    )
    secure("duplicates")
    secure("duplicate_passes", platform=True)


def _create_merges() -> None:
    # client_external_ids: under which ids of other systems a client is known beside the one on the client, since others
    # were merged into it. merge_rows names the rows that a merge moved; it and the snapshot go with the right to undo.
    run_sql(
        """
        create table merges (
            chain_id text not null,
            merge_id text not null,
            surviving_client_id text not null,
            merged_client_id text not null,
            state text not null check (state in ('merged', 'undone')),
            differences jsonb not null,
            is_automatic boolean not null,
            actor text not null,
            merged_at timestamptz not null,
            undo_until timestamptz not null,
            snapshot jsonb,
            undone_at timestamptz,
            kept jsonb not null default '[]',
            primary key (chain_id, merge_id)
        );
        create index merges_of_survivor on merges (chain_id, surviving_client_id, merge_id);
        create index merges_of_merged on merges (chain_id, merged_client_id, merge_id);
        create table merge_rows (
            chain_id text not null,
            merge_id text not null,
            position integer not null,
            table_name text not null,
            column_name text not null,
            row_key jsonb not null,
            primary key (chain_id, merge_id, position)
        );
        create table client_external_ids (
            chain_id text not null,
            source text not null,
            external_id text not null,
            client_id text not null,
            merge_id text not null,
            primary key (chain_id, source, external_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index client_external_ids_of_client on client_external_ids (chain_id, client_id);
        """
    )
    secure("merges", "merge_rows", "client_external_ids")
