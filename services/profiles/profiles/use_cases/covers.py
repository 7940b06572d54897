"""Say who covers for somebody who is away, and take that back."""

from datetime import date

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles.domain.covers import Cover, CoverOverlaps, require_cover
from profiles.store import covers as store
from profiles.store import directory as directory_store


async def create_cover(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    associate_id: str,
    cover_associate_id: str,
    starts_on: date,
    ends_on: date,
) -> Cover:
    """Cover for an associate from day to day.

    Raises ASSOCIATE_NOT_FOUND, STORE_NOT_YOURS for an absent one of another store, COVER_IS_ABSENT and COVER_OVERLAPS.
    """
    require_cover(associate_id, cover_associate_id, starts_on, ends_on)
    async with database.transaction(caller.chain_id) as tx:
        cover_id, is_repeat = await tx.once(key, new_id("cov"))
        if is_repeat:
            return await store.get_cover(tx, cover_id)
        caller.require_store((await directory_store.get_associate(tx, associate_id)).store_id)
        await directory_store.require_active_associates(tx, [cover_associate_id])
        await store.take_turn(tx, associate_id)
        if overlap := await store.find_overlap(tx, associate_id, starts_on, ends_on):
            raise CoverOverlaps(overlap)
        cover = Cover(cover_id, associate_id, cover_associate_id, starts_on, ends_on, clock.now())
        await store.add_cover(tx, cover)
        return cover


async def delete_cover(*, database: Database, caller: Caller, associate_id: str, cover_id: str) -> None:
    """Take a cover back. Raises ASSOCIATE_NOT_FOUND, STORE_NOT_YOURS and COVER_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        caller.require_store((await directory_store.get_associate(tx, associate_id)).store_id)
        await store.delete_cover(tx, associate_id, cover_id)
