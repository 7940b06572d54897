"""Rows of the directory: chains, stores, associates, brands."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from chassis.database import Database, Transaction
from chassis.errors import not_found
from profiles.domain.directory import Associate, AssociateEmailTaken, Brand, Chain, Store


async def add_chain(tx: Transaction, chain: Chain) -> bool:
    """Insert a chain; False when it is there already."""
    added = await tx.execute(
        "insert into chains (chain_id, display_name, country, currency_code, time_zone, created_at) values"
        " (:chain_id, :display_name, :country, :currency_code, :time_zone, :created_at) on conflict do nothing",
        {
            "chain_id": chain.chain_id,
            "display_name": chain.display_name,
            "country": chain.country,
            "currency_code": chain.currency_code,
            "time_zone": chain.time_zone,
            "created_at": chain.created_at,
        },
    )
    return bool(added.rowcount)


async def get_chain(tx: Transaction, chain_id: str) -> Chain:
    """Return a chain. Raises CHAIN_NOT_FOUND."""
    found = await tx.execute(
        "select chain_id, display_name, country, currency_code, time_zone, created_at from chains"
        " where chain_id = :chain_id",
        {"chain_id": chain_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("chain", chain_id)
    return Chain(**row._mapping)


async def add_store(tx: Transaction, store: Store) -> None:
    """Insert a store."""
    await tx.execute(
        "insert into stores (store_id, chain_id, display_name, time_zone, country, created_at) values"
        " (:store_id, :chain_id, :display_name, :time_zone, :country, :created_at)",
        {
            "store_id": store.store_id,
            "chain_id": tx.chain_id,
            "display_name": store.display_name,
            "time_zone": store.time_zone,
            "country": store.country,
            "created_at": store.created_at,
        },
    )


_STORE = "store_id, display_name, time_zone, country, created_at"


async def get_store(tx: Transaction, store_id: str) -> Store:
    """Return a store. Raises STORE_NOT_FOUND."""
    found = await tx.execute(
        f"select {_STORE} from stores where store_id = :store_id",  # noqa: S608
        {"store_id": store_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("store", store_id)
    return Store(**row._mapping)


async def find_time_zone(tx: Transaction, store_id: str) -> str | None:
    """Return the zone of a store, or None when it is not known here."""
    found = await tx.execute(
        "select time_zone from stores where store_id = :store_id", {"store_id": store_id}
    )
    return found.scalar_one_or_none()


async def list_stores(tx: Transaction, *, after: tuple[str, str] | None, limit: int) -> list[Store]:
    """Return stores by name."""
    return [
        Store(**row._mapping)
        for row in await _by_name(tx, "stores", "store_id", _STORE, after=after, limit=limit)
    ]


async def add_associate(tx: Transaction, associate: Associate) -> None:
    """Insert an associate. Raises ASSOCIATE_EMAIL_TAKEN."""
    added = await tx.execute(
        "insert into associates (associate_id, chain_id, store_id, display_name, email, is_active, created_at) values"
        " (:associate_id, :chain_id, :store_id, :display_name, :email, :is_active, :created_at)"
        " on conflict (chain_id, lower(email)) do nothing",
        {
            "associate_id": associate.associate_id,
            "chain_id": tx.chain_id,
            "store_id": associate.store_id,
            "display_name": associate.display_name,
            "email": associate.email,
            "is_active": associate.is_active,
            "created_at": associate.created_at,
        },
    )
    if not added.rowcount:
        raise AssociateEmailTaken


_ASSOCIATE = "associate_id, store_id, display_name, email, is_active, created_at, version"


async def get_associate(tx: Transaction, associate_id: str) -> Associate:
    """Return an associate, departed or not. Raises ASSOCIATE_NOT_FOUND."""
    found = await tx.execute(
        f"select {_ASSOCIATE} from associates where associate_id = :associate_id",  # noqa: S608
        {"associate_id": associate_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("associate", associate_id)
    return Associate(**row._mapping)


async def set_associate_active(tx: Transaction, associate_id: str, *, is_active: bool) -> bool:
    """Change whether an associate is there; False when that is so already, or there is no such associate."""
    changed = await tx.execute(
        "update associates set is_active = :is_active, version = version + 1"
        " where associate_id = :associate_id and is_active <> :is_active",
        {"associate_id": associate_id, "is_active": is_active},
    )
    return bool(changed.rowcount)


async def require_active_associates(tx: Transaction, associate_ids: Sequence[str]) -> list[Associate]:
    """Return the associates. Raises ASSOCIATE_NOT_FOUND for the first unknown or departed one."""
    found = await tx.execute(
        f"select {_ASSOCIATE} from associates where associate_id = any(:ids) and is_active",  # noqa: S608
        {"ids": list(associate_ids)},
    )
    known = {row.associate_id: Associate(**row._mapping) for row in found}
    for associate_id in associate_ids:
        if associate_id not in known:
            raise not_found("associate", associate_id)
    return [known[associate_id] for associate_id in associate_ids]


async def list_associates(
    tx: Transaction, *, store_id: str, after: tuple[str, str] | None, limit: int
) -> list[Associate]:
    """Return associates by name, of one store or, for an empty id, of all."""
    rows = await _by_name(
        tx, "associates", "associate_id", _ASSOCIATE, after=after, limit=limit, store_id=store_id
    )
    return [Associate(**row._mapping) for row in rows]


async def add_brand(tx: Transaction, brand: Brand) -> None:
    """Insert a brand."""
    await tx.execute(
        "insert into brands (brand_id, chain_id, display_name, created_at)"
        " values (:brand_id, :chain_id, :display_name, :created_at)",
        {
            "brand_id": brand.brand_id,
            "chain_id": tx.chain_id,
            "display_name": brand.display_name,
            "created_at": brand.created_at,
        },
    )


_BRAND = "brand_id, display_name, created_at"


async def get_brand(tx: Transaction, brand_id: str) -> Brand:
    """Return a brand. Raises BRAND_NOT_FOUND."""
    found = await tx.execute(
        f"select {_BRAND} from brands where brand_id = :brand_id",  # noqa: S608
        {"brand_id": brand_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("brand", brand_id)
    return Brand(**row._mapping)


async def list_brands(tx: Transaction, *, after: tuple[str, str] | None, limit: int) -> list[Brand]:
    """Return brands by name."""
    return [
        Brand(**row._mapping)
        for row in await _by_name(tx, "brands", "brand_id", _BRAND, after=after, limit=limit)
    ]


async def _by_name(  # the table and column names are this module's own
    tx: Transaction,
    table: str,
    id_column: str,
    columns: str,
    *,
    after: tuple[str, str] | None,
    limit: int,
    store_id: str = "",
) -> Sequence[Row[Any]]:
    conditions = ["chain_id = :chain_id"]
    parameters: dict[str, Any] = {"chain_id": tx.chain_id, "limit": limit}
    if after:
        conditions.append(f"(display_name, {id_column}) > (:after_name, :after_id)")
        parameters |= {"after_name": after[0], "after_id": after[1]}
    if store_id:
        conditions.append("store_id = :store_id")
        parameters["store_id"] = store_id
    found = await tx.execute(
        f"select {columns} from {table} where {' and '.join(conditions)}"  # noqa: S608
        f" order by display_name, {id_column} limit :limit",
        parameters,
    )
    return found.all()


async def list_chain_ids(database: Database) -> list[str]:
    """Return every chain, for work that nobody asked for."""
    async with database.platform_transaction() as connection:
        return list(
            (await connection.execute(text("select chain_id from chains order by chain_id"))).scalars()
        )
