"""What the modules that write a batch of clients share: what holds for all of it, what came of it, and their notes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from chassis.database import Transaction
from chassis.ids import new_id
from profiles.domain.clients import Client, OccasionKind
from profiles.domain.imports import Assumption, Import
from profiles.domain.preferences import Preference
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.store import import_clients as store

OCCASIONS = {"birthday": OccasionKind.BIRTHDAY, "anniversary": OccasionKind.ANNIVERSARY}
WORDS = ("given_name", "family_name", "nickname", "language")


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


def noted(landing: Landing, preference: Preference) -> Preference:
    """Return a preference as this batch says it."""
    return replace(
        preference, source=landing.imported.source, noted_on=landing.today, preference_id=new_id("prf")
    )


async def add_notes(landing: Landing, notes: Iterable[tuple[str, str]], landed: LandedClients) -> None:
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
