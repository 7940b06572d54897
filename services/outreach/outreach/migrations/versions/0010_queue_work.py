"""Contacts logged outside messaging, suggestions handed on, and what clients alike spend."""

from chassis.migrations import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Widen suggestions and purchase_models; rows that are there keep their meaning."""
    run_sql(
        """
        alter table purchase_models
            -- [{"from_minor", "repeat_days", "mean_spend"}, ...]
            add segments jsonb not null default '[]',
            add repeats_year double precision;

        -- version counts what profiles said of the associate; 0: created.
        alter table associates
            add is_active boolean not null default true,
            add version bigint not null default 0;

        alter table suggestions drop constraint suggestions_state_check;
        alter table suggestions
            add constraint suggestions_state_check
                check (state in ('open', 'snoozed', 'sent', 'dismissed', 'expired', 'logged')),
            add contact_kind text not null default '',
            add contact_note text not null default '',
            add contacted_at timestamptz,
            -- Who handed it on; while it is live, rankings leave it with whom it was handed to.
            add reassigned_by text not null default '',
            -- Since when it is open again, after it was put away.
            add waiting_since date;
        create index suggestions_live on suggestions (chain_id, associate_id, score desc, suggestion_id)
            where state in ('open', 'snoozed');
        create index suggestions_done on suggestions (chain_id, associate_id, answered_at)
            where state in ('sent', 'logged', 'dismissed');
        """
    )
