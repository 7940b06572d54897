"""Merged clients, and what stays of a number whose client was erased: a keyed hash that asked for silence."""

from chassis.migrations import create_identity_tables, run_sql, secure

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Ledger and inbound texts stay append-only; what an erasure must do to them is a function of their owner."""
    create_identity_tables()
    run_sql(
        """
        create table suppressions (
            chain_id text not null,
            number_hash bytea not null,
            purpose text not null,
            entry_id text not null,
            source text not null,
            occurred_at timestamptz not null,
            erasure_id text not null,
            primary key (chain_id, number_hash, purpose)
        );
        create index messages_of_client on messages (chain_id, client_id) where client_id <> '';
        create index inbound_texts_of_message on inbound_texts (chain_id, message_id);

        -- Row-level security binds the owner too: both see the rows of the transaction's chain only.
        create function erase_permission_entries(erased_phone text) returns bigint
        language sql security definer set search_path = public, pg_temp as $$
            with gone as (delete from permission_entries where phone = erased_phone returning 1)
            select count(*) from gone
        $$;
        -- The network's id stays, so that a text which is handed in again is not taken for a new one.
        create function blank_inbound_texts(erased_messages text[]) returns bigint
        language sql security definer set search_path = public, pg_temp as $$
            with blank as (
                update inbound_texts set payload = '{}' where message_id = any(erased_messages) returning 1
            )
            select count(*) from blank
        $$;
        revoke execute on function erase_permission_entries(text), blank_inbound_texts(text[]) from public;
        grant execute on function erase_permission_entries(text), blank_inbound_texts(text[]) to messaging;
        """
    )
    secure("suppressions")
