"""Rows of covers."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.covers import Cover

_COLUMNS = "cover_id, associate_id, cover_associate_id, starts_on, ends_on, created_at"


async def take_turn(tx: Transaction, associate_id: str) -> None:
    """Wait until nobody else changes the covers of an associate."""
    await tx.execute(
        "select 1 from associates where associate_id = :associate_id for no key update",
        {"associate_id": associate_id},
    )


async def find_overlap(tx: Transaction, associate_id: str, starts_on: date, ends_on: date) -> str | None:
    """Return the id of a cover of the associate that has one of the days, or None."""
    found = await tx.execute(
        "select cover_id from covers where associate_id = :associate_id and starts_on <= :ends_on"
        " and ends_on >= :starts_on order by starts_on limit 1",
        {"associate_id": associate_id, "starts_on": starts_on, "ends_on": ends_on},
    )
    return found.scalar_one_or_none()


async def add_cover(tx: Transaction, cover: Cover) -> None:
    """Insert a cover."""
    await tx.execute(
        "insert into covers (chain_id, cover_id, associate_id, cover_associate_id, starts_on, ends_on, created_at)"
        " values (:chain_id, :cover_id, :associate_id, :cover_associate_id, :starts_on, :ends_on, :created_at)",
        {
            "chain_id": tx.chain_id,
            "cover_id": cover.cover_id,
            "associate_id": cover.associate_id,
            "cover_associate_id": cover.cover_associate_id,
            "starts_on": cover.starts_on,
            "ends_on": cover.ends_on,
            "created_at": cover.created_at,
        },
    )


async def get_cover(tx: Transaction, cover_id: str) -> Cover:
    """Return a cover. Raises COVER_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from covers where cover_id = :cover_id",  # noqa: S608
        {"cover_id": cover_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("cover", cover_id)
    return Cover(**row._mapping)


async def delete_cover(tx: Transaction, associate_id: str, cover_id: str) -> None:
    """Delete a cover of an associate. Raises COVER_NOT_FOUND."""
    removed = await tx.execute(
        "delete from covers where associate_id = :associate_id and cover_id = :cover_id",
        {"associate_id": associate_id, "cover_id": cover_id},
    )
    if not removed.rowcount:
        raise not_found("cover", cover_id)


async def list_covers(
    tx: Transaction, associate_id: str, *, before: tuple[date, str] | None, limit: int
) -> list[Cover]:
    """Return an associate's covers, the latest days first."""
    parameters: dict[str, Any] = {"associate_id": associate_id, "limit": limit}
    after = ""
    if before:
        after = " and (starts_on, cover_id) < (:before_day, :before_id)"
        parameters |= {"before_day": before[0], "before_id": before[1]}
    found = await tx.execute(
        f"select {_COLUMNS} from covers where associate_id = :associate_id{after}"  # noqa: S608
        " order by starts_on desc, cover_id desc limit :limit",
        parameters,
    )
    return [Cover(**row._mapping) for row in found]


async def read_present_covers(
    tx: Transaction, associate_ids: Sequence[str], *, now: datetime
) -> dict[str, str]:
    """Return who covers at this moment for those of the associates who are away; a cover who left does not count."""
    found = await tx.execute(
        "select v.associate_id, v.cover_associate_id from covers v"
        " join associates a on a.associate_id = v.associate_id join stores s on s.store_id = a.store_id"
        " join associates c on c.associate_id = v.cover_associate_id and c.is_active"
        " where v.associate_id = any(:ids)"
        " and cast(cast(:now as timestamptz) at time zone s.time_zone as date) between v.starts_on and v.ends_on",
        {"ids": list(associate_ids), "now": now},
    )
    return {row.associate_id: row.cover_associate_id for row in found}
