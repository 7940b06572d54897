"""The rows of resources."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from appointments.domain.resources import Resource, ResourceExists, ResourceKind
from chassis.database import Transaction
from chassis.errors import not_found

_SELECT = (
    "select resource_id, store_id, kind, display_name, associate_id, created_at,"
    " coalesce(is_active, true) as is_active from resources r left join associates using (chain_id, associate_id)"
)


def _resource(row: Row[Any]) -> Resource:
    return Resource(**{**row._mapping, "kind": ResourceKind(row.kind)})


async def add(tx: Transaction, resource: Resource) -> None:
    """Write a new resource. Raises ResourceExists."""
    added = await tx.execute(
        "insert into resources (resource_id, chain_id, store_id, kind, display_name, associate_id, created_at)"
        " values (:resource_id, :chain_id, :store_id, :kind, :display_name, :associate_id, :created_at)"
        " on conflict (chain_id, associate_id) where kind = 'ASSOCIATE' do nothing",
        {
            "chain_id": tx.chain_id,
            "resource_id": resource.resource_id,
            "store_id": resource.store_id,
            "kind": resource.kind,
            "display_name": resource.display_name,
            "associate_id": resource.associate_id,
            "created_at": resource.created_at,
        },
    )
    if not added.rowcount:
        raise ResourceExists(resource.associate_id)


async def note_associate(tx: Transaction, associate_id: str, *, is_active: bool, version: int) -> None:
    """Note whether an associate is there, unless newer news was noted before."""
    await tx.execute(
        "insert into associates (chain_id, associate_id, is_active, version)"
        " values (:chain_id, :associate_id, :is_active, :version)"
        " on conflict (chain_id, associate_id) do update"
        " set is_active = excluded.is_active, version = excluded.version"
        " where associates.version < excluded.version",
        {"chain_id": tx.chain_id, "associate_id": associate_id, "is_active": is_active, "version": version},
    )


async def get(tx: Transaction, resource_id: str) -> Resource:
    """Read a resource. Raises NOT_FOUND."""
    found = await tx.execute(f"{_SELECT} where resource_id = :resource_id", {"resource_id": resource_id})
    if (row := found.one_or_none()) is None:
        raise not_found("resource", resource_id)
    return _resource(row)


async def lock(tx: Transaction, resource_ids: Sequence[str]) -> dict[str, Resource]:
    """Read resources, those that there are, and keep others from booking them meanwhile.

    In one order for all: without it, two viewings that are moved into each other's place wait for one another.
    """
    found = await tx.execute(
        f"{_SELECT} where resource_id = any(:resource_ids) order by resource_id for no key update of r",
        {"resource_ids": list(resource_ids)},
    )
    return {row.resource_id: _resource(row) for row in found}


async def find_of_store(tx: Transaction, store_id: str) -> list[Resource]:
    """Read all resources of a store by name."""
    return await page(tx, store_id=store_id, after=None, limit=None)


async def page(
    tx: Transaction, *, store_id: str, after: tuple[str, str] | None, limit: int | None
) -> list[Resource]:
    """List a store's resources by name and id, from after a (name, id) on; None for no limit."""
    name, resource_id = after or ("", "")
    found = await tx.execute(
        f"{_SELECT} where chain_id = :chain_id and store_id = :store_id"
        " and (display_name, resource_id) > (:name, :resource_id)"
        " order by display_name, resource_id limit :limit",
        {
            "chain_id": tx.chain_id,
            "store_id": store_id,
            "name": name,
            "resource_id": resource_id,
            "limit": limit,
        },
    )
    return [_resource(row) for row in found]
