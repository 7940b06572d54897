"""Open chains and stores, add associates and brands."""

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.clients import require_email
from profiles.domain.directory import Associate, Brand, Chain, Store, currency_unknown, require_time_zone
from profiles.store import directory as store

# Requests to open chains are remembered here: the new chain cannot know that it was asked for before.
_PLATFORM = "platform"


async def create_chain(
    *,
    database: Database,
    clock: Clock,
    key: RequestKey,
    display_name: str,
    country: str,
    currency_code: str,
    time_zone: str,
) -> Chain:
    """Open a chain. Raises TIME_ZONE_UNKNOWN and CURRENCY_UNKNOWN."""
    require_time_zone(time_zone)
    if digits_of(currency_code) is None:
        raise currency_unknown("currency_code")
    async with database.transaction(_PLATFORM) as tx:
        chain_id, _ = await tx.once(key, new_id("chn"))
    # The id is settled. Whoever repeats the call after a crash right here gets the same id and adds what is missing.
    chain = Chain(chain_id, display_name.strip(), country, currency_code, time_zone, clock.now())
    async with database.transaction(chain_id) as tx:
        if not await store.add_chain(tx, chain):
            return await store.get_chain(tx, chain_id)
        tx.publish(events.chain_created(chain), entity_id=chain_id)
    return chain


async def create_store(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    key: RequestKey,
    display_name: str,
    time_zone: str,
    country: str,
) -> Store:
    """Open a store. Raises TIME_ZONE_UNKNOWN."""
    require_time_zone(time_zone)
    async with database.transaction(chain_id) as tx:
        store_id, is_repeat = await tx.once(key, new_id("sto"))
        if is_repeat:
            return await store.get_store(tx, store_id)
        opened = Store(store_id, display_name.strip(), time_zone, country, clock.now())
        await store.add_store(tx, opened)
        tx.publish(events.store_created(opened), entity_id=store_id)
        return opened


async def create_associate(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    key: RequestKey,
    store_id: str,
    display_name: str,
    email: str,
) -> Associate:
    """Add a member of staff. Raises STORE_NOT_FOUND and ASSOCIATE_EMAIL_TAKEN."""
    email = require_email(email, "email")
    async with database.transaction(chain_id) as tx:
        associate_id, is_repeat = await tx.once(key, new_id("asc"))
        if is_repeat:
            return await store.get_associate(tx, associate_id)
        await store.get_store(tx, store_id)
        joined = Associate(associate_id, store_id, display_name.strip(), email, True, clock.now())
        await store.add_associate(tx, joined)
        tx.publish(events.associate_created(joined), entity_id=associate_id)
        return joined


async def set_associate_active(
    *, database: Database, caller: Caller, associate_id: str, is_active: bool
) -> Associate:
    """Say that an associate left or is back. Raises ASSOCIATE_NOT_FOUND, and STORE_NOT_YOURS for another store's."""
    async with database.transaction(caller.chain_id) as tx:
        caller.require_store((await store.get_associate(tx, associate_id)).store_id)
        is_news = await store.set_associate_active(tx, associate_id, is_active=is_active)
        associate = await store.get_associate(tx, associate_id)
        if is_news:
            tx.publish(events.associate_changed(associate), entity_id=associate_id)
        return associate


async def create_brand(
    *, database: Database, clock: Clock, chain_id: str, key: RequestKey, display_name: str
) -> Brand:
    """Add a brand that the chain sells."""
    async with database.transaction(chain_id) as tx:
        brand_id, is_repeat = await tx.once(key, new_id("brd"))
        if is_repeat:
            return await store.get_brand(tx, brand_id)
        brand = Brand(brand_id, display_name.strip(), clock.now())
        await store.add_brand(tx, brand)
        return brand
