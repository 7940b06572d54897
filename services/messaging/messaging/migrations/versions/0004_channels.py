"""Channels beside SMS, and what messages, senders and conversations are told beside what they were."""

from chassis.migrations import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A column named phone holds an e-mail address where the channel is EMAIL."""
    run_sql(
        """
        alter table senders
            add column channel text not null default 'SMS',
            add column brand_registration_id text not null default '',
            add column messaging_service_id text not null default '',
            add column segments_per_second double precision not null default 1,
            add column state text not null default 'ACTIVE',
            add column stop_reason text not null default '';
        alter table sender_directory
            add column channel text not null default 'SMS',
            add column messaging_service_id text not null default '',
            drop constraint sender_directory_pkey,
            add primary key (channel, phone);
        create index sender_directory_of_service on sender_directory (messaging_service_id)
            where messaging_service_id <> '';

        alter table conversations
            add column channel text not null default 'SMS',
            add column conversation_state text not null default 'OPEN',
            add column assignee_id text not null default '',
            add column waiting_since timestamptz;

        alter table messages
            add column channel text not null default 'SMS',
            add column subject text not null default '',
            add column template_id text not null default '',
            add column campaign_id text not null default '',
            add column bulk_send_id text not null default '',
            add column reminder_id text not null default '',
            add column expires_at timestamptz,
            add column delivered_at timestamptz;

        alter table permission_entries add column channel text not null default 'SMS';
        """
    )
