"""Set and read a store's hours."""

from appointments.domain.hours import StoreHours
from appointments.store import hours as rows
from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database


async def set_store_hours(
    *, database: Database, clock: Clock, caller: Caller, hours: StoreHours
) -> StoreHours:
    """Replace a store's weekly hours; what is booked stays booked."""
    caller.require_store(hours.store_id)
    async with database.transaction(caller.chain_id) as tx:
        await rows.put(tx, hours, clock)
    return hours


async def get_store_hours(*, database: Database, caller: Caller, store_id: str) -> StoreHours:
    """Read a store's weekly hours. Raises NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        return await rows.get(tx, store_id)
