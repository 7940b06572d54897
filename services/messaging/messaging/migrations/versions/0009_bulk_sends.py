"""Bulk sends with their recipients, and campaigns that were paused."""

from chassis.migrations import run_sql, secure

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """What became of a recipient is read from its message; only what never became one has a reason of its own."""
    run_sql(
        """
        create table bulk_sends (
            chain_id text not null,
            bulk_send_id text not null,
            display_name text not null,
            store_id text not null,
            purpose text not null,
            channel text not null,
            body text not null,
            subject text not null,
            template_id text not null,
            template jsonb,
            media_ids text[] not null,
            campaign_id text not null,
            author text not null,
            state text not null,
            pause_reason text not null,
            recipient_count integer not null,
            segments_each integer not null,
            -- Recipients up to here were handed to a worker, which has them in bulk_slices until they are written.
            handed_out integer not null,
            send_after timestamptz not null,
            expires_at timestamptz not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            finished_at timestamptz,
            primary key (chain_id, bulk_send_id)
        );
        create index bulk_sends_of_store on bulk_sends (chain_id, store_id, bulk_send_id desc);
        create index bulk_sends_of_campaign on bulk_sends (chain_id, campaign_id);

        create table bulk_recipients (
            chain_id text not null,
            bulk_send_id text not null,
            position integer not null,
            -- Empty for who was erased since.
            client_id text not null,
            values jsonb,
            message_id text not null default '',
            reason text not null default '',
            primary key (chain_id, bulk_send_id, position)
        );
        create unique index bulk_recipients_once on bulk_recipients (chain_id, client_id, bulk_send_id)
            where client_id <> '';

        create table bulk_slices (
            chain_id text not null,
            bulk_send_id text not null,
            first_position integer not null,
            last_position integer not null,
            leased_until timestamptz not null,
            primary key (chain_id, bulk_send_id, first_position)
        );

        -- When somebody is to look after a bulk send, or at the opt-outs of a campaign. Ids and times only; both are
        -- read over all chains.
        create table due_bulk_sends (
            chain_id text not null,
            bulk_send_id text not null,
            due_time timestamptz not null,
            primary key (chain_id, bulk_send_id)
        );
        create index due_bulk_sends_by_time on due_bulk_sends (due_time);
        create table due_opt_outs (
            chain_id text not null,
            opt_out_id text not null,
            campaign_id text not null,
            due_time timestamptz not null,
            primary key (chain_id, opt_out_id)
        );

        create table campaigns (
            chain_id text not null,
            campaign_id text not null,
            paused_at timestamptz,
            counted_from timestamptz not null,
            primary key (chain_id, campaign_id)
        );

        -- A number that opted out after a campaign's text, which message_id is.
        create table campaign_opt_outs (
            chain_id text not null,
            campaign_id text not null,
            conversation_id text not null,
            message_id text not null,
            store_id text not null,
            sent_at timestamptz not null,
            opted_out_at timestamptz not null,
            primary key (chain_id, campaign_id, conversation_id)
        );
        create index campaign_opt_outs_of_message on campaign_opt_outs (chain_id, message_id);

        -- One text for a number in a bulk send, whoever its recipients are.
        create unique index messages_of_bulk_send on messages (chain_id, bulk_send_id, conversation_id)
            where bulk_send_id <> '';
        create index messages_waiting_of_bulk_send on messages (chain_id, bulk_send_id)
            where bulk_send_id <> '' and state in ('QUEUED', 'DEFERRED', 'SENDING', 'UNKNOWN');
        create index messages_of_campaign on messages (chain_id, campaign_id, sent_at) where campaign_id <> '';
        create index messages_by_time on messages (chain_id, created_at);
        """
    )
    secure("bulk_sends", "bulk_recipients", "bulk_slices", "campaigns", "campaign_opt_outs")
    secure("due_bulk_sends", "due_opt_outs", platform=True)
