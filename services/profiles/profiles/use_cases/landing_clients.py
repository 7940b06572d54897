"""Write the clients of one batch of an import: those who are new, and what the file says otherwise of known ones.

Set by set: a batch of new clients costs a handful of statements. Those with an id are in landing_named, those without
one in landing_by_contact, and what a file may say of a known client in landing_known.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from profiles.domain.field_authority import Authority, AuthorityRule
from profiles.domain.import_people import Person
from profiles.domain.imports import Assumption
from profiles.store import field_authority as authority_store
from profiles.store import import_clients as store
from profiles.use_cases.landing_batch import OCCASIONS, WORDS, LandedClients, Landing
from profiles.use_cases.landing_by_contact import land_by_contact
from profiles.use_cases.landing_known import tell_known
from profiles.use_cases.landing_named import land_named


def joined_people(people: Iterable[tuple[int, Person]]) -> dict[str, tuple[int, Person]]:
    """Return lines and people by key; of what several lines say of one person the last word counts."""
    joined: dict[str, tuple[int, Person]] = {}
    for line, person in people:
        known = joined.get(person.key)
        if known is None:
            joined[person.key] = line, person
        elif known[1] is not person and person.has_details:
            joined[person.key] = known[0], known[1].joined(person)
    return joined


async def land_people(landing: Landing, people: Mapping[str, tuple[int, Person]]) -> LandedClients:
    """Write the people of a batch and return who they are."""
    landed = LandedClients()
    authority = Authority()
    if any(person.has_details for _, person in people.values()):
        authority = await authority_store.get_authority(landing.tx)
        people = {
            key: (line, _stripped(person, authority, landing)) for key, (line, person) in people.items()
        }
    associates = await _associates_named(landing, people.values(), landed)
    known: list[tuple[str, Person]] = []
    with_id = {key: person for key, (_, person) in people.items() if person.external_id}
    await land_named(landing, with_id, associates, landed, known)
    if without := {key: person for key, (_, person) in people.items() if not person.external_id}:
        await land_by_contact(landing, without, associates, landed, known)
    if told := [(client_id, person) for client_id, person in known if person.has_details]:
        await tell_known(landing, told, authority, associates, landed)
    return landed


def _stripped(person: Person, authority: Authority, landing: Landing) -> Person:
    """Return a person without what the source may not say."""
    source = landing.imported.source
    if not any(rule.source == source and rule.rule is AuthorityRule.IGNORE for rule in authority.rules):
        return person

    def is_ignored(name: str) -> bool:
        return authority.rule_of(source, name) is AuthorityRule.IGNORE

    changes: dict[str, object] = {name: "" for name in (*WORDS, "note") if is_ignored(name)}
    changes |= {name: None for name in ("address", *OCCASIONS) if is_ignored(name)}
    for name, attribute in (("phone", "phones"), ("email", "emails"), ("tags", "tags"), ("*", "preferences")):
        if is_ignored(name):
            changes[attribute] = ()
    if is_ignored("associate_id"):
        changes["associate_email"] = ""
    return replace(person, **changes)  # type: ignore[arg-type]


async def _associates_named(
    landing: Landing, people: Collection[tuple[int, Person]], landed: LandedClients
) -> Mapping[str, str]:
    emails = {person.associate_email for _, person in people if person.associate_email}
    if not emails:
        return {}
    found = await store.associates_by_email(landing.tx, sorted(emails))
    unknown = [
        line for line, person in people if person.associate_email and person.associate_email not in found
    ]
    if unknown:
        landed.assumptions.append(
            Assumption(min(unknown), "associate_email", "ASSOCIATE_UNKNOWN", len(unknown))
        )
    return found
