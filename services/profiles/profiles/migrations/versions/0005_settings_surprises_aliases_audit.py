"""What a chain decided, who must not learn of a record, where merged ids lead, and who looked at whom."""

from chassis.migrations import append_only, run_sql, secure

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(
        """
        create table chain_settings (
            chain_id text primary key,
            settings jsonb not null,
            version bigint not null,
            updated_at timestamptz not null
        );
        create table client_aliases (
            chain_id text not null,
            alias_id text not null,
            client_id text not null,
            merge_id text not null,
            created_at timestamptz not null,
            primary key (chain_id, alias_id)
        );
        create index client_aliases_of_client on client_aliases (chain_id, client_id);
        create table audit_entries (
            chain_id text not null,
            audit_entry_id text not null,
            actor text not null,
            role text not null,
            action text not null,
            client_ids text[] not null,
            subject_id text not null default '',
            created_at timestamptz not null,
            primary key (chain_id, audit_entry_id)
        );
        create index audit_entries_of_clients on audit_entries using gin (chain_id, client_ids);

        alter table purchases add surprise_for_client_id text not null default '', add surprise_ends_on date;
        alter table visits add surprise_for_client_id text not null default '', add surprise_ends_on date;
        alter table timeline_entries add surprise_for_client_id text not null default '', add surprise_ends_on date;
        """
    )
    secure("chain_settings", "client_aliases", "audit_entries")
    append_only("audit_entries", role="profiles")
