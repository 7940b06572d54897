"""Add, change, assign and remove clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import not_found
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
    PostalAddress,
    normal_address,
    normal_name,
    normal_tags,
    require_email,
    require_occasion,
    require_source,
    require_updatable,
)
from profiles.domain.directory import Store, require_time_zone
from profiles.domain.preferences import Preference, merged, noted, require_few
from profiles.domain.relationships import Relationship
from profiles.domain.timeline import Entry, TimelineKind, came_into_book, entry_id_of
from profiles.phones import require_e164
from profiles.store import books as book_store
from profiles.store import changes as change_store
from profiles.store import clients as store
from profiles.store import directory as directory_store
from profiles.store import matching as match_store
from profiles.store import preferences as preference_store
from profiles.store import relationships as relationship_store
from profiles.store import timeline as timeline_store
from profiles.use_cases.field_writers import note_written

_NAMES = frozenset({"given_name", "family_name", "nickname"})
_TAKEN_AS_THEY_ARE = frozenset({"language", "time_zone", "home_store_id"})
_NEED_STORE = frozenset({"home_store_id", "address", "preferences"})
_MACHINES = frozenset({"integration", "service", "partner"})


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
    nickname: str = ""
    tags: Sequence[str] = ()
    address: PostalAddress | None = None


async def create_client(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey, fields: ClientFields
) -> Client:
    """Add a client.

    Raises PHONE_INVALID, EMAIL_INVALID, CONTACT_POINT_TAKEN for one given twice, TIME_ZONE_UNKNOWN, STORE_NOT_FOUND,
    ASSOCIATE_NOT_FOUND, SOURCE_MISSING, CLIENT_EXTERNAL_ID_TAKEN, what domain.preferences.noted raises,
    CLIENT_NOT_FOUND for an occasion's surprise and RELATIONSHIP_NOT_FOUND for its relationship: there is none yet.
    """
    caller.require_store(fields.home_store_id)
    require_source(fields.source, fields.external_id)
    if fields.time_zone:
        require_time_zone(fields.time_zone)
    for index, occasion in enumerate(fields.occasions):
        require_occasion(occasion, f"occasions[{index}]")
    tags = normal_tags(fields.tags, "tags")
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
            added = normal_contact(contact, home.country, path)
            if any((other.kind, other.match_key) == (added.kind, added.match_key) for other in contacts):
                raise ContactPointTaken(path)
            contacts.append(added)
        client = new_client(
            client_id,
            replace(
                fields,
                contact_points=contacts,
                occasions=[
                    replace(await linked_occasion(tx, occasion, ()), occasion_id=new_id("occ"))
                    for occasion in fields.occasions
                ],
                preferences=preferences_said(
                    {f"preferences[{index}]": one for index, one in enumerate(fields.preferences)},
                    (),
                    caller=caller,
                    home=home,
                    clock=clock,
                ),
                tags=tags,
                address=normal_address(fields.address, home_country=home.country),
            ),
            clock=clock,
        )
        await add_client(tx, client, reason=AssignmentReason.CREATED, actor=caller.actor_id)
        await note_written(tx, caller, None, client, clock=clock)
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
        nickname=fields.nickname.strip(),
        tags=tuple(fields.tags),
        address=fields.address,
    )


def normal_contact(contact: ContactPoint, country: str, field: str) -> ContactPoint:
    """Return a contact point with an id and its value as it is kept. Raises PHONE_INVALID and EMAIL_INVALID."""
    if contact.kind is ContactKind.PHONE:
        value = require_e164(contact.value, country, field)
    else:
        value = require_email(contact.value, field)
    return replace(contact, contact_point_id=new_id("cpt"), value=value, label=contact.label.strip())


async def linked_occasion(
    tx: Transaction, occasion: Occasion, relationships: Sequence[Relationship]
) -> Occasion:
    """Return an occasion with the client behind the id who must not learn of it.

    Raises CLIENT_NOT_FOUND for that one and RELATIONSHIP_NOT_FOUND for a relationship that is not among these.
    """
    if occasion.relationship_id and all(
        relationship.relationship_id != occasion.relationship_id for relationship in relationships
    ):
        raise not_found("relationship", occasion.relationship_id)
    if not occasion.surprise_for_client_id:
        return occasion
    return replace(
        occasion, surprise_for_client_id=await store.require_client(tx, occasion.surprise_for_client_id)
    )


def preferences_said(
    said: Mapping[str, Preference],
    there: Sequence[Preference],
    *,
    caller: Caller,
    home: Store,
    clock: Clock,
) -> list[Preference]:
    """Return what a caller says, field by field, that a client prefers: checked, with ids, source and the store's day.

    There are no doubles; what is there already keeps its id. Raises what domain.preferences.noted raises.
    """
    today = clock.now().astimezone(ZoneInfo(home.time_zone)).date()
    # What a person writes is an associate's word; a machine goes by what it is.
    source = caller.role if caller.role in _MACHINES else "associate"
    checked = [noted(preference, field, source=source, today=today) for field, preference in said.items()]
    return merged(there, checked, new_id=lambda: new_id("prf"))


async def add_client(tx: Transaction, client: Client, *, reason: AssignmentReason, actor: str) -> None:
    """Put a new client in, with the first lines of timeline and history, and say so."""
    await store.add_client(tx, client)
    await match_store.index_clients(tx, [client.client_id])
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
    """Change the named fields.

    Raises FIELD_UNKNOWN, CLIENT_CHANGED, TIME_ZONE_UNKNOWN, STORE_NOT_FOUND and what domain.preferences.noted raises.
    """
    named = require_updatable(paths)
    if "time_zone" in named and fields.time_zone:
        require_time_zone(fields.time_zone, "client.time_zone")
    if "home_store_id" in named:
        caller.require_store(fields.home_store_id)
    own: dict[str, Any] = {name: getattr(fields, name) for name in named & _TAKEN_AS_THEY_ARE}
    own |= {name: normal_name(getattr(fields, name), f"client.{name}") for name in named & _NAMES}
    if "tags" in named:
        own["tags"] = normal_tags(fields.tags, "client.tags")
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        client.require_etag(etag)
        if named & _NEED_STORE:
            home_store_id = fields.home_store_id if "home_store_id" in named else client.home_store_id
            home = await directory_store.get_store(tx, home_store_id)
            if "address" in named:
                own["address"] = normal_address(fields.address, home_country=home.country)
            if "preferences" in named:
                preferences = preferences_said(
                    {f"client.preferences[{index}]": one for index, one in enumerate(fields.preferences)},
                    client.preferences,
                    caller=caller,
                    home=home,
                    clock=clock,
                )
                require_few(preferences, "client.preferences")
                await preference_store.set_preferences(tx, client.client_id, preferences)
        return await save_own_change(tx, caller, client, replace(client, **own), clock=clock)


async def save_change(tx: Transaction, client: Client, *, clock: Clock) -> Client:
    """Count a change of a locked client, write it, say so, and return the client as it is now."""
    await store.save_client(tx, replace(client, version=client.version + 1, updated_at=clock.now()))
    changed = await store.get_client(tx, client.client_id)
    tx.publish(events.client_changed(changed), entity_id=client.client_id)
    return changed


async def save_own_change(
    tx: Transaction, caller: Caller, before: Client, client: Client, *, clock: Clock
) -> Client:
    """Save what a caller changed on a client, or on what hangs on it, and remember whose word it is."""
    changed = await save_change(tx, client, clock=clock)
    await note_written(tx, caller, before, changed, clock=clock)
    return changed


async def assign_client(
    *, database: Database, clock: Clock, caller: Caller, client_id: str, associate_id: str
) -> Client:
    """Put a client into an associate's book; harmless when it is there. Raises ASSOCIATE_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await store.lock_client(tx, client_id)
        return await put_into_book(tx, client, associate_id, caller=caller, clock=clock)


async def put_into_book(
    tx: Transaction, client: Client, associate_id: str, *, caller: Caller, clock: Clock
) -> Client:
    """Put a locked client into an associate's book; harmless when it is there. Raises ASSOCIATE_NOT_FOUND."""
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
        [came_into_book(new_id("tle"), client.client_id, associate_id, associate.display_name, moment=now)],
    )
    await book_store.add_assignments(
        tx,
        [
            Assignment(
                new_id("asg"),
                client.client_id,
                client.associate_id,
                associate_id,
                AssignmentReason.ASSIGNED,
                caller.actor_id,
                now,
            )
        ],
    )
    tx.publish(events.client_assigned(assigned, client.associate_id), entity_id=client.client_id)
    return assigned


async def delete_client(*, database: Database, clock: Clock, caller: Caller, client_id: str) -> None:
    """Remove a client who was created by mistake. Raises CLIENT_HAS_PURCHASES."""
    async with database.transaction(caller.chain_id) as tx:
        seen = await store.get_client(tx, client_id)
        client_id = seen.client_id
        related_ids = [r.related_client_id for r in seen.relationships if r.related_client_id]
        await store.lock_clients(tx, [client_id, *related_ids])
        if await store.has_purchases(tx, client_id):
            raise HasPurchases(client_id)
        client = await store.get_client(tx, client_id)
        for relationship in client.relationships:
            if relationship.related_client_id:
                await relationship_store.remove_relationship(tx, client_id, relationship)
                related = await store.lock_client(tx, relationship.related_client_id)
                await save_change(tx, related, clock=clock)
        await store.delete_client(tx, client_id)
        await change_store.add_removal(tx, client_id)
        tx.publish(events.client_deleted(client_id), entity_id=client_id)
