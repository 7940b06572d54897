"""Phrases: short texts that associates put in anywhere, by a shortcut."""

from chassis.migrations import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Openings and closings have no shortcut, and drafts never see a phrase."""
    run_sql(
        """
        alter table snippets drop constraint snippets_place_check;
        alter table snippets
            add column shortcut text not null default '',
            add constraint snippets_place_check check (place in ('opening', 'closing', 'phrase')),
            add constraint snippets_shortcut_check check (shortcut = '' or place = 'phrase');
        create unique index snippets_by_shortcut on snippets (chain_id, associate_id, shortcut) where shortcut <> '';
        """
    )
