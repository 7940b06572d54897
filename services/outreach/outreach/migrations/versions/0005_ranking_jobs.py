"""Rankings as jobs of slices that replicas share, and clients who wait to be looked at again."""

from chassis.migrations import run_sql, secure

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables; a run's rows go when the next one of its chain begins."""
    run_sql(
        """
        -- A run holds the chain's lease by its id; one whose lease went to somebody else writes nothing any more.
        create table ranking_runs (
            chain_id text not null,
            run_id text not null,
            as_of date not null,
            began_at timestamptz not null,
            clients bigint not null,
            slices integer not null,
            slices_done integer not null default 0,
            finished_at timestamptz,
            primary key (chain_id, run_id)
        );

        -- candidates: client number, queue number and score of the best in the slice, three columns one after
        -- the other, eight bytes each, little end first.
        create table ranking_slices (
            chain_id text not null,
            run_id text not null,
            slice integer not null,
            from_number bigint not null,
            until_number bigint not null,
            candidates bytea,
            done_at timestamptz,
            primary key (chain_id, run_id, slice)
        );

        -- Clients about whom something was said, and who were not looked at in the transaction that said it. Each
        -- transaction adds rows of its own and waits for nobody who takes them off.
        create table due_clients (
            position bigint generated always as identity primary key,
            chain_id text not null,
            client_id text collate "C" not null,
            marked_at timestamptz not null
        );
        create index due_clients_waiting on due_clients (chain_id, position);
        create index due_clients_of_client on due_clients (chain_id, client_id);
        """
    )
    secure("ranking_runs", "ranking_slices")
    secure("due_clients", platform=True)
