"""Everything that a profile holds beside names and numbers.

Columns with constant defaults are added without rewriting a table. A preference from before has no id of its own: its
place is one, until the list is written again.
"""

from chassis.migrations import run_sql, secure

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(
        """
        alter table clients
            add column nickname text not null default '',
            add column tags text[] not null default '{}',
            add column address_lines text[] not null default '{}',
            add column locality text not null default '',
            add column region text not null default '',
            add column postal_code text not null default '',
            add column country text not null default '';
        alter table contact_points add column type text not null default '';
        alter table preferences
            add column preference_id text,
            add column finger text not null default '',
            add column size_system text not null default '',
            add column minimum_minor bigint,
            add column maximum_minor bigint,
            add column currency_code text not null default '';
        alter table occasions
            add column recurrence text not null default 'yearly',
            add column lead_days integer,
            add column surprise_for_client_id text not null default '',
            add column relationship_id text not null default '';

        create table relationships (
            chain_id text not null,
            relationship_id text not null,
            position bigint generated always as identity,
            client_id text not null,
            kind text not null,
            related_client_id text,
            given_name text not null default '',
            family_name text not null default '',
            note text not null default '',
            created_at timestamptz not null,
            primary key (chain_id, relationship_id),
            foreign key (chain_id, client_id) references clients on delete cascade,
            foreign key (chain_id, related_client_id) references clients on delete cascade
        );
        -- The pair first: of indexes that look alike to a planner without statistics the last one is taken.
        create unique index relationships_pair on relationships
            (chain_id, least(client_id, related_client_id), greatest(client_id, related_client_id))
            where related_client_id is not null;
        create index relationships_of_related on relationships (chain_id, related_client_id)
            where related_client_id is not null;
        create index relationships_of_client on relationships (chain_id, client_id);
        """
    )
    secure("relationships")
