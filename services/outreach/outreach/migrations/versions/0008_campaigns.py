"""Campaigns and their recipients; when a suggestion's automated text is next tried."""

from chassis.migrations import run_sql, secure

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """A recipient's key is the id under which the client was frozen; a merge moves client_id and leaves the key."""
    run_sql(
        """
        create table campaigns (
            chain_id text not null,
            campaign_id text collate "C" not null,
            display_name text not null,
            audience jsonb not null,
            -- [{"language", "body"}]
            texts jsonb not null,
            holdout_share double precision not null,
            pace_per_hour integer not null,
            start_at timestamptz,
            state text not null check (state in ('draft', 'awaiting_approval', 'scheduled', 'running', 'finished',
                'cancelled')),
            created_by text not null,
            started_by text not null default '',
            starters_associate_id text not null default '',
            approved_by text not null default '',
            created_at timestamptz not null,
            updated_at timestamptz not null,
            began_at timestamptz,
            ended_at timestamptz,
            version bigint not null,
            -- How far its audience has been written down: empty at the beginning, then the last id or token taken.
            frozen_until text not null default '',
            is_frozen boolean not null default false,
            -- When the next text may go out at its pace.
            paced_at timestamptz,
            primary key (chain_id, campaign_id)
        );

        -- Campaigns that something has to be done for; the only part that is read over all chains.
        create table campaign_runs (
            chain_id text not null,
            campaign_id text collate "C" not null,
            due_at timestamptz not null,
            primary key (chain_id, campaign_id)
        );
        create index campaign_runs_due on campaign_runs (due_at);

        create table campaign_recipients (
            chain_id text not null,
            campaign_id text collate "C" not null,
            recipient_id text collate "C" not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            state text not null check (state in ('waiting', 'sending', 'sent', 'excluded', 'held_out')),
            reason text not null default '',
            -- Was to get the text when the audience was frozen; with the held out ones, what a lift is measured over.
            is_recipient boolean not null,
            frozen_at timestamptz not null,
            updated_at timestamptz not null,
            -- A text on its way; body is emptied when its fate is known.
            store_id text not null default '',
            body text not null default '',
            lease_until timestamptz,
            asked_at timestamptz,
            message_id text not null default '',
            -- Messages that the network gave up on before their answer was written down here.
            failed_message_ids text[] not null default '{}',
            primary key (chain_id, campaign_id, recipient_id)
        );
        create index campaign_recipients_states
            on campaign_recipients (chain_id, campaign_id, state, recipient_id);
        create index campaign_recipients_by_client on campaign_recipients (chain_id, client_id);
        create index campaign_recipients_by_original on campaign_recipients (chain_id, original_client_id)
            where original_client_id <> '';
        create index campaign_recipients_by_message on campaign_recipients (chain_id, message_id)
            where message_id <> '';

        -- Until when the text of an automated suggestion is left to whoever took it.
        alter table suggestions add automated_due_at timestamptz;
        create index suggestions_automated on suggestions (chain_id, score desc, suggestion_id)
            where action = 'automated' and state = 'open';
        """
    )
    secure("campaigns", "campaign_recipients")
    secure("campaign_runs", platform=True)
