"""Who may overwrite what: the chain's rules, and values to decide on. use_cases.landing_known judges by them."""

from collections.abc import Sequence
from dataclasses import replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.ids import new_id
from profiles.domain.clients import Client, ContactKind, ContactPoint, Occasion, OccasionKind
from profiles.domain.field_authority import (
    Authority,
    ConflictState,
    FieldConflict,
    FieldRule,
    address_of,
    day_of_text,
    own_occasion_day,
    require_rules,
)
from profiles.store import audit
from profiles.store import clients as client_store
from profiles.store import field_authority as store
from profiles.store.field_authority import Written
from profiles.use_cases.clients import put_into_book, save_change

_OCCASIONS = {"birthday": OccasionKind.BIRTHDAY, "anniversary": OccasionKind.ANNIVERSARY}


async def update_authority(
    *, database: Database, clock: Clock, caller: Caller, rules: Sequence[FieldRule], etag: str
) -> Authority:
    """Say which system may overwrite what. Raises FIELD_UNKNOWN, FIELD_REPEATED and FIELD_AUTHORITY_CHANGED."""
    checked = require_rules(rules)
    async with database.transaction(caller.chain_id) as tx:
        return await store.set_authority(tx, checked, etag=etag, now=clock.now())


async def list_conflicts(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    state: ConflictState,
    client_id: str,
    before: str,
    limit: int,
) -> list[FieldConflict]:
    """Return values that were not taken, newest first. Raises CLIENT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        if client_id:
            client_id = await client_store.require_client(tx, client_id)
        found = await store.list_conflicts(tx, state=state, client_id=client_id, before=before, limit=limit)
        seen = [conflict.client_id for conflict in found]
        await audit.note(tx, caller, "ListFieldConflicts", seen, now=clock.now())
        return found


async def settle_conflict(
    *, database: Database, clock: Clock, caller: Caller, field_conflict_id: str, is_taken: bool
) -> FieldConflict:
    """Take the offered value, or keep what is there. Raises FIELD_CONFLICT_NOT_FOUND and FIELD_CONFLICT_SETTLED."""
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        seen = await store.get_conflict(tx, field_conflict_id)
        client = await client_store.lock_client(tx, seen.client_id)
        conflict = await store.get_conflict(tx, field_conflict_id)
        conflict.require_open()
        if is_taken:
            if conflict.field == "associate_id":
                await put_into_book(tx, client, conflict.offered_value, caller=caller, clock=clock)
            else:
                changed = await _take(tx, client, conflict)
                await save_change(tx, changed, clock=clock)
                await store.set_writers(tx, [_now_written(client, conflict)], now=now)
        by = caller.associate_id or caller.actor_id
        await audit.note(
            tx, caller, "SettleFieldConflict", [client.client_id], now=now, subject_id=field_conflict_id
        )
        return await store.settle_conflict(
            tx,
            field_conflict_id,
            state=ConflictState.TAKEN if is_taken else ConflictState.KEPT,
            settled_by=by,
            now=now,
        )


def _now_written(client: Client, conflict: FieldConflict) -> Written:
    """Return whose the field is from now on: the source's that offered the value, or the person's whose it was."""
    value_key = conflict.offered_value.casefold() if conflict.field in ("phone", "email", "tags") else ""
    is_own = conflict.source == client.source and bool(client.external_id)
    writer = "" if value_key or (is_own and not conflict.is_persons) else conflict.source
    return Written(client.client_id, conflict.field, value_key, writer, conflict.is_persons)


async def _take(tx: Transaction, client: Client, conflict: FieldConflict) -> Client:
    """Write what a value changes beside the client's own row, and return the client with what it changes there."""
    value, field = conflict.offered_value, conflict.field
    if field in _OCCASIONS:
        await _take_day(tx, client, _OCCASIONS[field], value)
    elif field in ("phone", "email"):
        kind = ContactKind(field)
        if client.contact(kind, value) is None:
            await client_store.add_contact_point(
                tx, client.client_id, ContactPoint(new_id("cpt"), kind, value, "import")
            )
    elif field == "tags":
        if value.casefold() not in {tag.casefold() for tag in client.tags}:
            return replace(client, tags=(*client.tags, value))
    elif field == "address":
        return replace(client, address=address_of(value))
    else:
        return replace(client, **{field: value})  # type: ignore[arg-type]
    return client


async def _take_day(tx: Transaction, client: Client, kind: OccasionKind, value: str) -> None:
    occasion_id, _ = own_occasion_day(client, kind)
    if not value:
        if occasion_id:
            await client_store.remove_occasion(tx, client.client_id, occasion_id)
        return
    day = day_of_text(value)
    if occasion_id:
        old = next(one for one in client.occasions if one.occasion_id == occasion_id)
        await client_store.save_occasion(
            tx, client.client_id, replace(old, year=day.year, month=day.month, day=day.day)
        )
    else:
        await client_store.add_occasion(
            tx, client.client_id, Occasion(new_id("occ"), kind, day.year, day.month, day.day)
        )
