"""Repairs, wishlists, notes and attachments.

A piece and an intake are documents: they are read and written as a whole, and no statement looks into them.
object_removals is read across chains by the sweep; its rows say where an object lies and whose chain's it is, no more.
"""

from chassis.migrations import append_only, run_sql, secure

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """New tables; nothing that is there is touched."""
    run_sql(
        """
        create table repairs (
            chain_id text not null,
            repair_id text not null,
            client_id text not null,
            store_id text not null,
            associate_id text not null,
            kind text not null,
            piece jsonb not null,
            intake jsonb not null,
            scope text not null,
            price_minor bigint,
            price_currency text not null,
            promised_on date not null default 'infinity',
            stage text not null,
            source text not null,
            external_id text not null,
            surprise_for_client_id text not null,
            surprise_ends_on date,
            version bigint not null,
            created_at timestamptz not null,
            primary key (chain_id, repair_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index repairs_of_client on repairs (chain_id, client_id, promised_on, repair_id);
        create index repairs_of_store on repairs (chain_id, store_id, stage, promised_on, repair_id);
        create index repairs_by_promise on repairs (chain_id, promised_on, repair_id);
        create unique index repairs_of_source on repairs (chain_id, source, external_id) where external_id <> '';
        create table repair_moves (
            chain_id text not null,
            repair_id text not null,
            position integer not null,
            stage text not null,
            moved_at timestamptz not null,
            actor text not null,
            primary key (chain_id, repair_id, position),
            foreign key (chain_id, repair_id) references repairs on delete cascade
        );
        create table wishes (
            chain_id text not null,
            wish_id text not null,
            client_id text not null,
            piece jsonb not null,
            note text not null,
            for_whom text not null,
            state text not null,
            bought_by_client_id text not null,
            is_surprise boolean not null,
            surprise_ends_on date,
            version bigint not null,
            created_at timestamptz not null,
            primary key (chain_id, wish_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index wishes_of_client on wishes (chain_id, client_id, created_at desc, wish_id desc);
        create table notes (
            chain_id text not null,
            note_id text not null,
            client_id text not null,
            body text not null,
            visibility text not null,
            author text not null,
            surprise_for_client_id text not null,
            surprise_ends_on date,
            version bigint not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            primary key (chain_id, note_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index notes_of_client on notes (chain_id, client_id, created_at desc, note_id desc);
        create table attachments (
            chain_id text not null,
            attachment_id text not null,
            client_id text not null,
            subject_id text not null,
            file_name text not null,
            content_type text not null,
            caption text not null,
            object_key text not null default '',
            byte_count bigint not null default 0,
            content_hash text not null default '',
            surprise_for_client_id text not null,
            surprise_ends_on date,
            created_at timestamptz not null,
            primary key (chain_id, attachment_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create index attachments_of_client on attachments (chain_id, client_id, created_at desc, attachment_id desc);
        create table object_removals (
            chain_id text not null,
            object_key text not null,
            due_at timestamptz not null,
            primary key (chain_id, object_key)
        );
        create index object_removals_due on object_removals (due_at);

        -- Whoever removes the row (a call, an erasure, a cascade): the object goes after the same commit.
        create function remove_object_of_attachment() returns trigger language plpgsql as $$
        begin
            insert into object_removals (chain_id, object_key, due_at)
            values (old.chain_id, old.object_key, '-infinity') on conflict do nothing;
            return null;
        end $$;
        create trigger attachment_removed after delete on attachments
            for each row when (old.object_key <> '') execute function remove_object_of_attachment();
        """
    )
    secure("repairs", "repair_moves", "wishes", "notes", "attachments")
    secure("object_removals", platform=True)
    append_only("repair_moves", role="profiles")
