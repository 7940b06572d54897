"""The rows of references."""

from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from waitlist.domain.references import Reference, ReferenceTaken

_SELECT = "select reference_id, brand_id, code, display_name, price_minor, currency, created_at from brand_references"


def _reference(row: Row[Any]) -> Reference:
    return Reference(**row._mapping)


async def add(tx: Transaction, reference: Reference) -> None:
    """Write a new reference. Raises ReferenceTaken."""
    added = await tx.execute(
        "insert into brand_references (chain_id, reference_id, brand_id, code, display_name, price_minor, currency,"
        " created_at) values (:chain_id, :reference_id, :brand_id, :code, :display_name, :price_minor, :currency,"
        " :created_at) on conflict (chain_id, brand_id, code) do nothing",
        {"chain_id": tx.chain_id, **vars(reference)},
    )
    if not added.rowcount:
        raise ReferenceTaken(reference.brand_id, reference.code)


async def get(tx: Transaction, reference_id: str) -> Reference:
    """Read a reference. Raises NOT_FOUND."""
    found = await tx.execute(
        f"{_SELECT} where reference_id = :reference_id",
        {"reference_id": reference_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("reference", reference_id)
    return _reference(row)


async def page(
    tx: Transaction, *, brand_id: str, after: tuple[str, str] | None, limit: int
) -> list[Reference]:
    """List references by code and id, from after a (code, reference_id) on."""
    code, reference_id = after or ("", "")
    found = await tx.execute(
        f"{_SELECT} where chain_id = :chain_id"
        " and (:brand_id = '' or brand_id = :brand_id) and (code, reference_id) > (:code, :reference_id)"
        " order by code, reference_id limit :limit",
        {
            "chain_id": tx.chain_id,
            "brand_id": brand_id,
            "code": code,
            "reference_id": reference_id,
            "limit": limit,
        },
    )
    return [_reference(row) for row in found]
