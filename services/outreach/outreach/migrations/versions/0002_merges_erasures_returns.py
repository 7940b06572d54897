"""Merged and erased clients, returns, and for whom a purchase, a visit or a day is a surprise."""

from chassis.migrations import create_identity_tables, run_sql, secure

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rows that are there keep their client; original_client_id is empty until one moves."""
    create_identity_tables()
    run_sql(
        """
        create extension if not exists btree_gin; -- trusted: the owner of the database may create it

        alter table visits
            add original_client_id text collate "C" not null default '',
            add surprise_for_client_id text not null default '',
            add surprise_ends_on date;
        alter table purchases
            add original_client_id text collate "C" not null default '',
            add recipient_client_id text not null default '',
            add surprise_for_client_id text not null default '',
            add surprise_ends_on date;
        create index purchases_by_original on purchases (chain_id, original_client_id) where original_client_id <> '';
        -- Who is mentioned in somebody else's rows, for the erasure of who is mentioned.
        create index purchases_mentioning_recipient on purchases (chain_id, recipient_client_id)
            where recipient_client_id <> '';
        create index purchases_mentioning_surprised on purchases (chain_id, surprise_for_client_id)
            where surprise_for_client_id <> '';
        create index visits_mentioning_surprised on visits (chain_id, surprise_for_client_id)
            where surprise_for_client_id <> '';
        create index clients_mentioning on clients using gin (chain_id, occasions jsonb_path_ops)
            where occasions <> '[]';
        create index visits_by_original on visits (chain_id, original_client_id) where original_client_id <> '';
        alter table suggestions add original_client_id text collate "C" not null default '';
        create index suggestions_by_original on suggestions (chain_id, original_client_id)
            where original_client_id <> '';

        -- What came back of a purchase, which may be heard of first. client_id is the one that the event said.
        create table returns (
            chain_id text not null,
            return_id text collate "C" not null,
            purchase_id text collate "C" not null,
            client_id text collate "C" not null,
            returned_on date not null,
            total_minor bigint not null,
            currency_code text not null,
            primary key (chain_id, return_id)
        );
        create index returns_of_purchase on returns (chain_id, purchase_id);
        create index returns_by_client on returns (chain_id, client_id);
        comment on column clients.occasions is
            '[kind, year, month, day, recurrence, lead days or -1, relationship, surprise for]; older ones end at day';
        """
    )
    secure("returns")
