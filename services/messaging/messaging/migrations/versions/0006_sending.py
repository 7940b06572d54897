"""Brand registrations, what was sent in a day, and whose turn it is."""

from chassis.migrations import run_sql, secure

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Rows of due_messages that an older program writes have no sender: the courier files them when it finds them."""
    run_sql(
        """
        create table brand_registrations (
            chain_id text not null,
            brand_registration_id text not null,
            display_name text not null,
            provider_registration_id text not null,
            segments_per_day integer not null,
            time_zone text not null,
            created_at timestamptz not null,
            primary key (chain_id, brand_registration_id)
        );

        -- Segments that were taken to be sent on a day, by sender and by brand registration; the day is the brand's.
        create table segments_of_day (
            chain_id text not null,
            owner_id text not null,
            day date not null,
            segments integer not null,
            primary key (chain_id, owner_id, day)
        );

        -- When a sender may send next, and whether it may at all. Ids and times only; it is read over all chains.
        create table sender_turns (
            chain_id text not null,
            sender_id text not null,
            next_free_time timestamptz not null,
            is_stopped boolean not null default false,
            primary key (chain_id, sender_id)
        );

        alter table due_messages
            add column sender_id text not null default '',
            add column priority smallint not null default 0,
            add column segments integer not null default 1,
            add column expire_time timestamptz;
        create index due_messages_of_sender on due_messages
            (chain_id, sender_id, priority, due_time, message_id);
        create index due_messages_expiring on due_messages (expire_time) where expire_time is not null;

        alter table messages
            add column provider_template jsonb;
        create index messages_reminding on messages (chain_id, conversation_id, position desc) where reminder_id <> '';
        """
    )
    secure("brand_registrations", "segments_of_day")
    secure("sender_turns", platform=True)
