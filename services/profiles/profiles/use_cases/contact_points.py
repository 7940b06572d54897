"""Add, change and remove a client's numbers and e-mails."""

from dataclasses import replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import not_found
from chassis.ids import new_id
from profiles.domain.clients import Client, ContactPoint, ContactPointTaken, ContactType
from profiles.store import clients as store
from profiles.store import directory as directory_store
from profiles.use_cases.clients import normal_contact, save_change, save_own_change


async def add_contact_point(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    contact: ContactPoint,
) -> Client:
    """Add a phone number or an e-mail. Raises PHONE_INVALID, EMAIL_INVALID and CONTACT_POINT_TAKEN."""
    async with database.transaction(caller.chain_id) as tx:
        contact_point_id, is_repeat = await tx.once(key, new_id("cpt"))
        client = await store.lock_client(tx, client_id)
        if is_repeat:
            return client
        home = await directory_store.get_store(tx, client.home_store_id)
        added = replace(
            normal_contact(contact, home.country, "contact_point.value"), contact_point_id=contact_point_id
        )
        if client.contact(added.kind, added.value):
            raise ContactPointTaken("contact_point.value")
        await store.add_contact_point(tx, client.client_id, added)
        return await save_own_change(tx, caller, client, client, clock=clock)


async def update_contact_point(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    client_id: str,
    contact_point_id: str,
    contact_type: ContactType | None,
    is_type_given: bool,
    label: str | None,
    is_preferred: bool | None,
    is_verified: bool | None,
) -> Client:
    """Change what is said of a contact point; None leaves it, and what is so already changes nothing.

    Raises CONTACT_POINT_NOT_FOUND.
    """
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        there = next((c for c in client.contact_points if c.contact_point_id == contact_point_id), None)
        if there is None:
            raise not_found("contact_point", contact_point_id)
        contact = replace(
            there,
            type=contact_type if is_type_given else there.type,
            label=there.label if label is None else label.strip(),
            is_preferred=there.is_preferred if is_preferred is None else is_preferred,
        )
        if is_verified is not None:
            contact = replace(contact, verified_at=clock.now() if is_verified else None)
        if contact == there:
            return client
        await store.save_contact_point(tx, client.client_id, contact)
        return await save_change(tx, client, clock=clock)


async def remove_contact_point(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, contact_point_id: str
) -> Client:
    """Take a contact point off a client. Raises CONTACT_POINT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        await store.remove_contact_point(tx, client.client_id, contact_point_id)
        return await save_own_change(tx, caller, client, client, clock=clock)
