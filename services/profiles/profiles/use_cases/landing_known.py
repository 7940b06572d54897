"""Take over what an import says of known clients, as far as it may: domain.field_authority judges what a person wrote.

Whoever is known is compared first, and locked only when something is to change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
from profiles.domain.import_values import ReadDay
from profiles.domain.preferences import MOST_PREFERENCES, Preference, PreferenceKind
from profiles.domain.timeline import came_into_book
from profiles.store import books as book_store
from profiles.store import clients as client_store
from profiles.store import field_authority as authority_store
from profiles.store import import_clients as store
from profiles.store import preferences as preference_store
from profiles.store.field_authority import Written
from profiles.use_cases.landing_batch import OCCASIONS, WORDS, LandedClients, Landing, add_notes, noted


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


async def tell_known(
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
    await add_notes(landing, [(client_id, person.note) for client_id, person in said.items()], landed)


def _differs(client: Client, person: Person, associates: Mapping[str, str]) -> bool:
    """Return whether a file says anything of a known client that is not there so."""
    if any((said := getattr(person, name)) and said != getattr(client, name) for name in WORDS):
        return True
    if person.address and person.address != client.address:
        return True
    if any(client.contact(ContactKind(kind), value) is None for kind, value in person.contacts):
        return True
    for name, kind in OCCASIONS.items():
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
        for name in WORDS:
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
        for name, kind in OCCASIONS.items():
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
            there.append(noted(self._landing, preference))
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
