"""Saved mappings, uploads that go on where they were cut, and who may overwrite what.

field_writers says who wrote a field last where that is not the client's own source; field_conflicts keeps the values
that were not taken. import_assumptions counts, per import, in what sense lines were read that can be read in several.
search_queue holds whose words are to be found anew once an import is through: a client who bought three pieces in a
file of a million lines is made findable by them once, not three times.
"""

from chassis.migrations import run_sql, secure

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """New columns with constant defaults and new tables."""
    run_sql(
        """
        create table import_mappings (
            chain_id text not null,
            import_mapping_id text not null,
            display_name text not null,
            source text not null,
            format text not null,
            delimiter text not null,
            columns jsonb not null,
            date_order text not null,
            encoding text not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            primary key (chain_id, import_mapping_id)
        );
        create unique index import_mappings_by_name on import_mappings (chain_id, lower(display_name));

        alter table imports
            add encoding text not null default '',
            add date_order text not null default '',
            add import_mapping_id text not null default '',
            add clients_updated bigint not null default 0,
            add conflicts bigint not null default 0,
            add lines_suppressed bigint not null default 0,
            add faults_kept bigint not null default 0,
            add resume_offset bigint not null default 0,
            add resume_line bigint not null default 0,
            add read_encoding text not null default '',
            add read_delimiter text not null default '',
            add read_header text[] not null default '{}';
        create table import_assumptions (
            chain_id text not null,
            import_id text not null,
            field text not null,
            reason text not null,
            line bigint not null,
            occurrences bigint not null,
            detail text not null,
            primary key (chain_id, import_id, field, reason)
        );

        create table search_queue (
            chain_id text not null,
            client_id text not null,
            queued_at timestamptz not null,
            primary key (chain_id, client_id)
        );

        create table field_authority (
            chain_id text primary key,
            rules jsonb not null,
            version bigint not null,
            updated_at timestamptz not null
        );
        create table field_writers (
            chain_id text not null,
            client_id text not null,
            field text not null,
            value_key text not null default '',
            writer text not null,
            is_person boolean not null,
            written_at timestamptz not null,
            primary key (chain_id, client_id, field, value_key),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create table field_conflicts (
            chain_id text not null,
            field_conflict_id text not null,
            client_id text not null,
            field text not null,
            current_value text not null,
            current_writer text not null,
            offered_value text not null,
            source text not null,
            is_persons boolean not null default false,
            state text not null check (state in ('open', 'taken', 'kept')),
            created_at timestamptz not null,
            settled_by text not null default '',
            settled_at timestamptz,
            primary key (chain_id, field_conflict_id),
            foreign key (chain_id, client_id) references clients on delete cascade
        );
        create unique index field_conflicts_offered on field_conflicts
            (chain_id, client_id, field, source, md5(offered_value));
        create index field_conflicts_by_state on field_conflicts (chain_id, state, field_conflict_id);
        """
    )
    secure("search_queue", platform=True)
    secure("import_mappings", "import_assumptions", "field_authority", "field_writers", "field_conflicts")
