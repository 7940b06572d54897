"""Rows of repairs and their moves."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.repairs import UNDER_WAY, Repair, RepairKind, RepairMove, RepairStage
from profiles.domain.surprises import Surprise
from profiles.store.documents import document_of, intake_of, piece_of
from profiles.store.surprises import SHOWN, Viewer

NO_PROMISE = date.max  # Postgres' infinity: what was promised for no day comes last

_WHOLE = """
    select repair_id, client_id, store_id, associate_id, kind, piece, intake, scope, price_minor, price_currency,
        promised_on, source, external_id, surprise_for_client_id, surprise_ends_on, version, created_at,
        (select jsonb_agg(jsonb_build_array(m.stage, m.moved_at, m.actor) order by m.position) from repair_moves m
         where m.chain_id = r.chain_id and m.repair_id = r.repair_id) moves
    from repairs r
"""


async def add_repair(tx: Transaction, repair: Repair) -> str:
    """Insert a repair with its first stage, and return its id, or that of the one with its source and external id."""
    added = await tx.execute(
        "insert into repairs (chain_id, repair_id, client_id, store_id, associate_id, kind, piece, intake, scope,"
        " price_minor, price_currency, promised_on, stage, source, external_id, surprise_for_client_id,"
        " surprise_ends_on, version, created_at) values (:chain_id, :repair_id, :client_id, :store_id, :associate_id,"
        " :kind, cast(:piece as jsonb), cast(:intake as jsonb), :scope, :price_minor, :price_currency, :promised_on,"
        " :stage, :source, :external_id, :surprise_for_client_id, :surprise_ends_on, :version, :created_at)"
        " on conflict (chain_id, source, external_id) where external_id <> '' do nothing",
        {
            "chain_id": tx.chain_id,
            "repair_id": repair.repair_id,
            "client_id": repair.client_id,
            "store_id": repair.store_id,
            "associate_id": repair.associate_id,
            "kind": repair.kind.value,
            "source": repair.source,
            "external_id": repair.external_id,
            "created_at": repair.created_at,
            **_changeable(repair),
        },
    )
    if not added.rowcount:
        found = await tx.execute(
            "select repair_id from repairs where source = :source and external_id = :external_id",
            {"source": repair.source, "external_id": repair.external_id},
        )
        return str(found.scalar_one())
    await _add_move(tx, repair)
    return repair.repair_id


async def find_repair(tx: Transaction, source: str, external_id: str) -> Repair | None:
    """Return the repair that a source calls `external_id`, if it is known."""
    found = await tx.execute(
        f"{_WHOLE} where source = :source and external_id = :external_id and external_id <> ''",
        {"source": source, "external_id": external_id},
    )
    row = found.one_or_none()
    return None if row is None else _repair(row)


async def get_repair(tx: Transaction, repair_id: str) -> Repair:
    """Return a repair. Raises REPAIR_NOT_FOUND."""
    found = await tx.execute(f"{_WHOLE} where repair_id = :repair_id", {"repair_id": repair_id})
    if (row := found.one_or_none()) is None:
        raise not_found("repair", repair_id)
    return _repair(row)


async def lock_repair(tx: Transaction, repair_id: str) -> Repair:
    """Return a repair that nobody else changes until the transaction ends. Raises REPAIR_NOT_FOUND."""
    await tx.execute(
        "select 1 from repairs where repair_id = :repair_id for update", {"repair_id": repair_id}
    )
    return await get_repair(tx, repair_id)


async def save_repair(tx: Transaction, repair: Repair) -> None:
    """Write what changes of a locked repair, but its moves."""
    await tx.execute(
        "update repairs set piece = cast(:piece as jsonb), intake = cast(:intake as jsonb), scope = :scope,"
        " price_minor = :price_minor, price_currency = :price_currency, promised_on = :promised_on, stage = :stage,"
        " surprise_for_client_id = :surprise_for_client_id, surprise_ends_on = :surprise_ends_on, version = :version"
        " where repair_id = :repair_id",
        {"repair_id": repair.repair_id, **_changeable(repair)},
    )


async def move_repair(tx: Transaction, repair: Repair) -> None:
    """Write the last move of a locked repair."""
    await save_repair(tx, repair)
    await _add_move(tx, repair)


async def _add_move(tx: Transaction, repair: Repair) -> None:
    move = repair.moves[-1]
    await tx.execute(
        "insert into repair_moves (chain_id, repair_id, position, stage, moved_at, actor)"
        " values (:chain_id, :repair_id, :position, :stage, :moved_at, :actor)",
        {
            "chain_id": tx.chain_id,
            "repair_id": repair.repair_id,
            "position": len(repair.moves),
            "stage": move.stage.value,
            "moved_at": move.moved_at,
            "actor": move.actor,
        },
    )


def _changeable(repair: Repair) -> dict[str, Any]:
    return {
        "piece": document_of(repair.piece),
        "intake": document_of(repair.intake),
        "scope": repair.scope,
        "price_minor": repair.price_minor,
        "price_currency": repair.price_currency,
        "promised_on": repair.promised_on or NO_PROMISE,
        "stage": repair.stage.value,
        "surprise_for_client_id": repair.surprise.client_id,
        "surprise_ends_on": repair.surprise.ends_on,
        "version": repair.version,
    }


async def list_repairs(
    tx: Transaction,
    *,
    viewer: Viewer | None = None,
    store_id: str = "",
    stages: Sequence[RepairStage] = (),
    overdue_at: datetime | None = None,
    after: tuple[date, str] | None = None,
    limit: int,
) -> list[Repair]:
    """Return repairs, the earliest promised first; those of a client without what is a surprise for that client.

    `overdue_at` narrows them to those promised for a day before that moment's day at their store, and not ready.
    """
    conditions, parameters = ["r.chain_id = :chain_id"], dict[str, Any](chain_id=tx.chain_id, limit=limit)
    if viewer:
        conditions.append(f"r.client_id = :client_id and {SHOWN}")
        parameters |= {"client_id": viewer.client_id, **viewer.parameters(include_surprises=False)}
    if store_id:
        conditions.append("r.store_id = :store_id")
        parameters["store_id"] = store_id
    if stages:
        conditions.append("r.stage = any(:stages)")
        parameters["stages"] = [stage.value for stage in stages]
    if overdue_at is not None:
        conditions.append(
            "r.stage = any(:under_way) and exists (select from stores s where s.chain_id = r.chain_id"
            " and s.store_id = r.store_id"
            " and r.promised_on < cast(cast(:now as timestamptz) at time zone s.time_zone as date))"
        )
        parameters |= {"under_way": [stage.value for stage in UNDER_WAY], "now": overdue_at}
    if after:
        conditions.append("(r.promised_on, r.repair_id) > (:after_day, :after_id)")
        parameters |= {"after_day": after[0], "after_id": after[1]}
    found = await tx.execute(
        f"{_WHOLE} where {' and '.join(conditions)} order by r.promised_on, r.repair_id limit :limit",
        parameters,
    )
    return [_repair(row) for row in found]


def _repair(row: Row[Any]) -> Repair:
    return Repair(
        repair_id=row.repair_id,
        client_id=row.client_id,
        store_id=row.store_id,
        associate_id=row.associate_id,
        kind=RepairKind(row.kind),
        piece=piece_of(row.piece),
        intake=intake_of(row.intake),
        scope=row.scope,
        price_minor=row.price_minor,
        price_currency=row.price_currency,
        promised_on=None if row.promised_on == NO_PROMISE else row.promised_on,
        moves=tuple(
            RepairMove(RepairStage(stage), datetime.fromisoformat(moved_at), actor)
            for stage, moved_at, actor in row.moves
        ),
        source=row.source,
        external_id=row.external_id,
        created_at=row.created_at,
        version=row.version,
        surprise=Surprise(row.surprise_for_client_id, row.surprise_ends_on),
    )
