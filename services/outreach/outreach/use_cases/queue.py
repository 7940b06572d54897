"""What an associate does with the queue: read it, put suggestions away, bring them back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from chassis import identities
from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import not_found
from chassis.paging import cut_page, decode_page_token, page_size_of
from outreach import events
from outreach.domain import Suggestion, SuggestionState, SuggestionSuperseded
from outreach.store import chains, suggestions


@dataclass(frozen=True)
class Days:
    """The day on the chain's wall, and the one its queue is for; they differ while an earlier day is replayed."""

    today: date
    queue_day: date


async def list_queue(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    associate_id: str,
    state: SuggestionState,
    page_size: int,
    page_token: str,
) -> tuple[list[Suggestion], str]:
    """Return a page of an associate's suggestions, best first, and the token of the next page.

    Associates read their own queue and those of their stores; others are refused (STORE_NOT_YOURS).
    """
    key = decode_page_token(page_token, float, str)
    size = page_size_of(page_size)
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        if caller.stores and caller.associate_id != associate_id:
            caller.require_store(await chains.store_of_associate(tx, associate_id))
        chain = await chains.get_chain(tx)
        found = await suggestions.list_queue(
            tx,
            associate_id,
            state=state,
            today=chain.today(now),
            queue_day=chain.queue_day(now),
            after=(float(key[0]), str(key[1])) if key else None,
            limit=size + 1,
        )
    page, token = cut_page(found, size, lambda suggestion: (suggestion.score, suggestion.suggestion_id))
    return list(page), token


async def get_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str
) -> Suggestion:
    """Return one suggestion. Raises SUGGESTION_NOT_FOUND and STORE_NOT_YOURS."""
    async with database.transaction(caller.chain_id) as tx:
        return await require_suggestion(tx, caller, suggestion_id, now=clock.now(), lock=False)


async def snooze_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str, until: date
) -> Suggestion:
    """Put a suggestion away until a day. Raises SNOOZE_NOT_AHEAD and SUGGESTION_CLOSED."""
    return await _change(
        database,
        clock,
        caller,
        suggestion_id,
        lambda found, days, now: found.snoozed(until, today=days.today, now=now),
    )


async def dismiss_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str, reason: str
) -> Suggestion:
    """Put a suggestion away for good and say so. Raises SUGGESTION_CLOSED."""
    return await _change(
        database, clock, caller, suggestion_id, lambda found, days, now: found.dismissed(reason, now=now)
    )


async def reopen_suggestion(
    *, database: Database, clock: Clock, caller: Caller, suggestion_id: str
) -> Suggestion:
    """Bring a suggestion back. Raises SUGGESTION_CLOSED, and SUGGESTION_SUPERSEDED when the client has a newer one."""
    return await _change(
        database,
        clock,
        caller,
        suggestion_id,
        lambda found, days, now: found.reopened(today=days.queue_day, now=now),
    )


async def require_suggestion(
    tx: Transaction, caller: Caller, suggestion_id: str, *, now: datetime, lock: bool
) -> Suggestion:
    """Return a suggestion that the caller may work with. Raises SUGGESTION_NOT_FOUND and STORE_NOT_YOURS."""
    chain = await chains.get_chain(tx)
    found = await suggestions.find_suggestion(
        tx, suggestion_id, today=chain.today(now), queue_day=chain.queue_day(now), lock=lock
    )
    if found is None:
        raise not_found("suggestion", suggestion_id)
    if caller.associate_id != found.associate_id or not caller.associate_id:
        caller.require_store(found.store_id)
    return found


async def _change(
    database: Database,
    clock: Clock,
    caller: Caller,
    suggestion_id: str,
    change: Callable[[Suggestion, Days, datetime], Suggestion],
) -> Suggestion:
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        await identities.hold(tx)
        found = await require_suggestion(tx, caller, suggestion_id, now=now, lock=True)
        chain = await chains.get_chain(tx)
        changed = change(found, Days(chain.today(now), chain.queue_day(now)), now)
        if changed is found:
            return found
        if found.state is SuggestionState.DISMISSED:
            newer = await suggestions.find_live(tx, found.client_id)
            if newer is not None:
                raise SuggestionSuperseded(suggestion_id, newer.suggestion_id)
            if not await suggestions.revive_suggestion(tx, changed):
                raise SuggestionSuperseded(suggestion_id, "")
            return changed
        await suggestions.save_suggestion(tx, changed)
        if changed.state is SuggestionState.DISMISSED:
            tx.publish(events.suggestion_dismissed(changed), entity_id=suggestion_id)
        return changed
