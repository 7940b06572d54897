"""Say and forget who belongs to a client; what another client sees from the other side changes with it."""

from dataclasses import replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import not_found
from chassis.ids import new_id
from profiles.domain.clients import Client
from profiles.domain.relationships import Relationship, RelationshipWithItself, checked
from profiles.store import clients as client_store
from profiles.store import relationships as store
from profiles.use_cases.cash_watch import watch
from profiles.use_cases.clients import save_change


async def add_relationship(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    relationship: Relationship,
) -> Client:
    """Say who belongs to a client.

    Raises CLIENT_NOT_FOUND for either, RELATIONSHIP_WITH_ITSELF, RELATIONSHIP_EXISTS, and INVALID for a person without
    a name.
    """
    relationship = checked(relationship)
    async with database.transaction(caller.chain_id) as tx:
        relationship_id, is_repeat = await tx.once(key, new_id("rel"))
        if is_repeat:
            return await client_store.get_client(tx, client_id)
        if not relationship.related_client_id:
            client = await client_store.lock_client(tx, client_id)
            added = replace(relationship, relationship_id=relationship_id)
            await store.add_relationship(tx, client.client_id, added, now=clock.now())
            return await save_change(tx, client, clock=clock)
        client, related = await client_store.lock_clients(tx, [client_id, relationship.related_client_id])
        if client.client_id == related.client_id:
            raise RelationshipWithItself
        added = replace(relationship, relationship_id=relationship_id, related_client_id=related.client_id)
        await store.add_relationship(tx, client.client_id, added, now=clock.now())
        await save_change(tx, related, clock=clock)
        changed = await save_change(tx, client, clock=clock)
        await watch(tx, [client.client_id, related.client_id], now=clock.now())
        return changed


async def remove_relationship(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, relationship_id: str
) -> Client:
    """Forget a relationship, from whichever side. Raises RELATIONSHIP_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        seen = await client_store.get_client(tx, client_id)
        related_id = _relationship(seen, relationship_id).related_client_id
        if not related_id:
            client = await client_store.lock_client(tx, client_id)
            await store.remove_relationship(tx, client.client_id, _relationship(client, relationship_id))
            return await save_change(tx, client, clock=clock)
        client, related = await client_store.lock_clients(tx, [client_id, related_id])
        await store.remove_relationship(tx, client.client_id, _relationship(client, relationship_id))
        await save_change(tx, related, clock=clock)
        return await save_change(tx, client, clock=clock)


def _relationship(client: Client, relationship_id: str) -> Relationship:
    if (relationship := client.relationship(relationship_id)) is None:
        raise not_found("relationship", relationship_id)
    return relationship
