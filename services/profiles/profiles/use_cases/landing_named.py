"""Write people of an import under their keys: who is new with all details, who is there is found."""

from collections.abc import Mapping, Sequence

from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from profiles.domain.clients import Client, ContactKind, ContactPoint, Occasion
from profiles.domain.import_people import Person
from profiles.domain.imports import spread
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.store import import_clients as store
from profiles.use_cases.landing_batch import OCCASIONS, LandedClients, Landing, add_notes, noted


async def land_named(
    landing: Landing,
    people: Mapping[str, Person],
    associates: Mapping[str, str],
    landed: LandedClients,
    known: list[tuple[str, Person]],
) -> None:
    """Write people under their keys, or find those who are there under them."""
    if not people:
        return
    tx, source = landing.tx, landing.imported.source
    to_change = any(person.has_details for person in people.values())
    ids = await store.merged_external_ids(tx, source, list(people))
    ids |= await store.find_clients(
        tx, source, [key for key in people if key not in ids], to_change=to_change
    )
    clients = [
        _new_client(landing, person, associates.get(person.associate_email, ""))
        for key, person in people.items()
        if key not in ids
    ]
    new: list[Client] = []
    if clients:
        added = await store.land_clients(tx, clients, now=landing.now)
        new = [client for client in clients if client.client_id in added]
        new_ids = {client.external_id: client.client_id for client in new}
        if len(new) < len(clients):
            others = [client.external_id for client in clients if client.client_id not in added]
            ids |= await store.find_clients(tx, source, others, to_change=to_change)
        if await store.merged_external_ids(tx, source, list(new_ids)):
            # Somebody was merged away while this batch waited for the row: the next try finds the survivor.
            raise ServiceError(
                Kind.CONFLICT, "TRY_AGAIN", "A client was merged at this moment.", retry_after=0.1
            )
        if gone := [one for one in clients if one.external_id not in ids and one.client_id not in added]:
            raise ServiceError(
                Kind.CONFLICT,
                "TRY_AGAIN",
                f"{len(gone)} clients came and went at this moment.",
                retry_after=0.1,
            )
        landed.ids |= new_ids
    known += [(client_id, people[key]) for key, client_id in ids.items()]
    landed.ids |= ids
    if new:
        await _add_details(landing, new, people, landed)
        landed.new += new


def _new_client(landing: Landing, person: Person, associate_id: str) -> Client:
    imported = landing.imported
    return Client(
        client_id=new_id("cli"),
        given_name=person.given_name,
        family_name=person.family_name,
        language=person.language,
        time_zone="",
        home_store_id=landing.store_id,
        associate_id=associate_id or spread(person.key, imported.associate_ids),
        source=imported.source,
        external_id=person.key,
        version=1,
        created_at=landing.now,
        updated_at=landing.now,
        contact_points=tuple(
            [
                ContactPoint(new_id("cpt"), ContactKind(kind), value, "import")
                for kind, value in person.contacts
            ]
        ),
        occasions=tuple(
            [
                Occasion(new_id("occ"), kind, day.year, day.month, day.day)
                for name, kind in OCCASIONS.items()
                if (day := getattr(person, name))
            ]
        ),
        preferences=tuple([noted(landing, preference) for preference in person.preferences]),
        nickname=person.nickname,
        tags=person.tags,
        address=person.address,
    )


async def _add_details(
    landing: Landing, clients: Sequence[Client], people: Mapping[str, Person], landed: LandedClients
) -> None:
    tx = landing.tx
    landed.entries += [
        Entry(
            entry_id_of(client.client_id),
            client.client_id,
            TimelineKind.PROFILE,
            landing.now,
            "Became a client of the house",
            client.client_id,
        )
        for client in clients
    ]
    if contacts := [(client.client_id, contact) for client in clients for contact in client.contact_points]:
        await store.land_contacts(tx, contacts)
    if occasions := [(client.client_id, occasion) for client in clients for occasion in client.occasions]:
        await store.land_occasions(tx, occasions)
    if liked := [client for client in clients if client.preferences]:
        await store.land_preferences(tx, liked)
    await add_notes(
        landing, [(client.client_id, people[client.external_id].note) for client in clients], landed
    )
    if any(people[client.external_id].has_details for client in clients):
        landed.with_words += [client.client_id for client in clients]
