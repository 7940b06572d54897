"""Senders, conversations, messages with their due times, the permission ledger, and the sandbox network."""

from chassis.migrations import append_only, create_mechanism_tables, run_sql, secure

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_mechanism_tables()
    run_sql(
        """
        create table senders (
            sender_id text primary key,
            chain_id text not null,
            store_id text not null,
            phone text not null,
            display_name text not null,
            created_at timestamptz not null
        );
        create index senders_of_store on senders (chain_id, store_id, created_at desc);

        -- Which chain a number belongs to: an inbound text names its number before anybody knows the chain.
        create table sender_directory (
            phone text primary key,
            chain_id text not null,
            sender_id text not null
        );

        create table conversations (
            conversation_id text primary key,
            chain_id text not null,
            store_id text not null,
            sender_id text not null,
            client_phone text not null,
            unread_count integer not null,
            last_inbound_at timestamptz,
            last_message_time timestamptz not null,
            created_at timestamptz not null,
            unique (chain_id, sender_id, client_phone)
        );
        create index conversations_latest on conversations (chain_id, last_message_time desc, conversation_id desc);
        create index conversations_of_store on conversations
            (chain_id, store_id, last_message_time desc, conversation_id desc);
        create index conversations_of_phone on conversations (chain_id, client_phone);

        create table messages (
            position bigint generated always as identity,
            message_id text primary key,
            chain_id text not null,
            conversation_id text not null,
            store_id text not null,
            client_id text not null,
            direction text not null,
            body text not null,
            state text not null,
            purpose text,
            segments integer not null,
            decision jsonb,
            send_after timestamptz,
            client_zone text not null,
            error_code text not null,
            author text not null,
            attempts integer not null,
            attempted_at timestamptz,
            sent_at timestamptz,
            provider_message_id text not null,
            created_at timestamptz not null,
            updated_at timestamptz not null
        );
        create index messages_of_conversation on messages (conversation_id, position desc);

        -- When something is to be done about a message: send it, or ask the carrier what became of it.
        -- Ids and times only; it is read over all chains.
        create table due_messages (
            message_id text primary key,
            chain_id text not null,
            due_time timestamptz not null
        );
        create index due_messages_by_time on due_messages (due_time);

        -- What the network handed in, as it came; the same id twice is one text.
        create table inbound_texts (
            chain_id text not null,
            provider text not null,
            provider_message_id text not null,
            payload jsonb not null,
            message_id text not null,
            received_at timestamptz not null,
            primary key (chain_id, provider, provider_message_id)
        );

        create table permission_entries (
            position bigint generated always as identity,
            entry_id text primary key,
            chain_id text not null,
            phone text not null,
            purpose text not null,
            change text not null,
            evidence text not null,
            source text not null,
            actor text not null,
            cause_id text not null,
            occurred_at timestamptz not null,
            recorded_at timestamptz not null
        );
        create index permission_entries_of_phone on permission_entries
            (chain_id, phone, occurred_at desc, position desc);
        create index permission_entries_of_cause on permission_entries (chain_id, cause_id);

        -- Who has a number, as far as consents and texts have told.
        create table phone_clients (
            chain_id text not null,
            phone text not null,
            client_id text not null,
            learned_at timestamptz not null,
            primary key (chain_id, phone, client_id)
        );
        create index phone_clients_of_client on phone_clients (chain_id, client_id);

        create table dead_numbers (
            chain_id text not null,
            phone text not null,
            error_code text not null,
            noted_at timestamptz not null,
            primary key (chain_id, phone)
        );

        -- The sandbox network: a party outside, with tables of its own that only providers/sandbox.py touches.
        create table sandbox_messages (
            position bigint generated always as identity,
            provider_message_id text primary key,
            chain_id text not null,
            reference text not null,
            from_phone text not null,
            to_phone text not null,
            body text not null,
            segments integer not null,
            status text not null,
            error_code text not null,
            created_at timestamptz not null,
            unique (chain_id, reference)
        );
        create index sandbox_messages_of_phone on sandbox_messages (chain_id, to_phone, position desc);
        create table sandbox_receipts (
            position bigint generated always as identity,
            receipt_id text primary key,
            chain_id text not null,
            reference text not null,
            provider_message_id text not null,
            status text not null,
            error_code text not null,
            due_time timestamptz not null
        );
        create index sandbox_receipts_by_time on sandbox_receipts (due_time, position);
        create table sandbox_inbound (
            chain_id text not null,
            provider_message_id text not null,
            created_at timestamptz not null,
            primary key (chain_id, provider_message_id)
        );
        create table sandbox_blocks (
            chain_id text not null,
            sender_phone text not null,
            phone text not null,
            primary key (chain_id, sender_phone, phone)
        );
        """
    )
    secure(
        "senders",
        "conversations",
        "messages",
        "inbound_texts",
        "permission_entries",
        "phone_clients",
        "dead_numbers",
        "sandbox_messages",
        "sandbox_inbound",
        "sandbox_blocks",
    )
    secure("sender_directory", "due_messages", "sandbox_receipts", platform=True)
    append_only("permission_entries", "inbound_texts", role="messaging")
