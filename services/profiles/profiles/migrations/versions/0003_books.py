"""Who had whom, and books that go over to others.

assignments has no foreign key: it outlives the client, as consents do, and an import pays for one index and no look-up.
"""

from chassis.migrations import append_only, run_sql, secure

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Two new tables; nothing that is there is touched. The history begins with this version."""
    run_sql(
        """
        create table assignments (
            chain_id text not null,
            assignment_id text not null,
            client_id text not null,
            from_associate_id text not null,
            to_associate_id text not null,
            reason text not null,
            actor text not null,
            assigned_at timestamptz not null,
            primary key (chain_id, client_id, assigned_at, assignment_id)
        );
        create table reassignments (
            chain_id text not null,
            reassignment_id text not null,
            associate_id text not null,
            target_ids text[] not null,
            store_id text not null,
            last_client_id text not null,
            done_client_id text not null default '',
            moved integer not null default 0,
            actor text not null,
            created_at timestamptz not null,
            primary key (chain_id, reassignment_id)
        );
        """
    )
    secure("assignments", "reassignments")
    append_only("assignments", role="profiles")
