"""Keep what arrived for clients up with the shelves of their stores."""

from collections.abc import Collection
from datetime import date, datetime

from chassis.database import Transaction
from outreach.store import arrivals, refresh


async def follow_shelf(
    tx: Transaction, client_ids: Collection[str], *, today: date, now: datetime, waits: bool = True
) -> list[str]:
    """Bring what arrived for clients up to the shelves; return for whom something changed, who is to be counted anew.

    Holds those until the commit. Without `waits` it leaves out whom somebody else holds, who will look at them.
    """
    # Looked up first without holding anybody: for most there is nothing, and who changes a client meanwhile follows the
    # shelf as well.
    behind = await arrivals.find_behind(tx, client_ids, today=today)
    if not behind:
        return []
    if waits:
        await refresh.hold_clients(tx, behind)
    else:
        behind = await arrivals.hold_free(tx, behind)
    changed = await arrivals.follow(tx, behind, today=today)
    if changed:
        await refresh.queue_clients(tx, changed, tastes=False, now=now)
    return changed
