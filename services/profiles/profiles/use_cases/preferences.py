"""Add and remove what a client prefers."""

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles.domain.clients import Client
from profiles.domain.preferences import Preference, require_few, with_said
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import preferences as store
from profiles.use_cases.clients import preferences_said, save_own_change


async def add_preference(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    preference: Preference,
) -> Client:
    """Add a preference, or bring source and date of the same one up to date.

    Raises what domain.preferences.noted raises.
    """
    async with database.transaction(caller.chain_id) as tx:
        _, is_repeat = await tx.once(key, new_id("prf"))
        client = await client_store.lock_client(tx, client_id)
        if is_repeat:
            return client
        home = await directory_store.get_store(tx, client.home_store_id)
        (said,) = preferences_said(
            {"preference": preference}, client.preferences, caller=caller, home=home, clock=clock
        )
        kept = with_said(client.preferences, said)
        require_few(kept, "preference")
        if kept == list(client.preferences):
            return client
        await store.set_preferences(tx, client.client_id, kept)
        return await save_own_change(tx, caller, client, client, clock=clock)


async def remove_preference(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, preference_id: str
) -> Client:
    """Forget a preference. Raises PREFERENCE_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await client_store.lock_client(tx, client_id)
        await store.remove_preference(tx, client.client_id, preference_id)
        return await save_own_change(tx, caller, client, client, clock=clock)
