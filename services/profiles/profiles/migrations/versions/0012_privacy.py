"""Exports, erasures with their receipts, and who must not come back."""

from chassis.migrations import run_sql, secure

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """New tables only."""
    _create_suppressions()


def _create_suppressions() -> None:
    run_sql(
        """
        create table suppressions (
            chain_id text not null,
            key_hash bytea not null,
            kind text not null check (kind in ('phone', 'email', 'external_id')),
            erasure_id text not null,
            created_at timestamptz not null,
            primary key (chain_id, key_hash)
        );
        """
    )
    secure("suppressions")
