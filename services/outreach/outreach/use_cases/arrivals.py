"""Keep what arrived for clients up with the shelves of their stores."""

from collections.abc import Collection
from datetime import date, datetime

from chassis.database import Transaction
from outreach.store import arrivals, refresh


async def follow_shelf(
    tx: Transaction, client_ids: Collection[str], *, today: date, now: datetime, waits: bool = True
) -> list[str]:
    """Bring what arrived for clients up to the shelves; return for whom something changed, who is to be counted anew.

    Holds the clients until the commit. Without `waits` it leaves out whom somebody else holds, who will look at them.
    """
    ids = sorted(set(client_ids))
    if waits:
        await refresh.hold_clients(tx, ids)
    else:
        ids = await arrivals.hold_free(tx, ids)
    changed = await arrivals.follow(tx, ids, today=today)
    if changed:
        await refresh.queue_clients(tx, changed, now=now)
    return changed
