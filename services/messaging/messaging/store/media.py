"""Rows of pictures, which messages they belong to, and when something is to be done about one."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from messaging.domain.media import MediaState, Medium

_COLUMNS = (
    "media_id, content_type, file_name, state, created_at, byte_count, content_hash, object_key, provider,"
    " source_url"
)
_LEASE = timedelta(minutes=5)  # in which a worker must be through with what it took


async def add(tx: Transaction, medium: Medium) -> None:
    """Write a new picture down."""
    await tx.execute(
        f"insert into media (chain_id, {_COLUMNS}) values (:chain_id, :media_id, :content_type, :file_name, :state,"
        " :created_at, :byte_count, :content_hash, :object_key, :provider, :source_url)",
        {"chain_id": tx.chain_id, **vars(medium)},
    )


async def find(tx: Transaction, media_id: str, *, lock: bool = False) -> Medium | None:
    """Return one picture; `lock` keeps others from changing it."""
    found = await tx.execute(
        f"select {_COLUMNS} from media where media_id = :id {'for update' if lock else ''}", {"id": media_id}
    )
    row = found.one_or_none()
    return None if row is None else _medium(row)


async def find_all(tx: Transaction, media_ids: Collection[str]) -> dict[str, Medium]:
    """Return pictures by their ids, and keep others from removing them."""
    found = await tx.execute(
        f"select {_COLUMNS} from media where media_id = any(:ids) order by media_id for share",
        {"ids": list(media_ids)},
    )
    return {row.media_id: _medium(row) for row in found}


async def set_content(
    tx: Transaction, media_id: str, *, content_type: str, byte_count: int, content_hash: str, object_key: str
) -> None:
    """Say where the bytes of a picture lie."""
    await tx.execute(
        "update media set state = 'STORED', content_type = :content_type, byte_count = :byte_count,"
        " content_hash = :content_hash, object_key = :object_key where media_id = :id",
        {
            "id": media_id,
            "content_type": content_type,
            "byte_count": byte_count,
            "content_hash": content_hash,
            "object_key": object_key,
        },
    )


async def set_refused(tx: Transaction, media_id: str) -> None:
    """Say that the bytes of a picture will not come."""
    await tx.execute(
        "update media set state = 'REFUSED' where media_id = :id and state = 'PENDING'", {"id": media_id}
    )


async def link(tx: Transaction, message_id: str, media_ids: Sequence[str]) -> None:
    """Give pictures to a message, in this order; nobody forgets them from now on."""
    if not media_ids:
        return
    await tx.execute(
        "insert into message_media (chain_id, message_id, place, media_id)"
        " values (:chain_id, :message_id, :place, :media_id) on conflict do nothing",
        [
            {"chain_id": tx.chain_id, "message_id": message_id, "place": place, "media_id": media_id}
            for place, media_id in enumerate(media_ids)
        ],
    )
    await tx.execute(
        "delete from due_media where chain_id = :chain_id and media_id = any(:ids) and media_id not in"
        " (select media_id from media where media_id = any(:ids) and state = 'PENDING')",
        {"chain_id": tx.chain_id, "ids": list(media_ids)},
    )


async def of_messages(tx: Transaction, message_ids: Collection[str]) -> dict[str, list[Medium]]:
    """Return the pictures of messages, in their order; a message without any is not in it."""
    if not message_ids:
        return {}
    columns = ", ".join(f"m.{name.strip()}" for name in _COLUMNS.split(","))
    found = await tx.execute(
        f"select l.message_id, {columns} from message_media l join media m using (chain_id, media_id)"
        " where l.message_id = any(:ids) order by l.message_id, l.place",
        {"ids": list(message_ids)},
    )
    pictures: dict[str, list[Medium]] = {}
    for row in found:
        pictures.setdefault(row.message_id, []).append(_medium(row))
    return pictures


async def forget_unused(tx: Transaction, media_id: str) -> None:
    """Remove a picture that no message has; its bytes go after the commit."""
    await tx.execute(
        "delete from media m where media_id = :id and not exists (select from message_media l"
        " where l.chain_id = m.chain_id and l.media_id = m.media_id)",
        {"id": media_id},
    )


async def make_due(tx: Transaction, media_id: str, due_time: datetime) -> None:
    """Say when something is to be done about a picture."""
    await tx.execute(
        "insert into due_media (chain_id, media_id, due_time) values (:chain_id, :id, :due_time)"
        " on conflict (chain_id, media_id) do update"
        " set due_time = excluded.due_time, attempts = due_media.attempts + 1",
        {"chain_id": tx.chain_id, "id": media_id, "due_time": due_time},
    )


async def make_settled(tx: Transaction, media_id: str) -> None:
    """Say that nothing is left to be done about a picture."""
    await tx.execute("delete from due_media where media_id = :id", {"id": media_id})


async def take_due(
    connection: AsyncConnection, *, now: datetime, limit: int
) -> Sequence[tuple[str, str, int]]:
    """Return chain, picture and earlier attempts of what is due; nobody else gets them for five minutes."""
    taken = await connection.execute(
        text(
            "update due_media d set due_time = :until from (select chain_id, media_id from due_media"
            " where due_time <= :now order by due_time limit :limit for update skip locked) due"
            " where d.chain_id = due.chain_id and d.media_id = due.media_id"
            " returning d.chain_id, d.media_id, d.attempts"
        ),
        {"now": now, "until": now + _LEASE, "limit": limit},
    )
    return [(row.chain_id, row.media_id, row.attempts) for row in taken]


def _medium(row: Row[Any]) -> Medium:
    fields = {name.strip(): getattr(row, name.strip()) for name in _COLUMNS.split(",")}
    return Medium(**{**fields, "state": MediaState(fields["state"])})
