"""Drafts with what became of them, and snippets."""

from chassis.migrations import run_sql, secure

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables; one text went out for a suggestion, and one habit is learned of an associate and place."""
    run_sql(
        """
        create table drafts (
            chain_id text not null,
            draft_id text collate "C" not null,
            suggestion_id text collate "C" not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            -- In whose voice; empty for nobody's.
            associate_id text not null,
            language text not null,
            source text not null check (source in ('template', 'model')),
            wording_key text not null,
            opening text not null,
            middle text not null,
            closing text not null,
            -- The names that the text may hold, so that an edit of it is not taken for a habit with one in it.
            given_name text not null,
            family_name text not null,
            associate_name text not null,
            store_name text not null,
            created_at timestamptz not null,
            sent_at timestamptz,
            phrasing text check (phrasing in ('drafted', 'edited')),
            -- What stood in the place of opening and closing when it was sent, names as variables; gone once learned.
            opening_edit text,
            closing_edit text,
            primary key (chain_id, draft_id),
            check ((sent_at is null) = (phrasing is null))
        );
        create unique index drafts_sent on drafts (chain_id, suggestion_id) where sent_at is not null;
        create index drafts_unsent on drafts (chain_id, created_at) where sent_at is null;
        create index drafts_by_client on drafts (chain_id, client_id);
        create index drafts_by_original on drafts (chain_id, original_client_id) where original_client_id <> '';
        create index drafts_edits on drafts (chain_id, associate_id, language)
            where opening_edit is not null or closing_edit is not null;

        create table snippets (
            chain_id text not null,
            snippet_id text collate "C" not null,
            -- Empty: the chain's, for everybody.
            associate_id text not null,
            place text not null check (place in ('opening', 'closing')),
            language text not null,
            body text not null,
            is_learned boolean not null,
            created_at timestamptz not null,
            primary key (chain_id, snippet_id),
            check (not is_learned or associate_id <> '')
        );
        create index snippets_of on snippets (chain_id, associate_id, created_at desc, snippet_id desc);
        create unique index snippets_learned on snippets (chain_id, associate_id, place, language) where is_learned;
        """
    )
    secure("drafts", "snippets")
