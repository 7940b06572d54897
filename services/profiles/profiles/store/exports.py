"""Rows of exports and of what each service gave to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.exports import Export, ExportAudience, ExportPart, ExportState

# A page of exports with their parts is one statement.
_WHOLE = """
    select export_id, client_id, audience, state, actor, object_key, byte_count, failure, created_at, finished_at,
        expires_at,
        (select jsonb_agg(jsonb_build_array(service, record_count, is_done, sections, object_key) order by service)
         from export_parts p where p.export_id = e.export_id) as parts
    from exports e
"""


async def add_export(tx: Transaction, export: Export) -> None:
    """Insert an ordered export with its parts."""
    await tx.execute(
        "insert into exports (chain_id, export_id, client_id, audience, state, actor, object_key, created_at) values"
        " (:chain_id, :export_id, :client_id, :audience, :state, :actor, :object_key, :created_at)",
        {
            "chain_id": tx.chain_id,
            "export_id": export.export_id,
            "client_id": export.client_id,
            "audience": export.audience.value,
            "state": export.state.value,
            "actor": export.actor,
            "object_key": export.object_key,
            "created_at": export.created_at,
        },
    )
    await tx.execute(
        "insert into export_parts (chain_id, export_id, service) values (:chain_id, :export_id, :service)",
        [
            {"chain_id": tx.chain_id, "export_id": export.export_id, "service": part.service}
            for part in export.parts
        ],
    )


async def find_export(tx: Transaction, export_id: str) -> Export | None:
    """Return an export, None when it is not there, or not any more."""
    found = await tx.execute(f"{_WHOLE} where export_id = :export_id", {"export_id": export_id})
    return None if (row := found.one_or_none()) is None else _export(row)


async def get_export(tx: Transaction, export_id: str) -> Export:
    """Return an export. Raises EXPORT_NOT_FOUND."""
    if (export := await find_export(tx, export_id)) is None:
        raise not_found("export", export_id)
    return export


async def list_exports(tx: Transaction, client_id: str, *, before: str, limit: int) -> list[Export]:
    """Return exports, newest first, of one client or of all."""
    found = await tx.execute(
        f"{_WHOLE} where chain_id = :chain_id and (:client_id = '' or client_id = :client_id)"
        " and (:before = '' or export_id < :before) order by export_id desc limit :limit",
        {"chain_id": tx.chain_id, "client_id": client_id, "before": before, "limit": limit},
    )
    return [_export(row) for row in found]


async def finish_part(
    tx: Transaction, export_id: str, service: str, *, sections: Mapping[str, int], object_key: str
) -> None:
    """Note what a service gave and where that is kept until the archive is written."""
    await tx.execute(
        "update export_parts set is_done = true, record_count = :record_count, sections = cast(:sections as jsonb),"
        " object_key = :object_key where export_id = :export_id and service = :service",
        {
            "export_id": export_id,
            "service": service,
            "record_count": sum(sections.values()),
            "sections": orjson.dumps(dict(sections)).decode(),
            "object_key": object_key,
        },
    )


async def finish_export(
    tx: Transaction, export_id: str, *, byte_count: int, now: datetime, expires_at: datetime
) -> bool:
    """Say that an archive can be had; False when the export is not running any more, or gone."""
    done = await tx.execute(
        "update exports set state = 'ready', byte_count = :byte_count, finished_at = :now, expires_at = :expires_at"
        " where export_id = :export_id and state = 'running'",
        {"export_id": export_id, "byte_count": byte_count, "now": now, "expires_at": expires_at},
    )
    return bool(done.rowcount)


async def fail_export(tx: Transaction, export_id: str, failure: str, *, now: datetime) -> None:
    """Give an export up, with the reason."""
    await tx.execute(
        "update exports set state = 'failed', failure = :failure, finished_at = :now"
        " where export_id = :export_id and state = 'running'",
        {"export_id": export_id, "failure": failure, "now": now},
    )


async def expire_export(tx: Transaction, export_id: str) -> None:
    """Say that the archive is not kept any more."""
    await tx.execute(
        "update exports set state = 'expired' where export_id = :export_id and state = 'ready'",
        {"export_id": export_id},
    )


async def drop_objects(tx: Transaction, export_id: str, *, with_archive: bool, now: datetime) -> None:
    """Hand what the parts left behind, and the archive, to the sweep that deletes objects after the commit."""
    archive = "union all select object_key from exports where export_id = :export_id" if with_archive else ""
    await tx.execute(
        "insert into object_removals (chain_id, object_key, due_at) select :chain_id, object_key, :now from"  # noqa: S608
        f" (select object_key from export_parts where export_id = :export_id {archive}) o where object_key <> ''"
        " on conflict do nothing",
        {"chain_id": tx.chain_id, "export_id": export_id, "now": now},
    )
    await tx.execute(
        "update export_parts set object_key = '' where export_id = :export_id", {"export_id": export_id}
    )
    if with_archive:
        await tx.execute(
            "update exports set object_key = '' where export_id = :export_id", {"export_id": export_id}
        )


def _export(row: Row[Any]) -> Export:
    return Export(
        export_id=row.export_id,
        client_id=row.client_id,
        audience=ExportAudience(row.audience),
        state=ExportState(row.state),
        actor=row.actor,
        object_key=row.object_key,
        created_at=row.created_at,
        byte_count=row.byte_count,
        failure=row.failure,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        parts=tuple(
            ExportPart(service, record_count, is_done, sections, object_key)
            for service, record_count, is_done, sections, object_key in _json(row.parts)
        ),
    )


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value or []
