"""Record visits of known clients."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid
from chassis.ids import new_id
from profiles import events
from profiles.domain.clients import OccasionKind
from profiles.domain.pieces import NO_BUDGET, Budget, Visit, VisitItem, visit_summary
from profiles.domain.surprises import NO_SURPRISE, Surprise
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.store import client_facts
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import timeline as timeline_store
from profiles.store import visits as store
from profiles.store.surprises import keep_surprise

_CLOCKS_APART = timedelta(minutes=10)  # by which a phone on the floor may be ahead of us
_WESTERNMOST = timedelta(hours=12)  # behind UTC: where a day ends last


@dataclass(frozen=True, slots=True)
class VisitFields:
    """What was looked at, for whom, for what occasion and money, and when it is needed."""

    items: Sequence[VisitItem] = ()
    for_whom: str = ""
    needed_by: date | None = None
    note: str = ""
    occasion_kind: OccasionKind | None = None
    budget: Budget = NO_BUDGET
    companion: str = ""
    recipient_client_id: str = ""
    surprise: Surprise = NO_SURPRISE


async def record_visit(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    store_id: str,
    visited_at: datetime | None,
    fields: VisitFields,
) -> Visit:
    """Record a visit of a known client, now when `visited_at` is None. Raises CLIENT_NOT_FOUND and STORE_NOT_FOUND."""
    caller.require_store(store_id)
    if visited_at is not None and visited_at > clock.now() + _CLOCKS_APART:
        raise invalid("visit_time", "lies in the future")
    async with database.transaction(caller.chain_id) as tx:
        visit_id, is_repeat = await tx.once(key, new_id("vis"))
        if is_repeat:
            return await store.get_visit(tx, visit_id)
        client_id = await client_store.keep_client(tx, client_id)
        await directory_store.get_store(tx, store_id)
        return await add_visit(
            tx, caller, visit_id, client_id, store_id, visited_at or clock.now(), fields, clock=clock
        )


async def add_visit(
    tx: Transaction,
    caller: Caller,
    visit_id: str,
    client_id: str,
    store_id: str,
    visited_at: datetime,
    fields: VisitFields,
    *,
    clock: Clock,
) -> Visit:
    """Write a visit of a client whom the transaction holds, with its line, and say so.

    Raises CLIENT_NOT_FOUND for whom it is for and a surprise's client, and INVALID for a day before the visit.
    """
    if fields.needed_by and fields.needed_by < (visited_at.astimezone(UTC) - _WESTERNMOST).date():
        raise invalid("need_by_date", "is before the visit")
    recipient_id = fields.recipient_client_id
    if recipient_id:
        recipient_id = await client_store.keep_client(tx, recipient_id)
    visit = Visit(
        visit_id=visit_id,
        client_id=client_id,
        store_id=store_id,
        associate_id=caller.associate_id,
        visited_at=visited_at,
        items=tuple(fields.items),
        for_whom=fields.for_whom,
        needed_by=fields.needed_by,
        note=fields.note,
        created_at=clock.now(),
        occasion_kind=fields.occasion_kind,
        budget=fields.budget,
        companion=fields.companion,
        recipient_client_id=recipient_id,
        surprise=await keep_surprise(tx, fields.surprise),
    )
    await store.add_visit(tx, visit)
    await timeline_store.add_entries(
        tx,
        [
            Entry(
                entry_id_of(visit_id),
                client_id,
                TimelineKind.VISIT,
                visited_at,
                visit_summary(visit),
                visit_id,
                visit.surprise,
            )
        ],
    )
    await client_facts.refresh(tx, [client_id])
    tx.publish(events.visit_recorded(visit), entity_id=client_id)
    return visit
