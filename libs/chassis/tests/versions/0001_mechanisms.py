"""The chassis' own tables and one table of a made-up service."""

from chassis.migrations import append_only, create_mechanism_tables, run_sql, secure

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_mechanism_tables()
    run_sql("create table things (thing_id text primary key, chain_id text not null, label text not null);")
    run_sql("create table ledger (entry_id text primary key, chain_id text not null);")
    run_sql("create table directory (entry_id text primary key, chain_id text not null);")
    secure("things", "ledger")
    secure("directory", platform=True)
    append_only("ledger", role="waitlist")
