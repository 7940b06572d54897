"""Keep wishlists, and say what became of wishes."""

from dataclasses import replace
from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid
from chassis.ids import new_id
from profiles import events
from profiles.domain.pieces import Piece
from profiles.domain.surprises import NO_SURPRISE, Surprise
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.domain.wishes import Outcome, Wish, outcome_summary, require_outcome, wish_summary
from profiles.store import audit
from profiles.store import clients as client_store
from profiles.store import surprises as surprise_store
from profiles.store import timeline as timeline_store
from profiles.store import wishes as store


async def create_wish(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    piece: Piece,
    note: str,
    for_whom: str,
) -> Wish:
    """Put a piece on a client's wishlist.

    Raises CLIENT_NOT_FOUND, and WISH_NOT_FOUND for a repeat after it was removed.
    """
    async with database.transaction(caller.chain_id) as tx:
        wish_id, is_repeat = await tx.once(key, new_id("wsh"))
        if is_repeat:
            return await store.get_wish(tx, wish_id)
        wish = Wish(
            wish_id=wish_id,
            client_id=await client_store.keep_client(tx, client_id),
            piece=piece,
            note=note,
            for_whom=for_whom,
            created_at=clock.now(),
        )
        await store.add_wish(tx, wish)
        await timeline_store.add_entries(tx, [_line(wish)])
        tx.publish(events.wish_added(wish), entity_id=wish_id)
        return wish


async def list_wishes(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    client_id: str,
    include_surprises: bool,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Wish]:
    """Return a client's wishes, newest first; what was granted as a surprise looks open, unless it is asked for.

    Raises CLIENT_NOT_FOUND.
    """
    async with database.transaction(caller.chain_id) as tx:
        viewer = await surprise_store.get_viewer(tx, client_id, now=clock.now())
        await audit.note(tx, caller, "ListWishes", [viewer.client_id], now=clock.now())
        found = await store.list_wishes(tx, viewer.client_id, before=before, limit=limit)
    return found if include_surprises else [wish.as_the_client_may_see_it(viewer.today) for wish in found]


async def set_wish_state(
    *, database: Database, clock: Clock, caller: Caller, wish_id: str, outcome: Outcome, etag: str
) -> Wish:
    """Say what became of a wish; harmless when it is said already.

    Raises WISH_NOT_FOUND, WISH_CHANGED, CLIENT_NOT_FOUND and INVALID for what fits no state.
    """
    require_outcome(outcome)
    async with database.transaction(caller.chain_id) as tx:
        wish = await store.get_wish(tx, wish_id, lock=True)
        wish.require_etag(etag)
        now = clock.now()
        await audit.note(tx, caller, "SetWishState", [wish.client_id], now=now, subject_id=wish_id)
        if outcome.bought_by_client_id:
            giver_id = await client_store.keep_client(tx, outcome.bought_by_client_id)
            if giver_id == wish.client_id:
                raise invalid("bought_by_client_id", "is the client whose wish it is: say BOUGHT")
            outcome = replace(outcome, bought_by_client_id=giver_id)
        if outcome == wish.outcome:
            return wish
        changed = replace(wish, outcome=outcome, version=wish.version + 1)
        await store.save_wish(tx, changed)
        await _tell(tx, changed, now=now)
        tx.publish(events.wish_changed(changed), entity_id=wish_id)
        return changed


async def delete_wish(*, database: Database, clock: Clock, caller: Caller, wish_id: str) -> None:
    """Take a wish off the list, and its lines off the timeline. Raises WISH_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        wish = await store.get_wish(tx, wish_id, lock=True)
        await audit.note(tx, caller, "DeleteWish", [wish.client_id], now=clock.now(), subject_id=wish_id)
        await timeline_store.remove_entries(tx, wish.client_id, TimelineKind.WISH, wish_id)
        await store.delete_wish(tx, wish_id)
        tx.publish(events.wish_removed(wish), entity_id=wish_id)


def _line(wish: Wish) -> Entry:
    return Entry(
        entry_id_of(wish.wish_id),
        wish.client_id,
        TimelineKind.WISH,
        wish.created_at,
        wish_summary(wish.piece),
        wish.wish_id,
    )


async def _tell(tx: Transaction, wish: Wish, *, now: datetime) -> None:
    # What was said before is taken back: "wanted again" would tell of a gift that came to nothing.
    await timeline_store.remove_entries(tx, wish.client_id, TimelineKind.WISH, wish.wish_id)
    lines = [_line(wish)]
    if summary := outcome_summary(wish.outcome.state):
        is_surprise = wish.outcome.is_surprise
        lines.append(
            Entry(
                f"{entry_id_of(wish.wish_id)}_outcome",
                wish.client_id,
                TimelineKind.WISH,
                now,
                summary,
                wish.wish_id,
                Surprise(wish.client_id, wish.outcome.ends_on) if is_surprise else NO_SURPRISE,
            )
        )
    await timeline_store.add_entries(tx, lines)
