"""Who has read what in a conversation, internal notes, numbers that are not somebody's, and words to search by."""

from chassis.migrations import run_sql, secure

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """What was read before is kept by conversation as a floor, below which nothing is unread for anybody."""
    _keep_who_has_read()
    _keep_notes_inside()
    _keep_words()


def _keep_who_has_read() -> None:
    run_sql(
        """
        -- unread_count stays: what nobody has read.
        alter table conversations
            add column last_inbound_position bigint not null default 0,
            add column read_floor bigint not null default 0;
        create table conversation_reads (
            chain_id text not null,
            conversation_id text not null references conversations on delete cascade,
            reader_id text not null,
            position bigint not null,
            read_at timestamptz not null,
            primary key (chain_id, conversation_id, reader_id)
        );
        create index conversation_reads_of_conversation on conversation_reads (conversation_id);
        create index conversations_of_assignee on conversations
            (chain_id, assignee_id, last_message_time desc, conversation_id desc);
        create index conversations_waiting on conversations
            (chain_id, last_message_time desc, conversation_id desc) where waiting_since is not null;

        alter table conversations no force row level security;
        alter table messages no force row level security;
        update conversations c set last_inbound_position = read.last, read_floor = coalesce(read.floor, 0)
            from (select m.conversation_id, max(m.position) as last,
                    max(m.position) filter (where m.newer >= k.unread_count) as floor
                from (select conversation_id, position, row_number() over (
                    partition by conversation_id order by position desc) - 1 as newer
                    from messages where direction = 'INBOUND') as m
                join conversations k on k.conversation_id = m.conversation_id
                group by m.conversation_id) as read
            where c.conversation_id = read.conversation_id;
        alter table conversations force row level security;
        alter table messages force row level security;

        -- What somebody said is not this client's number, so that nothing but a consent or another word of somebody
        -- makes it so again. Under the id by which it was said, as phone_clients.
        create table disowned_numbers (
            chain_id text not null,
            phone text not null,
            client_id text not null,
            is_reassigned boolean not null,
            disowned_by text not null,
            disowned_at timestamptz not null,
            primary key (chain_id, phone, client_id)
        );
        create index disowned_numbers_of_client on disowned_numbers (chain_id, client_id);
        """
    )
    secure("conversation_reads", "disowned_numbers")


def _keep_notes_inside() -> None:
    # Whatever a program gets wrong: what has no way to be due is never handed to a carrier.
    run_sql(
        r"""
        alter table messages add constraint notes_go_to_nobody check (
            case when direction = 'NOTE'
                then message_id like 'nte\_%' and state = 'NOTED' and purpose is null and attempts = 0
                    and provider_message_id = ''
                else message_id not like 'nte\_%' and state <> 'NOTED' end
        );
        alter table due_messages add constraint notes_are_never_due check (message_id not like 'nte\_%');
        """
    )


def _keep_words() -> None:
    # The policy binds the runtime role but not the owner, as whom the function runs that searches: what a full text is
    # compared with is not leakproof, so that Postgres uses no index for it behind row-level security. The function
    # names the chain itself.
    run_sql(
        r"""
        create extension if not exists unaccent; -- trusted: the owner of the database may create them
        create extension if not exists btree_gin;

        -- Plain ways, for it is done to every message: the parser of full texts, or a pattern, take ten times as long.
        create function plain_words(said text) returns text[]
            language sql immutable strict parallel safe
            return array(select left(word, 60) from unnest(string_to_array(lower(translate(
                unaccent('unaccent'::regdictionary, said),
                E'\t\n\r\u00a0!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', repeat(' ', 40))), ' ')) as word
                where word <> '');

        create table message_words (
            message_id text primary key,
            chain_id text not null,
            conversation_id text not null,
            store_id text not null,
            position bigint not null,
            is_bulk boolean not null,
            words tsvector not null
        );

        -- By triggers, so that whatever writes or removes a message, its words follow. They never change.
        create function keep_message_words() returns trigger
            language plpgsql set search_path = public, pg_temp as $$
        begin
            insert into message_words (message_id, chain_id, conversation_id, store_id, position, is_bulk, words)
                values (new.message_id, new.chain_id, new.conversation_id, new.store_id, new.position,
                    new.bulk_send_id <> '', array_to_tsvector(plain_words(new.subject || ' ' || new.body)));
            return null;
        end $$;
        create trigger message_words_kept after insert on messages
            for each row execute function keep_message_words();
        create function remove_message_words() returns trigger
            language plpgsql set search_path = public, pg_temp as $$
        begin
            delete from message_words where message_id = old.message_id;
            return null;
        end $$;
        create trigger message_words_removed after delete on messages
            for each row execute function remove_message_words();

        alter table messages no force row level security;
        insert into message_words
            select message_id, chain_id, conversation_id, store_id, position, bulk_send_id <> '',
                array_to_tsvector(plain_words(subject || ' ' || body)) from messages;
        alter table messages force row level security;

        create index message_words_found on message_words using gin (chain_id, words);
        create index message_words_of_conversation on message_words (chain_id, conversation_id, position desc);

        -- Every word must be there, or begin so when it has three letters or more. What went to many is told only
        -- where somebody looks into conversations, or each search would find it a thousand times.
        create function search_messages(
            said text, in_store text, in_conversations text[], before bigint, most integer
        ) returns setof text
        language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            own text := current_setting('carnet.chain_id', true);
            wanted tsquery := (
                select string_agg('''' || word || case when length(word) > 2 then ''':*' else '''' end, ' & ')::tsquery
                from unnest(plain_words(said)) as word
            );
        begin
            return query
            select w.message_id
            from message_words w
            where w.chain_id = own
              and w.words @@ wanted
              and (in_store = '' or w.store_id = in_store)
              and (case when in_conversations is null then not w.is_bulk
                  else w.conversation_id = any(in_conversations) end)
              and (before is null or w.position < before)
            order by w.position desc
            limit most;
        end $$;
        """
    )
    secure("message_words")
    run_sql("alter table message_words no force row level security;")
