"""Add and list resources; say when they are free."""

from collections.abc import Sequence
from datetime import date, timedelta

from appointments.domain import slots
from appointments.domain.hours import Interval
from appointments.domain.resources import Resource, ResourceKind, require_bookable, require_fitting
from appointments.domain.slots import FreeSlot
from appointments.store import appointments, hours
from appointments.store import resources as rows
from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token


async def create_resource(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    store_id: str,
    kind: ResourceKind,
    display_name: str,
    associate_id: str,
) -> Resource:
    """Add an associate or a room. Raises ResourceExists, and INVALID where `associate_id` does not fit the kind."""
    require_fitting(kind, associate_id)
    caller.require_store(store_id)
    async with database.transaction(caller.chain_id) as tx:
        resource_id, is_repeat = await tx.once(key, new_id("rsc"))
        if is_repeat:
            return await rows.get(tx, resource_id)
        resource = Resource(resource_id, store_id, kind, display_name, associate_id, clock.now())
        await rows.add(tx, resource)
        return resource


async def list_resources(
    *, database: Database, caller: Caller, store_id: str, page_size: int, page_token: str
) -> tuple[Sequence[Resource], str]:
    """Return one page of a store's resources by name, and the token of the next."""
    after = decode_page_token(page_token, str, str)
    async with database.transaction(caller.chain_id) as tx:
        found = await rows.page(
            tx,
            store_id=store_id,
            after=None if after is None else (str(after[0]), str(after[1])),
            limit=page_size + 1,
        )
    return cut_page(found, page_size, lambda resource: (resource.display_name, resource.resource_id))


async def list_free_slots(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    store_id: str,
    day: date,
    length: timedelta,
    grid: timedelta,
    buffer: timedelta,
    associate_resource_id: str,
) -> list[FreeSlot]:
    """Return what can be booked on a day of the store's calendar; `buffer` is kept free after each viewing.

    Raises NOT_FOUND for a store without hours and for an unknown associate.
    """
    async with database.transaction(caller.chain_id) as tx:
        store_hours = await hours.get(tx, store_id)
        resources = [resource for resource in await rows.find_of_store(tx, store_id) if resource.is_active]
        if associate_resource_id:
            asked = await rows.get(tx, associate_resource_id)
            require_bookable(
                {asked.resource_id: asked},
                store_id=store_id,
                associate_resource_id=associate_resource_id,
                room_resource_id="",
            )
        starts = slots.starts_on(store_hours, day, length=length, grid=grid)
        if not starts:
            return []
        taken = await appointments.find_taken(
            tx,
            [resource.resource_id for resource in resources],
            Interval(starts[0], starts[-1] + length + buffer),
        )
    return slots.free_slots(
        starts,
        length=length,
        buffer=buffer,
        resources=resources,
        booked=taken,
        associate_resource_id=associate_resource_id,
        now=clock.now(),
    )
