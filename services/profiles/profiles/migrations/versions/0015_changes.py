"""The feed of changes for other systems.

Each row of a client, a purchase and a visit says in which transaction it changed last; rows from before this
migration say nothing and come first. A transaction's number is taken before it commits, so a reader stops below the
oldest one that is still under way: nothing that commits later can appear behind a reader's back. The number is kept
as bigint because its operators are leakproof, those of xid8 are not, and row-level security would keep them from the
index.
"""

from chassis.migrations import run_sql, secure

revision = "0015"
down_revision = "0014"

_ID = {"clients": "client_id", "purchases": "purchase_id", "visits": "visit_id"}


def upgrade() -> None:
    run_sql(
        """
        create function changing_transaction() returns bigint
            language sql volatile
            return cast(cast(pg_current_xact_id() as text) as bigint);

        create function mark_change() returns trigger language plpgsql as $$
        begin
            new.changed_in := changing_transaction();
            return new;
        end $$;

        create table client_removals (
            chain_id text not null,
            client_id text not null,
            changed_in bigint not null default changing_transaction(),
            primary key (chain_id, client_id)
        );
        create index client_removals_in_order on client_removals (chain_id, changed_in, client_id);
        alter table client_aliases add changed_in bigint;
        alter table client_aliases alter changed_in set default changing_transaction();
        create index client_aliases_in_order on client_aliases (chain_id, coalesce(changed_in, 0), alias_id);
        """
    )
    secure("client_removals")
    for table, key in _ID.items():
        run_sql(
            f"""
            alter table {table} add changed_in bigint;
            alter table {table} alter changed_in set default changing_transaction();
            create index {table}_in_order on {table} (chain_id, coalesce(changed_in, 0), {key});
            create trigger mark_change before update on {table} for each row execute function mark_change();
            """
        )
