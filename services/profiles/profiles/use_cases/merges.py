"""Make two clients one, and take that back: everything that was the other's moves, or moves back, in one commit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from profiles import events
from profiles.domain import merges as domain
from profiles.domain.books import Assignment, AssignmentReason
from profiles.domain.clients import Client
from profiles.domain.merges import (
    Difference,
    Merge,
    MergeNotLast,
    MergeState,
    MergeTooOld,
    require_choices,
    require_two,
)
from profiles.domain.preferences import Preference
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.store import audit, client_facts
from profiles.store import books as book_store
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import duplicates as duplicate_store
from profiles.store import matching as match_store
from profiles.store import merges as store
from profiles.store import preferences as preference_store
from profiles.store import search as search_store
from profiles.store import timeline as timeline_store
from profiles.use_cases.cash_watch import watch

_FORGOTTEN_AT_ONCE = 100  # merges, with the names of what each moved


@dataclass(frozen=True, slots=True)
class Preview:
    """The client whom a merge would lead to, and where the two differ."""

    client: Client
    differences: tuple[Difference, ...]


async def preview_merge(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    surviving_client_id: str,
    merged_client_id: str,
    choices: Mapping[str, str],
) -> Preview:
    """Say what merge_clients would do, by doing it and taking it back. Raises what merge_clients raises."""
    require_two(surviving_client_id, merged_client_id)
    require_choices(choices, surviving_client_id=surviving_client_id, merged_client_id=merged_client_id)
    async with database.transaction(caller.chain_id) as tx:
        await audit.note(tx, caller, "PreviewMerge", [surviving_client_id, merged_client_id], now=clock.now())
        # A place to go back to: what was noted stays, what is tried goes.
        attempt = await tx.connection.begin_nested()
        await store.take_turn(tx)
        merge, client = await _merge(
            tx, caller, new_id("mrg"), surviving_client_id, merged_client_id, choices, clock=clock
        )
        await attempt.rollback()
        return Preview(client, merge.differences)


async def merge_clients(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    surviving_client_id: str,
    merged_client_id: str,
    choices: Mapping[str, str],
) -> Merge:
    """Make two clients one.

    Raises MERGE_WITH_ITSELF, MERGE_CHOICE_UNKNOWN, CLIENT_NOT_FOUND, CLIENT_MERGED and CLIENT_ERASED.
    """
    require_two(surviving_client_id, merged_client_id)
    require_choices(choices, surviving_client_id=surviving_client_id, merged_client_id=merged_client_id)
    async with database.transaction(caller.chain_id) as tx:
        await store.take_turn(tx)
        merge_id, is_repeat = await tx.once(key, new_id("mrg"))
        if is_repeat:
            return await store.get_merge(tx, merge_id)
        merge, client = await _merge(
            tx, caller, merge_id, surviving_client_id, merged_client_id, choices, clock=clock
        )
        tx.publish(events.client_merged(merge, client), entity_id=client.client_id)
        await audit.note(
            tx,
            caller,
            "MergeClients",
            [surviving_client_id, merged_client_id],
            now=clock.now(),
            subject_id=merge_id,
        )
        await watch(tx, [client.client_id], now=clock.now())
        return merge


async def merge_if_certain(
    *, database: Database, clock: Clock, caller: Caller, one_id: str, other_id: str
) -> Merge | None:
    """Merge two clients whom nobody need look at, into the older record; None when there is any doubt by now."""
    async with database.transaction(caller.chain_id) as tx:
        await store.take_turn(tx)
        surviving_id, merged_id = sorted((one_id, other_id))
        if not await match_store.lock_both(tx, surviving_id, merged_id):
            return None
        score = await match_store.score_pair(tx, surviving_id, merged_id)
        if not score.is_certain or not await duplicate_store.is_open(tx, surviving_id, merged_id):
            return None
        merge, client = await _merge(
            tx, caller, new_id("mrg"), surviving_id, merged_id, {}, clock=clock, is_automatic=True
        )
        tx.publish(events.client_merged(merge, client), entity_id=client.client_id)
        await audit.note(
            tx,
            caller,
            "MergeClients",
            [surviving_id, merged_id],
            now=clock.now(),
            subject_id=merge.merge_id,
        )
        await watch(tx, [client.client_id], now=clock.now())
        return merge


async def _merge(
    tx: Transaction,
    caller: Caller,
    merge_id: str,
    surviving_id: str,
    merged_id: str,
    choices: Mapping[str, str],
    *,
    clock: Clock,
    is_automatic: bool = False,
) -> tuple[Merge, Client]:
    now = clock.now()
    await store.lock_pair(tx, [surviving_id, merged_id])
    survivor = await client_store.get_client(tx, surviving_id)
    other = await client_store.get_client(tx, merged_id)
    before, merged_row = await store.client_row(tx, surviving_id), await store.client_row(tx, merged_id)
    one, differences = domain.united(survivor, other, choices)

    aside = await store.set_doubles_aside(tx, surviving_id, merged_id)
    links = await store.relink_occasions(
        tx, await store.relationships_instead(tx, aside, surviving_id, merged_id)
    )
    unmarked = await store.unmark_preferred(tx, surviving_id, merged_id)
    await _unite_preferences(tx, survivor, other)
    await store.move_rows(tx, merge_id, from_id=merged_id, to_id=surviving_id)
    await duplicate_store.follow_merge(
        tx, surviving_id, merged_id, decided_by=caller.associate_id or caller.actor_id, now=now
    )
    await store.remove_client(tx, merged_id)
    await store.add_alias(tx, merge_id, surviving_id=surviving_id, merged=merged_row, now=now)

    await client_store.save_client(tx, replace(one, updated_at=now))
    await search_store.refresh_search(tx, [surviving_id])
    await client_facts.refresh(tx, [surviving_id])
    await _note_book(tx, caller, surviving_id, survivor.associate_id, one.associate_id, now=now)
    await timeline_store.add_entries(tx, [_line(merge_id, surviving_id, "Merged with another record", now)])
    merge = Merge(
        merge_id=merge_id,
        surviving_client_id=surviving_id,
        merged_client_id=merged_id,
        state=MergeState.MERGED,
        differences=tuple(differences),
        is_automatic=is_automatic,
        actor=caller.associate_id or caller.actor_id,
        merged_at=now,
        undo_until=now + domain.UNDO_WITHIN,
    )
    await store.add_merge(
        tx,
        merge,
        {
            "before": before,
            "after": await store.client_row(tx, surviving_id),
            "merged": merged_row,
            "aside": aside,
            "links": links,
            "unmarked": unmarked,
            "preferences": [
                [_meaning(preference) for preference in survivor.preferences],
                [preference_store.values_of(preference) for preference in other.preferences],
            ],
        },
    )
    return merge, await client_store.get_client(tx, surviving_id)


async def undo_merge(*, database: Database, clock: Clock, caller: Caller, merge_id: str) -> Merge:
    """Take a merge back. Raises MERGE_NOT_FOUND, MERGE_UNDONE, MERGE_TOO_OLD, MERGE_NOT_LAST and CLIENT_ERASED."""
    async with database.transaction(caller.chain_id) as tx:
        await store.take_turn(tx)
        merge = await store.get_merge(tx, merge_id)
        now = clock.now()
        merge.require_undoable(now)
        if later := await store.later_merge(tx, merge):
            raise MergeNotLast(merge_id, later)
        surviving_id, merged_id = merge.surviving_client_id, merge.merged_client_id
        await store.lock_pair(tx, [surviving_id])
        snapshot = await store.get_snapshot(tx, merge_id)
        if snapshot is None:
            raise MergeTooOld(merge_id)
        current = await client_store.get_client(tx, surviving_id)
        kept = await store.recorded_since(tx, merge_id, surviving_id)
        merged = store.bare_client(snapshot["merged"])
        alone, kept_fields = domain.parted(
            current, store.bare_client(snapshot["before"]), store.bare_client(snapshot["after"]), merged
        )
        # Both above whatever was said of either id, so that nobody takes what comes now for late.
        version = current.version + 1

        await store.remove_alias(tx, merge_id)
        row = snapshot["merged"] | {"version": version, "updated_at": now.isoformat()}
        await store.restore_rows(tx, [("clients", row)])
        gone = await store.move_rows_back(tx, merge_id, from_id=surviving_id, to_id=merged_id)
        await store.restore_rows(tx, snapshot["aside"])
        await store.unlink_occasions(tx, snapshot["links"])
        await store.mark_preferred(tx, merged_id, snapshot["unmarked"])
        await _part_preferences(tx, current, merged_id, snapshot["preferences"])

        await client_store.save_client(tx, replace(alone, version=version, updated_at=now))
        await search_store.refresh_search(tx, [surviving_id, merged_id])
        await client_facts.refresh(tx, [surviving_id, merged_id])
        await _note_book(tx, caller, surviving_id, current.associate_id, alone.associate_id, now=now)
        await timeline_store.add_entries(
            tx,
            [
                _line(new_id("tle"), client_id, "Is two records again: a merge was taken back", now, merge_id)
                for client_id in (surviving_id, merged_id)
            ],
        )
        await duplicate_store.follow_undo(
            tx,
            surviving_id,
            merged_id,
            await match_store.score_pair(tx, surviving_id, merged_id),
            decided_by=caller.associate_id or caller.actor_id,
            now=now,
        )
        await store.undo_merge(tx, merge_id, [*kept_fields, *kept, *gone], now=now)
        undone = await store.get_merge(tx, merge_id)
        tx.publish(
            events.client_unmerged(
                undone,
                await client_store.get_client(tx, surviving_id),
                await client_store.get_client(tx, merged_id),
            ),
            entity_id=surviving_id,
        )
        await audit.note(tx, caller, "UndoMerge", [surviving_id, merged_id], now=now, subject_id=merge_id)
        await watch(tx, [surviving_id, merged_id], now=now)
        return undone


async def forget_old_merges(*, database: Database, clock: Clock) -> None:
    """Forget what merges took that nobody can take back any more: it says what people were called."""
    for chain_id in await directory_store.list_chain_ids(database):
        is_done = False
        while not is_done:
            async with database.transaction(chain_id) as tx:
                is_done = (
                    await store.forget_old(tx, now=clock.now(), most=_FORGOTTEN_AT_ONCE) < _FORGOTTEN_AT_ONCE
                )


def _line(entry_id: str, client_id: str, summary: str, moment: datetime, subject_id: str = "") -> Entry:
    return Entry(
        entry_id if subject_id else entry_id_of(entry_id),
        client_id,
        TimelineKind.PROFILE,
        moment,
        summary,
        subject_id or entry_id,
    )


async def _note_book(
    tx: Transaction, caller: Caller, client_id: str, from_id: str, to_id: str, *, now: datetime
) -> None:
    """Write a line into the history of books when the client is in another one now."""
    if from_id == to_id:
        return
    await book_store.add_assignments(
        tx,
        [
            Assignment(
                new_id("asg"), client_id, from_id, to_id, AssignmentReason.ASSIGNED, caller.actor_id, now
            )
        ],
    )


def _meaning(preference: Preference) -> list[object]:
    """Return what makes two preferences one; who says so and since when does not."""
    return [
        preference.kind.value,
        preference.value.casefold(),
        preference.finger or "",
        preference.size_system or "",
        preference.minimum_minor,
        preference.maximum_minor,
        preference.currency_code,
    ]


async def _unite_preferences(tx: Transaction, survivor: Client, other: Client) -> None:
    there = [_meaning(preference) for preference in survivor.preferences]
    ids = {preference.preference_id for preference in survivor.preferences}
    added = [
        preference
        if preference.preference_id not in ids
        else replace(preference, preference_id=new_id("prf"))
        for preference in other.preferences
        if _meaning(preference) not in there
    ]
    if added:
        await preference_store.set_preferences(tx, survivor.client_id, [*survivor.preferences, *added])


async def _part_preferences(
    tx: Transaction, current: Client, merged_id: str, snapshot: list[list[object]]
) -> None:
    own, theirs = snapshot
    merged = [preference_store.preference_of(*row) for row in theirs]  # type: ignore[misc]
    came = [meaning for preference in merged if (meaning := _meaning(preference)) not in own]
    staying = [preference for preference in current.preferences if _meaning(preference) not in came]
    if len(staying) != len(current.preferences):
        await preference_store.set_preferences(tx, current.client_id, staying)
    await preference_store.set_preferences(tx, merged_id, merged)
