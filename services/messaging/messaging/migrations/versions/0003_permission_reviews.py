"""Numbers that fell silent because of what was written, until somebody has looked."""

from chassis.migrations import run_sql, secure

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """What binds is in the ledger; a review is the task that a suspension leaves, and who did it."""
    run_sql(
        """
        create table permission_reviews (
            review_id text primary key,
            chain_id text not null,
            phone text not null,
            store_id text not null,
            conversation_id text not null,
            message_id text not null,
            likelihood text not null,
            finding text not null,
            state text not null,
            suspended_at timestamptz not null,
            decided_by text not null,
            note text not null,
            decided_at timestamptz,
            created_at timestamptz not null
        );
        create unique index permission_reviews_open on permission_reviews (chain_id, phone) where state = 'OPEN';
        create index permission_reviews_latest on permission_reviews (chain_id, state, created_at desc, review_id desc);
        create index permission_reviews_of_phone on permission_reviews (chain_id, phone);

        -- With the lines of a number go the reviews that some of them led to.
        create or replace function erase_permission_entries(erased_phone text) returns bigint
        language sql security definer set search_path = public, pg_temp as $$
            with reviews as (delete from permission_reviews where phone = erased_phone),
            gone as (delete from permission_entries where phone = erased_phone returning 1)
            select count(*) from gone
        $$;
        """
    )
    secure("permission_reviews")
