"""Put what other services say on timelines."""

from collections.abc import Sequence
from datetime import datetime

from chassis.database import Transaction
from chassis.ids import new_id
from profiles.domain.timeline import Entry, TimelineKind
from profiles.store import clients as client_store
from profiles.store import timeline as store


async def note(
    tx: Transaction,
    client_ids: Sequence[str],
    kind: TimelineKind,
    *,
    summary: str,
    subject_id: str,
    occurred_at: datetime,
) -> None:
    """Add one line to the timeline of each client; of those who are not known here nothing is kept."""
    known = await client_store.keep_clients(tx, client_ids)
    await store.add_entries(
        tx, [Entry(new_id("tle"), client_id, kind, occurred_at, summary, subject_id) for client_id in known]
    )
