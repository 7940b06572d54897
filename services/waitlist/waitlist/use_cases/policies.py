"""Read and replace the policy in force."""

from dataclasses import replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError
from waitlist.domain.policies import Policy, default_policy
from waitlist.store import policies as rows


async def policy_in_force(tx: Transaction, clock: Clock) -> Policy:
    """Return the newest version; a chain that never said anything gets the default one as its first."""
    if (policy := await rows.find_current(tx)) is None:
        await rows.add(tx, default_policy(clock.now()))  # somebody else may have at this moment
        policy = await rows.find_current(tx)
        assert policy is not None
    return policy


async def get_policy(*, database: Database, clock: Clock, caller: Caller) -> Policy:
    """Read the policy in force."""
    async with database.transaction(caller.chain_id) as tx:
        return await policy_in_force(tx, clock)


async def update_policy(*, database: Database, clock: Clock, caller: Caller, wanted: Policy) -> Policy:
    """Put weights and gate of `wanted` in force as the next version; the same as in force changes nothing."""
    async with database.transaction(caller.chain_id) as tx:
        current = await policy_in_force(tx, clock)
        if wanted.says_the_same_as(current):
            return current
        following = replace(
            wanted, version=current.version + 1, created_at=clock.now(), created_by=caller.actor_id
        )
        if not await rows.add(tx, following):
            raise ServiceError(
                Kind.CONFLICT,
                "TRY_AGAIN",
                "Somebody changed the policy at this moment. Try again.",
                retry_after=0.2,
            )
        return following
