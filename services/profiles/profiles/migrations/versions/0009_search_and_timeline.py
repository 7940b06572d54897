"""Finding clients as somebody types, and timelines of millions of lines."""

from chassis.migrations import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _order_timelines_by_kind()


def _order_timelines_by_kind() -> None:
    # With the kind before the time one index serves every page of a timeline, filtered or not, and imports pay for no
    # second one. Nothing is rewritten; while the index is built, lines wait.
    run_sql(
        """
        alter table timeline_entries
            drop constraint timeline_entries_pkey,
            add primary key (chain_id, client_id, kind, occurred_at, entry_id);
        """
    )
