"""Write the clients of one batch of an import: those who are new, and what the file says otherwise of known ones.

Set by set: a batch of new clients costs a handful of statements. Whoever is known is compared first and locked only
when something is to change; what a person wrote is judged by domain.field_authority.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from chassis.database import Transaction
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from profiles.domain.books import Assignment, AssignmentReason
from profiles.domain.clients import Client, ContactKind, ContactPoint, Occasion, OccasionKind
from profiles.domain.field_authority import (
    Authority,
    AuthorityRule,
    ConflictState,
    FieldConflict,
    Verdict,
    Writer,
    address_text,
    day_text,
    own_occasion_day,
    writer_of,
)
from profiles.domain.import_people import Person
from profiles.domain.import_values import ReadDay, plain_letters
from profiles.domain.imports import Assumption, Import, spread
from profiles.domain.preferences import MOST_PREFERENCES, Preference, PreferenceKind
from profiles.domain.timeline import Entry, TimelineKind, came_into_book, entry_id_of
from profiles.store import books as book_store
from profiles.store import clients as client_store
from profiles.store import field_authority as authority_store
from profiles.store import import_clients as store
from profiles.store import preferences as preference_store
from profiles.store.field_authority import Written

_OCCASIONS = {"birthday": OccasionKind.BIRTHDAY, "anniversary": OccasionKind.ANNIVERSARY}
_WORDS = ("given_name", "family_name", "nickname", "language")


@dataclass(slots=True)
class LandedClients:
    """Who the people of a batch are: `ids` by their keys; `new` and `changed` as they are now.

    `with_words` are the ids of those whose names, contacts or tags may be found by other words now.
    """

    ids: dict[str, str] = field(default_factory=dict)
    new: list[Client] = field(default_factory=list)
    changed: list[Client] = field(default_factory=list)
    with_words: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Landing:
    """What holds for a whole batch."""

    tx: Transaction
    imported: Import
    store_id: str
    today: date
    actor: str
    now: datetime


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
    await _land_named(landing, with_id, associates, landed, known)
    if without := {key: person for key, (_, person) in people.items() if not person.external_id}:
        await _land_by_contact(landing, without, associates, landed, known)
    if told := [(client_id, person) for client_id, person in known if person.has_details]:
        await _tell_known(landing, told, authority, associates, landed)
    return landed


def _stripped(person: Person, authority: Authority, landing: Landing) -> Person:
    """Return a person without what the source may not say."""
    source = landing.imported.source
    if not any(rule.source == source and rule.rule is AuthorityRule.IGNORE for rule in authority.rules):
        return person

    def is_ignored(name: str) -> bool:
        return authority.rule_of(source, name) is AuthorityRule.IGNORE

    changes: dict[str, object] = {name: "" for name in (*_WORDS, "note") if is_ignored(name)}
    changes |= {name: None for name in ("address", *_OCCASIONS) if is_ignored(name)}
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


async def _land_named(
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
                for name, kind in _OCCASIONS.items()
                if (day := getattr(person, name))
            ]
        ),
        preferences=tuple([_noted(landing, preference) for preference in person.preferences]),
        nickname=person.nickname,
        tags=person.tags,
        address=person.address,
    )


def _noted(landing: Landing, preference: Preference) -> Preference:
    return replace(
        preference, source=landing.imported.source, noted_on=landing.today, preference_id=new_id("prf")
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
    await _add_notes(
        landing, [(client.client_id, people[client.external_id].note) for client in clients], landed
    )
    if any(people[client.external_id].has_details for client in clients):
        landed.with_words += [client.client_id for client in clients]


async def _add_notes(landing: Landing, notes: Iterable[tuple[str, str]], landed: LandedClients) -> None:
    """Write notes that are not there; one has its id from its words, so that a repeat finds it."""
    named = {
        f"nte_{hashlib.blake2b(f'{client_id}/{text}'.encode(), digest_size=13).hexdigest()}": (
            client_id,
            text,
        )
        for client_id, text in notes
        if text
    }
    if not named:
        return
    added = await store.land_notes(landing.tx, named, author=landing.actor, now=landing.now)
    landed.entries += [
        Entry(
            entry_id_of(note_id), named[note_id][0], TimelineKind.NOTE, landing.now, "Wrote a note", note_id
        )
        for note_id in added
    ]


async def _land_by_contact(
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
    await _land_named(landing, new, associates, landed, known)
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


@dataclass(slots=True)
class _Change:
    """What a file changes on a known client, and what it does not."""

    client: Client
    contacts: list[ContactPoint] = field(default_factory=list)
    new_occasions: list[Occasion] = field(default_factory=list)
    moved_occasions: list[Occasion] = field(default_factory=list)
    preferences: list[Preference] | None = None
    writers: list[Written] = field(default_factory=list)
    conflicts: list[FieldConflict] = field(default_factory=list)
    from_associate_id: str | None = None
    fields: set[str] = field(default_factory=set)
    refused: int = 0

    @property
    def is_empty(self) -> bool:
        return not (
            self.fields
            or self.contacts
            or self.new_occasions
            or self.moved_occasions
            or self.preferences is not None
        )


async def _tell_known(
    landing: Landing,
    told: Sequence[tuple[str, Person]],
    authority: Authority,
    associates: Mapping[str, str],
    landed: LandedClients,
) -> None:
    """Take over what a file says of known clients as far as it may."""
    tx = landing.tx
    said: dict[str, Person] = {}
    for client_id, person in told:
        said[client_id] = said[client_id].joined(person) if client_id in said else person
    clients = await client_store.get_clients(tx, sorted(said))
    differing = [client for client in clients if _differs(client, said[client.client_id], associates)]
    if differing:
        ids = [client.client_id for client in differing]
        await store.lock_clients(tx, ids)
        writers = await authority_store.writers_of(tx, ids)
        moved = [
            client.client_id
            for client in differing
            if associates.get(said[client.client_id].associate_email, client.associate_id)
            != client.associate_id
        ]
        by_import = await authority_store.last_assigned_by_import(tx, moved) if moved else {}
        changes = [
            _Judge(landing, authority, client, writers.get(client.client_id, {}), by_import).change(
                said[client.client_id], associates.get(said[client.client_id].associate_email, "")
            )
            for client in await client_store.get_clients(tx, ids)
        ]
        landed.conflicts += sum(change.refused for change in changes)
        await authority_store.add_conflicts(tx, [one for change in changes for one in change.conflicts])
        await authority_store.set_writers(
            tx, [one for change in changes for one in change.writers], now=landing.now
        )
        await _apply(landing, [change for change in changes if not change.is_empty], landed)
    await _add_notes(landing, [(client_id, person.note) for client_id, person in said.items()], landed)


def _differs(client: Client, person: Person, associates: Mapping[str, str]) -> bool:
    """Return whether a file says anything of a known client that is not there so."""
    if any((said := getattr(person, name)) and said != getattr(client, name) for name in _WORDS):
        return True
    if person.address and person.address != client.address:
        return True
    if any(client.contact(ContactKind(kind), value) is None for kind, value in person.contacts):
        return True
    for name, kind in _OCCASIONS.items():
        day: ReadDay | None = getattr(person, name)
        if day and not _is_same_day(own_occasion_day(client, kind)[1], day):
            return True
    there = {tag.casefold() for tag in client.tags}
    if any(tag.casefold() not in there for tag in person.tags):
        return True
    keys = {preference.key for preference in client.preferences}
    if any(preference.key not in keys for preference in person.preferences):
        return True
    associate_id = associates.get(person.associate_email, "")
    return bool(associate_id) and associate_id != client.associate_id


def _is_same_day(there: ReadDay | None, said: ReadDay) -> bool:
    """Return whether a file says nothing new: a day without a year is no other than the same one with it."""
    if there is None:
        return False
    return there[1:3] == said[1:3] and (there.year == said.year or not said.year)


class _Judge:
    """Decides field by field what becomes of what a file says of one known client."""

    def __init__(
        self,
        landing: Landing,
        authority: Authority,
        client: Client,
        writers: Mapping[str, Writer],
        by_import: Mapping[str, bool],
    ) -> None:
        self._landing = landing
        self._source = landing.imported.source
        self._authority = authority
        self._client = client
        self._writers = writers
        self._by_import = by_import
        self._change = _Change(client)

    def change(self, person: Person, associate_id: str) -> _Change:
        """Return everything that changes, and everything that was not taken."""
        client = self._client
        own: dict[str, object] = {}
        for name in _WORDS:
            said, there = getattr(person, name), getattr(client, name)
            if said and said != there and self._takes(name, there, said):
                own[name] = said
        if (
            person.address
            and person.address != client.address
            and self._takes("address", address_text(client.address), address_text(person.address))
        ):
            own["address"] = person.address
        if tags := self._tags(person.tags):
            own["tags"] = (*client.tags, *tags)
        if (
            associate_id
            and associate_id != client.associate_id
            and self._takes("associate_id", client.associate_id, associate_id, self._who_assigned())
        ):
            own["associate_id"] = associate_id
            self._change.from_associate_id = client.associate_id
            if client.secondary_associate_id == associate_id:
                own["secondary_associate_id"] = ""
        for kind, value in person.contacts:
            if client.contact(ContactKind(kind), value) is None and self._takes_back(
                kind, value, value.lower()
            ):
                self._change.contacts.append(ContactPoint(new_id("cpt"), ContactKind(kind), value, "import"))
        for name, kind in _OCCASIONS.items():
            self._occasion(name, kind, getattr(person, name))
        self._preferences(person.preferences)
        self._change.fields |= own.keys()
        self._change.client = replace(client, **own)  # type: ignore[arg-type]
        return self._change

    def _takes(self, name: str, there: str, said: str, writer: Writer | None = None) -> bool:
        """Return whether a value is taken; what is not, or stood there by a person's hand, is kept as a conflict."""
        noted, is_said = writer_of(self._client, self._writers, name)
        if writer is not None:
            noted, is_said = writer, True
        verdict = self._authority.judge(self._source, name, is_empty=not there, writer=noted, is_said=is_said)
        if verdict is Verdict.REFUSED:
            self._change.refused += 1
            self._keep(name, current=there, writer=noted.name, offered=said, source=self._source)
        elif verdict is Verdict.TAKEN_FROM_PERSON:
            person = noted.name or "associate"
            self._keep(name, current=said, writer=self._source, offered=there, source=person, is_persons=True)
        if verdict in (Verdict.REFUSED, Verdict.IGNORED):
            return False
        self._note_writer(name)
        return True

    def _note_writer(self, name: str, value_key: str = "") -> None:
        is_own = self._source == self._client.source and self._client.external_id
        writer = "" if is_own or value_key else self._source
        known = f"{name}:{value_key}" if value_key else name
        if writer or known in self._writers:
            self._change.writers.append(Written(self._client.client_id, name, value_key, writer, False))

    def _keep(
        self, name: str, *, current: str, writer: str, offered: str, source: str, is_persons: bool = False
    ) -> None:
        self._change.conflicts.append(
            FieldConflict(
                new_id("fcf"),
                self._client.client_id,
                name,
                current,
                writer,
                offered,
                source,
                is_persons,
                ConflictState.OPEN,
                self._landing.now,
            )
        )

    def _takes_back(self, name: str, value: str, value_key: str) -> bool:
        """Return whether one value of several is added; one that a person took off comes back by the same rules."""
        if (remover := self._writers.get(f"{name}:{value_key}")) is None:
            return True
        if self._authority.rule_of(self._source, name) is not AuthorityRule.OVERWRITE:
            self._change.refused += 1
            self._keep(name, current="", writer=remover.name, offered=value, source=self._source)
            return False
        self._note_writer(name, value_key)
        return True

    def _tags(self, tags: Sequence[str]) -> list[str]:
        there = {tag.casefold() for tag in self._client.tags}
        return [
            tag
            for tag in tags
            if tag.casefold() not in there and self._takes_back("tags", tag, tag.casefold())
        ]

    def _occasion(self, name: str, kind: OccasionKind, day: ReadDay | None) -> None:
        occasion_id, there = own_occasion_day(self._client, kind)
        if day is None or _is_same_day(there, day):
            return
        if there and there[1:3] == day[1:3] and not there.year:
            taken = True  # the same day, and now its year
        else:
            taken = self._takes(name, day_text(there), day_text(day))
        if not taken:
            return
        if occasion_id:
            old = next(one for one in self._client.occasions if one.occasion_id == occasion_id)
            self._change.moved_occasions.append(replace(old, year=day.year, month=day.month, day=day.day))
        else:
            self._change.new_occasions.append(Occasion(new_id("occ"), kind, day.year, day.month, day.day))

    def _preferences(self, said: Sequence[Preference]) -> None:
        """Add what is not there; a ring size takes the place of the one that the source said before."""
        there = list(self._client.preferences)
        keys = {preference.key for preference in there}
        for preference in said:
            was_removed = f"preferences:{preference.kind}:{preference.value.casefold()}" in self._writers
            if preference.key in keys or was_removed:
                continue
            if preference.kind is PreferenceKind.RING_SIZE:
                there = [
                    one
                    for one in there
                    if one.kind is not preference.kind or one.source != self._source or one.finger
                ]
            there.append(_noted(self._landing, preference))
        if len(there) <= MOST_PREFERENCES and there != list(self._client.preferences):
            self._change.preferences = there

    def _who_assigned(self) -> Writer:
        """Return who put the client into the book: an import, or a person."""
        client = self._client
        by_import = self._by_import.get(client.client_id, bool(client.external_id))
        return Writer(self._source if by_import else "associate", not by_import)


async def _apply(landing: Landing, changes: Sequence[_Change], landed: LandedClients) -> None:
    """Write what changes on locked clients, and how they are then."""
    if not changes:
        return
    tx, now = landing.tx, landing.now
    await store.save_clients(
        tx, [replace(change.client, version=change.client.version + 1) for change in changes], now=now
    )
    ids = [change.client.client_id for change in changes]
    if contacts := [(one.client.client_id, contact) for one in changes for contact in one.contacts]:
        await store.land_contacts(tx, contacts)
    if occasions := [(one.client.client_id, day) for one in changes for day in one.new_occasions]:
        await store.land_occasions(tx, occasions)
    for change in changes:
        for occasion in change.moved_occasions:
            await client_store.save_occasion(tx, change.client.client_id, occasion)
        if change.preferences is not None:
            await preference_store.set_preferences(tx, change.client.client_id, change.preferences)
    if moved := [change for change in changes if change.from_associate_id is not None]:
        names = await store.names_of_associates(tx, {change.client.associate_id for change in moved})
        await book_store.add_assignments(
            tx,
            [
                Assignment(
                    new_id("asg"),
                    change.client.client_id,
                    change.from_associate_id or "",
                    change.client.associate_id,
                    AssignmentReason.IMPORTED,
                    landing.actor,
                    now,
                )
                for change in moved
            ],
        )
        landed.entries += [
            came_into_book(
                new_id("tle"),
                change.client.client_id,
                change.client.associate_id,
                names[change.client.associate_id],
                moment=now,
            )
            for change in moved
        ]
    landed.with_words += ids
    landed.changed += await client_store.get_clients(tx, ids)
