"""What people do with the queue: read it, put suggestions away, log contacts, hand on, bring back."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta

from chassis import identities
from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import not_found
from chassis.paging import cut_page, decode_page_token, page_size_of
from outreach import events
from outreach.domain import (
    AssociateLeft,
    ContactKind,
    Signal,
    Suggestion,
    SuggestionState,
    SuggestionSuperseded,
)
from outreach.store import chains, facts, queues, suggestions, touches
from outreach.store.chains import Chain
from outreach.store.queues import QueueCounts, View
from outreach.store.settings import get_settings
from outreach.store.suggestions import QueueDay
from outreach.store.touches import TouchRow
from outreach.use_cases import outcomes
from outreach.use_cases.facts import drop_contact, take_contact

_DONE_FOR = timedelta(days=30)
_TAKEN_BACK = (SuggestionState.DISMISSED, SuggestionState.LOGGED)


async def list_queue(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    associate_id: str,
    view: View,
    state: SuggestionState,
    signal: Signal | None,
    page_size: int,
    page_token: str,
) -> tuple[list[Suggestion], str]:
    """Return a page of what a view of an associate's queue holds, in its order, and the token of the next page.

    Associates read their own queue and those of their stores; others are refused (STORE_NOT_YOURS).
    """
    key = decode_page_token(page_token, float, str)
    size = page_size_of(page_size)
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        if caller.stores and caller.associate_id != associate_id:
            caller.require_store(await chains.store_of_associate(tx, associate_id))
        found = await queues.list_queue(
            tx,
            associate_id,
            view,
            await _queue_day(tx, await chains.get_chain(tx), now=now),
            state=state,
            signal=signal,
            done_since=now - _DONE_FOR,
            after=(float(key[0]), str(key[1])) if key else None,
            limit=size + 1,
        )
    page, token = cut_page(found, size, lambda one: (one.place, one.suggestion.suggestion_id))
    return [one.suggestion for one in page], token


async def list_queue_counts(
    *, database: Database, clock: Clock, caller: Caller, store_id: str, page_size: int, page_token: str
) -> tuple[Sequence[QueueCounts], int, str]:
    """Return how far the associates of a store, or of all that the caller may see, are; the goal; the next page.

    Raises STORE_NOT_YOURS for another store.
    """
    key = decode_page_token(page_token, str)
    size = page_size_of(page_size)
    now = clock.now()
    if store_id:
        caller.require_store(store_id)
    async with database.transaction(caller.chain_id) as tx:
        chain = await chains.get_chain(tx)
        goal = (await get_settings(tx)).daily_goal
        found = await queues.list_queue_counts(
            tx,
            await _queue_day(tx, chain, now=now),
            stores={store_id} if store_id else caller.stores,
            day_began_at=datetime.combine(chain.today(now), time(), tzinfo=chain.zone),
            after=str(key[0]) if key else "",
            limit=size + 1,
        )
    page, token = cut_page(found, size, lambda one: (one.associate_id,))
    return page, goal, token


async def get_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str
) -> Suggestion:
    """Return one suggestion. Raises SUGGESTION_NOT_FOUND and STORE_NOT_YOURS."""
    async with database.transaction(caller.chain_id) as tx:
        return await require_suggestion(tx, caller, suggestion_id, now=clock.now(), lock=False)


async def snooze_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str, until: date
) -> Suggestion:
    """Put a suggestion away until a day. Raises SNOOZE_NOT_AHEAD, SUGGESTION_CLOSED and SEND_UNDER_WAY."""
    return await _change(
        database,
        clock,
        caller,
        suggestion_id,
        lambda found, day, now: found.snoozed(until, today=day.today, now=now),
    )


async def dismiss_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str, reason: str
) -> Suggestion:
    """Put a suggestion away for good and say so. Raises SUGGESTION_CLOSED and SEND_UNDER_WAY."""
    return await _change(
        database, clock, caller, suggestion_id, lambda found, day, now: found.dismissed(reason, now=now)
    )


async def log_contact(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    suggestion_id: str,
    kind: ContactKind,
    note: str,
    contacted_at: datetime | None,
) -> Suggestion:
    """Note a contact outside messaging, and say so; the same again changes nothing.

    Raises SUGGESTION_CLOSED, SEND_UNDER_WAY, and FIELD_INVALID for a time ahead or before there was a suggestion.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        found = await _require_with_client(tx, caller, suggestion_id, now=now)
        logged = found.logged(kind, note, contacted_at, now=now)
        if logged is found or logged.contacted_at is None:
            return found
        await suggestions.save_suggestion(tx, logged)
        touch_id = touches.touch_of_suggestion(suggestion_id)
        await take_contact(
            tx, touch_id, logged.client_id, kind=kind, contacted_at=logged.contacted_at, now=now
        )
        touch = TouchRow(
            touch_id=touch_id,
            client_id=logged.client_id,
            # Who was in touch, which may be a colleague who covers for the owner.
            associate_id=caller.associate_id or logged.associate_id,
            store_id=logged.store_id,
            channel=kind,
            touched_at=logged.contacted_at,
            signals=logged.signals,
            suggestion_id=suggestion_id,
        )
        await outcomes.take_touch(tx, touch, now=now)
        tx.publish(events.suggestion_logged(logged), entity_id=suggestion_id)
        return logged


async def reassign_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str, associate_id: str
) -> Suggestion:
    """Give a suggestion to another associate; rankings leave it there while it is live.

    Given to the one in whose book the client is, it is as if it had never been handed on. Raises ASSOCIATE_NOT_FOUND,
    ASSOCIATE_LEFT, STORE_NOT_YOURS for a suggestion or an associate of another store, SUGGESTION_CLOSED and
    SEND_UNDER_WAY.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        await identities.hold(tx)
        found = await require_suggestion(tx, caller, suggestion_id, now=now, lock=True)
        caller.require_store(found.store_id)
        associate = await chains.find_associate(tx, associate_id)
        if associate is None:
            raise not_found("associate", associate_id)
        store_id, is_active = associate
        caller.require_store(store_id)
        if not is_active:
            raise AssociateLeft(associate_id)
        owner_id = await queues.owner_of_client(tx, found.client_id)
        handed = found.handed_on(associate_id, by=caller.actor_id, is_owner=associate_id == owner_id, now=now)
        if handed is not found:
            await suggestions.save_suggestion(tx, handed)
        return handed


async def reopen_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str
) -> Suggestion:
    """Bring a suggestion back; a logged contact is taken back with it.

    Raises SUGGESTION_CLOSED, and SUGGESTION_SUPERSEDED when the client has a newer one.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        found = await _require_with_client(tx, caller, suggestion_id, now=now)
        day = await _queue_day(tx, await chains.get_chain(tx), now=now)
        reopened = found.reopened(today=day.queue_day, now=now)
        if reopened is found:
            return found
        if found.state not in _TAKEN_BACK:
            await suggestions.save_suggestion(tx, reopened)
            return reopened
        newer = await suggestions.find_live(tx, found.client_id)
        if newer is not None:
            raise SuggestionSuperseded(suggestion_id, newer.suggestion_id)
        if not await suggestions.revive_suggestion(tx, reopened):
            raise SuggestionSuperseded(suggestion_id, "")
        if found.state is SuggestionState.LOGGED:
            touch_id = touches.touch_of_suggestion(suggestion_id)
            await outcomes.take_back(tx, touch_id, now=now)
            await drop_contact(tx, touch_id, now=now)
        return reopened


async def require_suggestion(
    tx: Transaction, caller: Caller, suggestion_id: str, *, now: datetime, lock: bool
) -> Suggestion:
    """Return a suggestion that the caller may work with. Raises SUGGESTION_NOT_FOUND and STORE_NOT_YOURS."""
    day = await _queue_day(tx, await chains.get_chain(tx), now=now)
    found = await suggestions.find_suggestion(tx, suggestion_id, day, lock=lock)
    if found is None:
        raise not_found("suggestion", suggestion_id)
    if caller.associate_id != found.associate_id or not caller.associate_id:
        caller.require_store(found.store_id)
    return found


async def _require_with_client(
    tx: Transaction, caller: Caller, suggestion_id: str, *, now: datetime
) -> Suggestion:
    """Return a suggestion locked, and its client before it: who writes both does so in this order everywhere."""
    await identities.hold(tx)
    found = await require_suggestion(tx, caller, suggestion_id, now=now, lock=False)
    await facts.lock_clients(tx, [found.client_id], now=now)
    return await require_suggestion(tx, caller, suggestion_id, now=now, lock=True)


async def _queue_day(tx: Transaction, chain: Chain, *, now: datetime) -> QueueDay:
    today = chain.today(now)
    overdue_days = (await get_settings(tx)).overdue_days
    return QueueDay(
        today=today,
        zone=chain.zone.key,
        queue_day=chain.queue_day(now),
        overdue_before=today - timedelta(days=overdue_days),
    )


async def _change(
    database: Database,
    clock: Clock,
    caller: Caller,
    suggestion_id: str,
    change: Callable[[Suggestion, QueueDay, datetime], Suggestion],
) -> Suggestion:
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        await identities.hold(tx)
        found = await require_suggestion(tx, caller, suggestion_id, now=now, lock=True)
        day = await _queue_day(tx, await chains.get_chain(tx), now=now)
        changed = change(found, day, now)
        if changed is found:
            return found
        await suggestions.save_suggestion(tx, changed)
        if changed.state is SuggestionState.DISMISSED:
            tx.publish(events.suggestion_dismissed(changed), entity_id=suggestion_id)
        return changed
