"""The memory of what people wrote, by which imports tell it from what systems brought. Must not judge anything."""

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Transaction
from profiles.domain.clients import Client, OccasionKind
from profiles.domain.field_authority import own_occasion_day
from profiles.store import field_authority as store
from profiles.store.field_authority import Written

_MACHINES = frozenset({"integration", "service", "partner"})
_WORDS = ("given_name", "family_name", "nickname", "language", "address")
_OCCASIONS = {"birthday": OccasionKind.BIRTHDAY, "anniversary": OccasionKind.ANNIVERSARY}


async def note_written(
    tx: Transaction, caller: Caller, before: Client | None, after: Client, *, clock: Clock
) -> None:
    """Remember which fields a person changed, so that no import overwrites them silently.

    Call it in the transaction that changed a client, with the client as it was (None for a new one) and as it is. What
    a machine changes counts as its source's; what a person brought needs no memory: it is nobody else's.
    """
    if caller.role in _MACHINES or not after.external_id:
        return
    person = caller.associate_id or caller.actor_id
    written: list[Written] = []

    def note(field: str, value_key: str = "", *, writer: str = person) -> None:
        written.append(Written(after.client_id, field, value_key, writer, True))

    for field in _WORDS:
        there = getattr(before, field) if before else None
        if getattr(after, field) != there and (before or getattr(after, field)):
            note(field)
    for field, kind in _OCCASIONS.items():
        there = own_occasion_day(before, kind)[1] if before else None
        if own_occasion_day(after, kind)[1] != there:
            note(field)
    # Of several values the ones taken off are remembered; one that comes back is taken off no more.
    for field, removed, added in _differences(before, after):
        for value_key in removed:
            note(field, value_key)
        for value_key in added if before else ():
            note(field, value_key, writer="")
    await store.set_writers(tx, written, now=clock.now())


def _differences(before: Client | None, after: Client) -> list[tuple[str, set[str], set[str]]]:
    def keys(client: Client | None) -> dict[str, set[str]]:
        if client is None:
            return {"phone": set(), "email": set(), "tags": set(), "preferences": set()}
        contacts = {
            kind: {one.match_key for one in client.contact_points if one.kind.value == kind}
            for kind in ("phone", "email")
        }
        return contacts | {
            "tags": {tag.casefold() for tag in client.tags},
            "preferences": {f"{one.kind}:{one.value.casefold()}" for one in client.preferences},
        }

    old, new = keys(before), keys(after)
    return [(field, old[field] - new[field], new[field] - old[field]) for field in old]
