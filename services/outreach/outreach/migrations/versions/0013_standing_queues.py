"""What stands on queues is read from an index alone, and raising a suggestion writes an index less."""

from chassis.migrations import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """The last of the best of each queue is read by action as well; of what went by, the expired alone had no index."""
    run_sql(
        """
        create index suggestions_standing on suggestions (chain_id, associate_id, action, score desc, suggestion_id)
            where state in ('open', 'snoozed');
        create index suggestions_expired on suggestions (chain_id, associate_id) where state = 'expired';
        drop index suggestions_live;
        drop index suggestions_queue;
        """
    )
