"""Templates with their texts, and what e-mail needs."""

from chassis.migrations import run_sql, secure

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """A template's texts are read and written as a whole, with it; e-mails of the sandbox have a subject."""
    run_sql(
        """
        create table templates (
            chain_id text not null,
            template_id text not null,
            display_name text not null,
            channel text not null,
            purpose text not null,
            texts jsonb not null,
            default_language_code text not null,
            is_reminder boolean not null,
            is_archived boolean not null default false,
            version bigint not null default 1,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            primary key (chain_id, template_id)
        );
        create unique index templates_by_name on templates (chain_id, channel, lower(display_name))
            where not is_archived;

        alter table sandbox_messages
            add column subject text not null default '',
            add column unsubscribe_url text not null default '';
        """
    )
    secure("templates")
