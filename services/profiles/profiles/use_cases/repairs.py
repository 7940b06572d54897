"""Take pieces in for repair or service, change what is to be done, and move them on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from profiles import events
from profiles.domain.clients import require_source
from profiles.domain.pieces import Piece
from profiles.domain.repairs import (
    Intake,
    Repair,
    RepairKind,
    RepairMove,
    RepairStage,
    intake_summary,
    move_summary,
    require_amount,
    require_scope,
    require_updatable,
)
from profiles.domain.surprises import NO_SURPRISE, Surprise
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.store import attachments as attachment_store
from profiles.store import audit
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import repairs as store
from profiles.store import surprises as surprise_store
from profiles.store import timeline as timeline_store


@dataclass(frozen=True, slots=True)
class RepairFields:
    """What can be said of a repair, and changed later."""

    piece: Piece = Piece()  # noqa: RUF009 - frozen
    intake: Intake = Intake()  # noqa: RUF009 - frozen
    scope: str = ""
    price_minor: int | None = None
    price_currency: str = ""
    promised_on: date | None = None
    surprise: Surprise = NO_SURPRISE


async def create_repair(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    store_id: str,
    kind: RepairKind,
    fields: RepairFields,
    source: str,
    external_id: str,
) -> Repair:
    """Take a piece in; a repeat by `key`, or by source and external id, returns the first one.

    Raises CLIENT_NOT_FOUND, STORE_NOT_FOUND, STORE_NOT_YOURS and SOURCE_MISSING.
    """
    caller.require_store(store_id)
    require_source(source, external_id)
    require_amount(fields.price_minor, "price")
    require_amount(fields.intake.declared_minor, "intake.declared_value")
    async with database.transaction(caller.chain_id) as tx:
        repair_id, is_repeat = await tx.once(key, new_id("rep"))
        if is_repeat:
            # Under that id nothing was written when the source's own id had named an older repair.
            if external_id and (known := await store.find_repair(tx, source, external_id)):
                return known
            return await store.get_repair(tx, repair_id)
        client_id = await client_store.keep_client(tx, client_id)
        await directory_store.get_store(tx, store_id)
        surprise = await surprise_store.keep_surprise(tx, fields.surprise)
        now = clock.now()
        repair = Repair(
            repair_id=repair_id,
            client_id=client_id,
            store_id=store_id,
            associate_id=caller.associate_id,
            kind=kind,
            piece=fields.piece,
            intake=fields.intake,
            scope=fields.scope,
            price_minor=fields.price_minor,
            price_currency=fields.price_currency,
            promised_on=fields.promised_on,
            moves=(RepairMove(RepairStage.RECEIVED, now, caller.actor_id),),
            source=source,
            external_id=external_id,
            created_at=now,
            surprise=surprise,
        )
        if (written := await store.add_repair(tx, repair)) != repair_id:
            return await store.get_repair(tx, written)
        await _add_line(tx, repair, entry_id_of(repair_id), intake_summary(kind))
        tx.publish(events.repair_moved(repair), entity_id=repair_id)
        return repair


async def get_repair(*, database: Database, clock: Clock, caller: Caller, repair_id: str) -> Repair:
    """Return a repair. Raises REPAIR_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        repair = await store.get_repair(tx, repair_id)
        await audit.note(tx, caller, "GetRepair", [repair.client_id], now=clock.now(), subject_id=repair_id)
        return repair


async def list_repairs(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    client_id: str,
    store_id: str,
    stages: Sequence[RepairStage],
    is_overdue: bool,
    after: tuple[date, str] | None,
    limit: int,
) -> list[Repair]:
    """Return repairs, the earliest promised first; a client's without what is a surprise for that client.

    Raises CLIENT_NOT_FOUND and STORE_NOT_FOUND.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        viewer = await surprise_store.get_viewer(tx, client_id, now=now) if client_id else None
        if store_id:
            await directory_store.get_store(tx, store_id)
        found = await store.list_repairs(
            tx,
            viewer=viewer,
            store_id=store_id,
            stages=stages,
            overdue_at=now if is_overdue else None,
            after=after,
            limit=limit,
        )
        looked_at = [viewer.client_id] if viewer else [repair.client_id for repair in found]
        await audit.note(tx, caller, "ListRepairs", looked_at, now=now)
        return found


async def update_repair(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    repair_id: str,
    fields: RepairFields,
    paths: Sequence[str],
    etag: str,
) -> Repair:
    """Change the named fields.

    Raises REPAIR_NOT_FOUND, FIELD_UNKNOWN, REPAIR_CHANGED, REPAIR_OVER, STORE_NOT_YOURS and CLIENT_NOT_FOUND.
    """
    named = require_updatable(paths)
    if "scope" in named:
        require_scope(fields.scope, "repair.scope")
    if "price" in named:
        require_amount(fields.price_minor, "repair.price")
    if "intake" in named:
        require_amount(fields.intake.declared_minor, "repair.intake.declared_value")
    async with database.transaction(caller.chain_id) as tx:
        repair = await store.lock_repair(tx, repair_id)
        caller.require_store(repair.store_id)
        repair.require_etag(etag)
        repair.require_open()
        changed = replace(
            repair, **{name: getattr(fields, name) for name in named & {"piece", "intake", "scope"}}
        )
        if "price" in named:
            changed = replace(changed, price_minor=fields.price_minor, price_currency=fields.price_currency)
        if "promise_date" in named:
            changed = replace(changed, promised_on=fields.promised_on)
        if named & {"surprise_for_client_id", "surprise_end_date"}:
            surprise = _changed_surprise(repair.surprise, fields.surprise, named)
            surprise = await surprise_store.keep_surprise(tx, surprise, "repair.surprise_end_date")
            changed = replace(changed, surprise=surprise)
        await audit.note(
            tx, caller, "UpdateRepair", [repair.client_id], now=clock.now(), subject_id=repair_id
        )
        if changed == repair:
            return repair
        changed = replace(changed, version=repair.version + 1)
        await store.save_repair(tx, changed)
        if changed.surprise != repair.surprise:
            await timeline_store.set_surprise(
                tx, repair.client_id, TimelineKind.REPAIR, repair_id, changed.surprise
            )
            await attachment_store.follow_surprise(
                tx, repair.client_id, repair_id, repair.surprise, changed.surprise
            )
        if (changed.promised_on, changed.surprise) != (repair.promised_on, repair.surprise):
            tx.publish(events.repair_moved(changed), entity_id=repair_id)
        return changed


async def move_repair(
    *, database: Database, clock: Clock, caller: Caller, repair_id: str, stage: RepairStage
) -> Repair:
    """Move a repair on, or one step back; harmless when it is there.

    Raises REPAIR_NOT_FOUND, REPAIR_STAGE_NOT_NEXT and STORE_NOT_YOURS.
    """
    async with database.transaction(caller.chain_id) as tx:
        repair = await store.lock_repair(tx, repair_id)
        caller.require_store(repair.store_id)
        now = clock.now()
        await audit.note(tx, caller, "MoveRepair", [repair.client_id], now=now, subject_id=repair_id)
        if repair.stage is stage:
            return repair
        repair.require_next(stage)
        moved = replace(
            repair,
            moves=(*repair.moves, RepairMove(stage, now, caller.actor_id)),
            version=repair.version + 1,
        )
        await store.move_repair(tx, moved)
        summary = move_summary(repair.kind, stage, is_back=repair.is_back(stage))
        await _add_line(tx, moved, new_id("tle"), summary)
        tx.publish(events.repair_moved(moved), entity_id=repair_id)
        return moved


def _changed_surprise(surprise: Surprise, said: Surprise, named: frozenset[str]) -> Surprise:
    client_id = said.client_id if "surprise_for_client_id" in named else surprise.client_id
    if "surprise_end_date" in named:
        return Surprise(client_id, said.ends_on)
    return Surprise(client_id, surprise.ends_on if client_id else None)


async def _add_line(tx: Transaction, repair: Repair, entry_id: str, summary: str) -> None:
    entry = Entry(
        entry_id,
        repair.client_id,
        TimelineKind.REPAIR,
        repair.moves[-1].moved_at,
        summary,
        repair.repair_id,
        repair.surprise,
    )
    await timeline_store.add_entries(tx, [entry])
