"""Tell other systems what changed."""

from collections.abc import Collection, Sequence

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database
from profiles.domain.changes import Change, ChangeKind, Mark, Position
from profiles.store import audit
from profiles.store import changes as store
from profiles.store import clients as client_store
from profiles.store import purchases as purchase_store
from profiles.store import visits as visit_store


async def list_changes(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    kinds: Collection[ChangeKind],
    after: Position,
    limit: int,
) -> tuple[Sequence[Change], Position, bool]:
    """Return the next changes as they are now, where the reader is then, and whether there is more already."""
    async with database.transaction(caller.chain_id) as tx:
        marks = await store.list_marks(tx, kinds or set(ChangeKind), after=after, limit=limit + 1)
        page = marks[:limit]
        ids = {kind: [mark.position.record_id for mark in page if mark.kind is kind] for kind in ChangeKind}
        clients = {one.client_id: one for one in await client_store.get_clients(tx, ids[ChangeKind.CLIENT])}
        bought = await purchase_store.get_purchases(tx, ids[ChangeKind.PURCHASE])
        purchases = {one.purchase_id: one for one in bought}
        visits = {one.visit_id: one for one in await visit_store.get_visits(tx, ids[ChangeKind.VISIT])}
        removed = await store.removed_among(tx, {mark.client_id for mark in page})

        def read(mark: Mark) -> Change | None:
            """Return the record; None for what belongs to somebody who is gone, which has a change of its own."""
            record_id, kind = mark.position.record_id, mark.kind
            if kind in (ChangeKind.CLIENT_MERGED, ChangeKind.CLIENT_REMOVED):
                return Change(kind, mark.client_id, successor_id=mark.successor_id)
            if mark.client_id in removed:
                return None
            change = Change(
                kind, mark.client_id, clients.get(record_id), purchases.get(record_id), visits.get(record_id)
            )
            return change if change.client or change.purchase or change.visit else None

        changes = [change for mark in page if (change := read(mark)) is not None]
        seen = [change.client_id for change in changes]
        for start in range(0, len(seen), audit.MOST_CLIENTS):
            await audit.note(
                tx, caller, "ListChanges", seen[start : start + audit.MOST_CLIENTS], now=clock.now()
            )
    return changes, page[-1].position if page else after, len(marks) > limit
