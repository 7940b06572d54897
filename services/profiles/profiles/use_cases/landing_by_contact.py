"""Tell by their contacts who the people of an import without an id are, as long as the names do not contradict."""

from collections.abc import Mapping

from profiles.domain.import_people import Person
from profiles.domain.import_values import plain_letters
from profiles.store import import_clients as store
from profiles.use_cases.landing_batch import LandedClients, Landing
from profiles.use_cases.landing_named import land_named


async def land_by_contact(
    landing: Landing,
    people: dict[str, Person],
    associates: Mapping[str, str],
    landed: LandedClients,
    known: list[tuple[str, Person]],
) -> None:
    """Write people without an id: those known by their words from before, those with a contact that exactly one client
    has among those whose names do not say otherwise, and new ones."""
    tx = landing.tx
    before = await store.known_external_ids(tx, landing.imported.source, list(people))
    contacts = {contact for person in people.values() for contact in _keys_of(person)}
    owners: dict[tuple[str, str], set[str]] = {}
    for kind, key, client_id in await store.owners_of_contacts(tx, sorted(contacts)):
        owners.setdefault((kind, key), set()).add(client_id)
    names = await store.names_of(tx, sorted(set().union(*owners.values()))) if owners else {}
    new: dict[str, Person] = {}
    joined: dict[str, str] = {}
    found: dict[str, str] = {}
    for key, person in people.items():
        candidates = set().union(*(owners.get(contact, set()) for contact in _keys_of(person)))
        candidates = {one for one in candidates if _may_be(person, names[one])}
        if key in before:
            owner = before[key]
            known.append((owner, person))
        elif len(candidates) == 1:
            (owner,) = candidates
            if owner in new:
                new[owner] = new[owner].joined(person)
            else:
                known.append((owner, person))
            found[key] = owner
        else:
            owner = key
            new[key] = person
        joined[key] = owner
        known_names = names.get(owner, ("", ""))
        names[owner] = (known_names[0] or person.given_name, known_names[1] or person.family_name)
        for contact in _keys_of(person):
            owners.setdefault(contact, set()).add(owner)
    await land_named(landing, new, associates, landed, known)
    landed.ids |= {key: landed.ids.get(owner, owner) for key, owner in joined.items()}
    # Next time more clients may have the contact.
    await store.remember_external_ids(
        tx, landing.imported.source, {key: landed.ids.get(owner, owner) for key, owner in found.items()}
    )


def _keys_of(person: Person) -> list[tuple[str, str]]:
    return [(kind, value.lower()) for kind, value in person.contacts]


def _may_be(person: Person, names: tuple[str, str]) -> bool:
    """Return whether names do not contradict: a number may be a household's."""
    return all(
        not said or not there or plain_letters(said) == plain_letters(there)
        for said, there in zip((person.given_name, person.family_name), names, strict=True)
    )
