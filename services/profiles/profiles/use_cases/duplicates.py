"""Say of a pair that it is two people, and have all clients of a chain looked through."""

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles.domain.duplicates import Duplicate, DuplicatePass
from profiles.store import audit
from profiles.store import duplicates as store


async def dismiss_duplicate(
    *, database: Database, clock: Clock, caller: Caller, duplicate_id: str
) -> Duplicate:
    """Say that a pair is two people. Raises DUPLICATE_NOT_FOUND and DUPLICATE_MERGED."""
    async with database.transaction(caller.chain_id) as tx:
        pair = await store.dismiss(
            tx, duplicate_id, decided_by=caller.associate_id or caller.actor_id, now=clock.now()
        )
        await audit.note(
            tx,
            caller,
            "DismissDuplicate",
            [pair.first_client_id, pair.second_client_id],
            now=clock.now(),
            subject_id=duplicate_id,
        )
        return pair


async def start_duplicate_pass(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey
) -> DuplicatePass:
    """Have all clients looked through in the background; the answer is the pass that runs already, if one does."""
    async with database.transaction(caller.chain_id) as tx:
        running = await store.find_running_pass(tx)
        pass_id, is_repeat = await tx.once(key, running or new_id("dpp"))
        if not running and not is_repeat:
            await store.add_pass(tx, pass_id, now=clock.now())
        return await store.get_pass(tx, pass_id)
