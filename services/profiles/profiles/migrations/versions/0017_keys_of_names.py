"""Nobody is met under a name alone any more: keys say so in their last bit, so every client's are made anew.

Those of a million clients are made in some minutes, in the background; captures find fewer namesakes meanwhile.
"""

from chassis.migrations import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Queue who has keys."""
    run_sql("insert into match_queue (chain_id, client_id) select chain_id, client_id from match_clients;")
