"""Reassign a whole book: say beforehand what would happen, then do it in batches that can be gone on with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from profiles import events
from profiles.domain.books import (
    BATCH_CLIENTS,
    Assignment,
    AssignmentReason,
    BookChanged,
    BookExtent,
    Reassignment,
    SecondaryIsPrimary,
    Spreading,
    preview_etag,
    require_targets,
    targets_in_turn,
)
from profiles.domain.clients import Client
from profiles.domain.directory import Associate
from profiles.domain.timeline import came_into_book
from profiles.store import books as store
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import timeline as timeline_store
from profiles.use_cases.clients import save_change


@dataclass(frozen=True, slots=True)
class Preview:
    """What a reassignment would do; `moves` are some of the clients, each with who would get the client."""

    extent: BookExtent
    etag: str
    moves: Sequence[tuple[Client, str]]


async def preview_reassignment(
    *, database: Database, caller: Caller, spreading: Spreading, after: str, moved: int, limit: int
) -> Preview:
    """Return what a reassignment would do, with `limit` moves from behind client `after`, who was the `moved`th.

    Raises what reassign_book raises, but BOOK_CHANGED.
    """
    require_targets(spreading)
    async with database.transaction(caller.chain_id) as tx:
        await _require_everybody(tx, caller, spreading)
        extent = await store.measure_book(tx, spreading)
        client_ids = await store.list_book(
            tx, spreading, after=after, until=extent.last_client_id, limit=limit
        )
        clients = await client_store.get_clients(tx, client_ids)
    targets = targets_in_turn(spreading, moved=moved)
    return Preview(extent, preview_etag(spreading, extent), [(client, next(targets)) for client in clients])


async def reassign_book(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    spreading: Spreading,
    etag: str,
) -> Reassignment:
    """Spread a book over others, or go on where a repeated request was cut off.

    Raises ASSOCIATE_NOT_FOUND, STORE_NOT_FOUND, STORE_NOT_YOURS, REASSIGNMENT_TARGET_IS_SOURCE and BOOK_CHANGED. The
    clients are those who were in the book when it began: who comes in later stays.
    """
    require_targets(spreading)
    async with database.transaction(caller.chain_id) as tx:
        reassignment_id, is_repeat = await tx.once(key, new_id("rea"))
        if not is_repeat:
            await _require_everybody(tx, caller, spreading)
            extent = await store.measure_book(tx, spreading)
            if etag != preview_etag(spreading, extent):
                raise BookChanged(spreading.associate_id)
            begun = Reassignment(reassignment_id, spreading, extent.last_client_id, "", 0, clock.now())
            await store.add_reassignment(tx, begun, actor=caller.actor_id)
    while True:
        async with database.transaction(caller.chain_id) as tx:
            reassignment = await store.lock_reassignment(tx, reassignment_id)
            if reassignment.is_through:
                return reassignment
            targets = await _require_everybody(tx, caller, reassignment.spreading)
            await _move_batch(tx, caller, reassignment, targets, clock=clock)


async def set_secondary_associate(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, associate_id: str
) -> Client:
    """Name who stands in for a client's associate, or nobody; harmless when it is so already.

    Raises CLIENT_NOT_FOUND, ASSOCIATE_NOT_FOUND, STORE_NOT_YOURS and SECONDARY_IS_PRIMARY.
    """
    async with database.transaction(caller.chain_id) as tx:
        client = await client_store.lock_client(tx, client_id)
        if client.secondary_associate_id == associate_id:
            return client
        if associate_id:
            (associate,) = await directory_store.require_active_associates(tx, [associate_id])
            caller.require_store(associate.store_id)
            if client.associate_id == associate_id:
                raise SecondaryIsPrimary
        return await save_change(tx, replace(client, secondary_associate_id=associate_id), clock=clock)


async def _require_everybody(tx: Transaction, caller: Caller, spreading: Spreading) -> dict[str, Associate]:
    source = await directory_store.get_associate(tx, spreading.associate_id)
    targets = await directory_store.require_active_associates(tx, spreading.target_ids)
    for store_id in {source.store_id, *(target.store_id for target in targets)}:
        caller.require_store(store_id)
    if spreading.store_id:
        await directory_store.get_store(tx, spreading.store_id)
        caller.require_store(spreading.store_id)
    return {target.associate_id: target for target in targets}


async def _move_batch(
    tx: Transaction,
    caller: Caller,
    reassignment: Reassignment,
    targets: dict[str, Associate],
    *,
    clock: Clock,
) -> None:
    spreading, now = reassignment.spreading, clock.now()
    client_ids = await store.list_book(
        tx,
        spreading,
        after=reassignment.done_client_id,
        until=reassignment.last_client_id,
        limit=BATCH_CLIENTS,
        lock=True,
    )
    is_last = len(client_ids) < BATCH_CLIENTS
    await store.save_reassignment(
        tx,
        replace(
            reassignment,
            done_client_id=reassignment.last_client_id if is_last else client_ids[-1],
            moved=reassignment.moved + len(client_ids),
        ),
    )
    if not client_ids:
        return
    new_ids = list(islice(targets_in_turn(spreading, moved=reassignment.moved), len(client_ids)))
    await store.move_clients(tx, client_ids, new_ids, now=now)
    moves = list(zip(client_ids, new_ids, strict=True))
    await store.add_assignments(
        tx,
        [
            Assignment(
                new_id("asg"),
                client_id,
                spreading.associate_id,
                associate_id,
                AssignmentReason.REASSIGNED,
                caller.actor_id,
                now,
            )
            for client_id, associate_id in moves
        ],
    )
    await timeline_store.add_entries(
        tx,
        [
            came_into_book(
                new_id("tle"), client_id, associate_id, targets[associate_id].display_name, moment=now
            )
            for client_id, associate_id in moves
        ],
    )
    for event in events.book_reassigned(reassignment, await client_store.get_clients(tx, client_ids)):
        tx.publish(event, entity_id=reassignment.reassignment_id)
