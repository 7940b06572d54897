"""The chain's own rules for the gate, when numbers were verified, and who was handed evidence."""

from chassis.migrations import append_only, run_sql, secure

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Who was handed evidence is kept with a hash of the number, so that it outlives an erasure."""
    run_sql(
        """
        create table messaging_settings (
            chain_id text primary key,
            document jsonb not null default '{}',
            version integer not null default 0,
            updated_at timestamptz
        );

        -- A number can be given to somebody else: when was it last known to be the client's, and how do we know.
        create table number_verifications (
            chain_id text not null,
            phone text not null,
            verified_at timestamptz not null,
            source text not null,
            primary key (chain_id, phone)
        );

        create table evidence_downloads (
            chain_id text not null,
            download_id text not null,
            number_hash bytea not null,
            actor text not null,
            line_count integer not null,
            downloaded_at timestamptz not null,
            primary key (chain_id, download_id)
        );
        create index evidence_downloads_of_number on evidence_downloads (chain_id, number_hash, downloaded_at);

        -- What the gate asks for each text: what was written in its conversation, and the lines of its number, channel
        -- and purpose. The chain comes first, so that what row-level security adds needs no second index.
        create index messages_of_chains_conversation on messages (chain_id, conversation_id, position desc);
        create index permission_entries_deciding on permission_entries
            (chain_id, phone, channel, purpose, occurred_at desc);
        """
    )
    secure("messaging_settings", "number_verifications", "evidence_downloads")
    append_only("evidence_downloads", role="messaging")
