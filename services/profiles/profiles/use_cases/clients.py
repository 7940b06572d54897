"""Add, change, assign and remove clients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from profiles import events
from profiles.domain.books import Assignment, AssignmentReason, first_assignment_id
from profiles.domain.clients import (
    Client,
    ContactKind,
    ContactPoint,
    ContactPointTaken,
    HasPurchases,
    Occasion,
    Preference,
    require_day,
    require_email,
    require_source,
    require_updatable,
)
from profiles.domain.directory import require_time_zone
from profiles.domain.timeline import Entry, TimelineKind, came_into_book, entry_id_of
from profiles.phones import require_e164
from profiles.store import books as book_store
from profiles.store import clients as store
from profiles.store import directory as directory_store
from profiles.store import timeline as timeline_store


@dataclass(frozen=True, slots=True)
class ClientFields:
    """What a caller says of a client; contact values are as typed, ids inside not given yet."""

    given_name: str = ""
    family_name: str = ""
    language: str = ""
    time_zone: str = ""
    home_store_id: str = ""
    associate_id: str = ""
    contact_points: Sequence[ContactPoint] = ()
    occasions: Sequence[Occasion] = ()
    preferences: Sequence[Preference] = ()
    source: str = ""
    external_id: str = ""


async def create_client(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey, fields: ClientFields
) -> Client:
    """Add a client.

    Raises PHONE_INVALID, EMAIL_INVALID, CONTACT_POINT_TAKEN for one given twice, TIME_ZONE_UNKNOWN, STORE_NOT_FOUND,
    ASSOCIATE_NOT_FOUND, SOURCE_MISSING and CLIENT_EXTERNAL_ID_TAKEN.
    """
    caller.require_store(fields.home_store_id)
    require_source(fields.source, fields.external_id)
    if fields.time_zone:
        require_time_zone(fields.time_zone)
    for index, occasion in enumerate(fields.occasions):
        require_day(occasion.year, occasion.month, occasion.day, f"occasions[{index}].date")
    async with database.transaction(caller.chain_id) as tx:
        client_id, is_repeat = await tx.once(key, new_id("cli"))
        if is_repeat:
            return await store.get_client(tx, client_id)
        home = await directory_store.get_store(tx, fields.home_store_id)
        if fields.associate_id:
            await directory_store.require_active_associates(tx, [fields.associate_id])
        contacts: list[ContactPoint] = []
        for index, contact in enumerate(fields.contact_points):
            path = f"contact_points[{index}].value"
            added = _normal(contact, home.country, path)
            if any((other.kind, other.match_key) == (added.kind, added.match_key) for other in contacts):
                raise ContactPointTaken(path)
            contacts.append(added)
        client = new_client(
            client_id,
            replace(
                fields,
                contact_points=contacts,
                occasions=[replace(occasion, occasion_id=new_id("occ")) for occasion in fields.occasions],
            ),
            clock=clock,
        )
        await add_client(tx, client, reason=AssignmentReason.CREATED, actor=caller.actor_id)
        return await store.get_client(tx, client_id)


def new_client(client_id: str, fields: ClientFields, *, clock: Clock) -> Client:
    """Return the first version of a client whose contacts and occasions have their ids."""
    now = clock.now()
    return Client(
        client_id=client_id,
        given_name=fields.given_name.strip(),
        family_name=fields.family_name.strip(),
        language=fields.language,
        time_zone=fields.time_zone,
        home_store_id=fields.home_store_id,
        associate_id=fields.associate_id,
        source=fields.source,
        external_id=fields.external_id,
        version=1,
        created_at=now,
        updated_at=now,
        contact_points=tuple(fields.contact_points),
        occasions=tuple(fields.occasions),
        preferences=tuple(fields.preferences),
    )


async def add_client(tx: Transaction, client: Client, *, reason: AssignmentReason, actor: str) -> None:
    """Put a new client in, with the first lines of timeline and history, and say so."""
    await store.add_client(tx, client)
    if client.associate_id:
        await book_store.add_assignments(
            tx,
            [
                Assignment(
                    first_assignment_id(client.client_id),
                    client.client_id,
                    "",
                    client.associate_id,
                    reason,
                    actor,
                    client.created_at,
                )
            ],
        )
    await timeline_store.add_entries(
        tx,
        [
            Entry(
                entry_id_of(client.client_id),
                client.client_id,
                TimelineKind.PROFILE,
                client.created_at,
                "Became a client of the house",
                client.client_id,
            )
        ],
    )
    tx.publish(events.client_created(client), entity_id=client.client_id)


async def update_client(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    client_id: str,
    fields: ClientFields,
    paths: Sequence[str],
    etag: str,
) -> Client:
    """Change the named fields. Raises FIELD_UNKNOWN, CLIENT_CHANGED, TIME_ZONE_UNKNOWN and STORE_NOT_FOUND."""
    named = require_updatable(paths)
    if "time_zone" in named and fields.time_zone:
        require_time_zone(fields.time_zone, "client.time_zone")
    if "home_store_id" in named:
        caller.require_store(fields.home_store_id)
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        client.require_etag(etag)
        if "home_store_id" in named:
            await directory_store.get_store(tx, fields.home_store_id)
        if "preferences" in named:
            await store.set_preferences(tx, client_id, fields.preferences)
        own = {name: getattr(fields, name) for name in named - {"preferences"}}
        return await save_change(tx, replace(client, **own), clock=clock)


async def save_change(tx: Transaction, client: Client, *, clock: Clock) -> Client:
    """Count a change of a locked client, write it, say so, and return the client as it is now."""
    await store.save_client(tx, replace(client, version=client.version + 1, updated_at=clock.now()))
    changed = await store.get_client(tx, client.client_id)
    tx.publish(events.client_changed(changed), entity_id=client.client_id)
    return changed


async def assign_client(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, associate_id: str
) -> Client:
    """Put a client into an associate's book; harmless when it is there. Raises ASSOCIATE_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        (associate,) = await directory_store.require_active_associates(tx, [associate_id])
        caller.require_store(associate.store_id)
        if client.associate_id == associate_id:
            return client
        now = clock.now()
        stand_in = "" if client.secondary_associate_id == associate_id else client.secondary_associate_id
        assigned = replace(
            client,
            associate_id=associate_id,
            secondary_associate_id=stand_in,
            version=client.version + 1,
            updated_at=now,
        )
        await store.save_client(tx, assigned)
        await timeline_store.add_entries(
            tx,
            [came_into_book(new_id("tle"), client_id, associate_id, associate.display_name, moment=now)],
        )
        await book_store.add_assignments(
            tx,
            [
                Assignment(
                    new_id("asg"),
                    client_id,
                    client.associate_id,
                    associate_id,
                    AssignmentReason.ASSIGNED,
                    caller.actor_id,
                    now,
                )
            ],
        )
        tx.publish(events.client_assigned(assigned, client.associate_id), entity_id=client_id)
        return assigned


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
            _normal(contact, home.country, "contact_point.value"), contact_point_id=contact_point_id
        )
        if client.contact(added.kind, added.value):
            raise ContactPointTaken("contact_point.value")
        await store.add_contact_point(tx, client_id, added)
        return await save_change(tx, client, clock=clock)


async def remove_contact_point(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, contact_point_id: str
) -> Client:
    """Take a contact point off a client. Raises CONTACT_POINT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        await store.remove_contact_point(tx, client_id, contact_point_id)
        return await save_change(tx, client, clock=clock)


async def add_occasion(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey, client_id: str, occasion: Occasion
) -> Client:
    """Note a day that matters. Raises INVALID for one that no calendar has."""
    require_day(occasion.year, occasion.month, occasion.day, "occasion.date")
    async with database.transaction(caller.chain_id) as tx:
        occasion_id, is_repeat = await tx.once(key, new_id("occ"))
        client = await store.lock_client(tx, client_id)
        if is_repeat:
            return client
        await store.add_occasion(tx, client_id, replace(occasion, occasion_id=occasion_id))
        return await save_change(tx, client, clock=clock)


async def remove_occasion(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, occasion_id: str
) -> Client:
    """Forget an occasion. Raises OCCASION_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        await store.remove_occasion(tx, client_id, occasion_id)
        return await save_change(tx, client, clock=clock)


async def delete_client(*, database: Database, caller: Caller, client_id: str) -> None:
    """Remove a client who was created by mistake. Raises CLIENT_HAS_PURCHASES."""
    async with database.transaction(caller.chain_id) as tx:
        await store.lock_client(tx, client_id)
        if await store.has_purchases(tx, client_id):
            raise HasPurchases(client_id)
        await store.delete_client(tx, client_id)
        tx.publish(events.client_deleted(client_id), entity_id=client_id)


def _normal(contact: ContactPoint, country: str, field: str) -> ContactPoint:
    if contact.kind is ContactKind.PHONE:
        value = require_e164(contact.value, country, field)
    else:
        value = require_email(contact.value, field)
    return replace(contact, contact_point_id=new_id("cpt"), value=value)
