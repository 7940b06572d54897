"""Save filters, and say whom they find."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from profiles.domain.segments import (
    Lifecycle,
    Segment,
    SegmentClient,
    SegmentFilter,
    Thresholds,
    require_filter,
)
from profiles.store import audit, chain_settings
from profiles.store import directory as directory_store
from profiles.store import segments as store


async def create_segment(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    display_name: str,
    wanted: SegmentFilter,
) -> Segment:
    """Save a filter. Raises SEGMENT_EMPTY and SEGMENT_NAME_TAKEN."""
    require_filter(wanted)
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        segment_id, is_repeat = await tx.once(key, new_id("seg"))
        if is_repeat:
            return await store.get_segment(tx, segment_id)
        segment = Segment(segment_id, display_name.strip(), wanted, 1, now, now)
        await store.add_segment(tx, segment)
        return segment


async def update_segment(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    segment_id: str,
    display_name: str,
    wanted: SegmentFilter,
    etag: str,
) -> Segment:
    """Change name and filter. Raises SEGMENT_NOT_FOUND, SEGMENT_CHANGED, SEGMENT_EMPTY and SEGMENT_NAME_TAKEN."""
    require_filter(wanted)
    async with database.transaction(caller.chain_id) as tx:
        segment = await store.get_segment(tx, segment_id, lock=True)
        segment.require_etag(etag)
        changed = replace(
            segment,
            display_name=display_name.strip(),
            filter=wanted,
            version=segment.version + 1,
            updated_at=clock.now(),
        )
        await store.save_segment(tx, changed)
        return changed


async def count_segment(
    *, database: Database, clock: Clock, caller: Caller, segment_id: str
) -> Mapping[Lifecycle, int]:
    """Count a segment's clients by lifecycle. Raises SEGMENT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        segment = await store.get_segment(tx, segment_id)
        return await store.count_clients(tx, segment.filter, await _thresholds(tx, clock))


async def list_segment_clients(
    *, database: Database, clock: Clock, caller: Caller, segment_id: str, before: str, limit: int
) -> Sequence[SegmentClient]:
    """Return a segment's clients, newest first. Raises SEGMENT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        segment = await store.get_segment(tx, segment_id)
        found = await store.list_clients(
            tx, segment.filter, await _thresholds(tx, clock), before=before, limit=limit
        )
        await audit.note(tx, caller, "ListSegmentClients", [one.client_id for one in found], now=clock.now())
        return found


async def preview_segment(
    *, database: Database, clock: Clock, caller: Caller, wanted: SegmentFilter, limit: int
) -> tuple[Mapping[Lifecycle, int], Sequence[SegmentClient]]:
    """Say whom a filter would find: the counts and the first clients. Raises SEGMENT_EMPTY."""
    require_filter(wanted)
    async with database.transaction(caller.chain_id) as tx:
        thresholds = await _thresholds(tx, clock)
        first = await store.list_clients(tx, wanted, thresholds, before="", limit=limit)
        await audit.note(tx, caller, "PreviewSegment", [one.client_id for one in first], now=clock.now())
        return await store.count_clients(tx, wanted, thresholds), first


async def _thresholds(tx: Transaction, clock: Clock) -> Thresholds:
    chain = await directory_store.get_chain(tx, tx.chain_id)
    today = clock.now().astimezone(ZoneInfo(chain.time_zone)).date()
    return Thresholds.of(await chain_settings.get_settings(tx), today)
