"""Note, change and forget the days that matter to a client."""

from dataclasses import replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import not_found
from chassis.ids import new_id
from profiles.domain.clients import Client, Occasion, require_occasion
from profiles.store import clients as store
from profiles.use_cases.clients import linked_occasion, save_own_change


async def add_occasion(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey, client_id: str, occasion: Occasion
) -> Client:
    """Note a day that matters.

    Raises INVALID for one that no calendar has or that comes once without a year, RELATIONSHIP_NOT_FOUND, and
    CLIENT_NOT_FOUND also for the one who must not learn of it.
    """
    require_occasion(occasion, "occasion")
    async with database.transaction(caller.chain_id) as tx:
        occasion_id, is_repeat = await tx.once(key, new_id("occ"))
        client = await store.lock_client(tx, client_id)
        if is_repeat:
            return client
        linked = await linked_occasion(tx, occasion, client.relationships)
        await store.add_occasion(tx, client.client_id, replace(linked, occasion_id=occasion_id))
        return await save_own_change(tx, caller, client, client, clock=clock)


async def update_occasion(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, occasion: Occasion
) -> Client:
    """Put another content into an occasion; the same content changes nothing.

    Raises what add_occasion raises, and OCCASION_NOT_FOUND.
    """
    require_occasion(occasion, "occasion")
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        there = next((o for o in client.occasions if o.occasion_id == occasion.occasion_id), None)
        if there is None:
            raise not_found("occasion", occasion.occasion_id)
        linked = await linked_occasion(tx, occasion, client.relationships)
        if linked == there:
            return client
        await store.save_occasion(tx, client.client_id, linked)
        return await save_own_change(tx, caller, client, client, clock=clock)


async def remove_occasion(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, occasion_id: str
) -> Client:
    """Forget an occasion. Raises OCCASION_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        await store.remove_occasion(tx, client.client_id, occasion_id)
        return await save_own_change(tx, caller, client, client, clock=clock)
