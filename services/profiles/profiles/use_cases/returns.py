"""Record what comes back of a purchase."""

from collections.abc import Sequence
from datetime import date

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.pieces import return_summary
from profiles.domain.returns import (
    Return,
    ReturnLine,
    require_exchange,
    require_return_day,
    require_returnable,
)
from profiles.domain.timeline import Entry, TimelineKind, day_at, entry_id_of, moment_of
from profiles.store import client_facts
from profiles.store import directory as directory_store
from profiles.store import purchases as purchase_store
from profiles.store import returns as store
from profiles.store import timeline as timeline_store


async def record_return(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    purchase_id: str,
    store_id: str,
    returned_on: date,
    lines: Sequence[ReturnLine],
    currencies: Sequence[str],
    exchange_purchase_id: str,
    reason: str,
) -> Return:
    """Record that pieces came back; `currencies` are those of the lines' amounts, one each.

    Raises PURCHASE_NOT_FOUND for either purchase, STORE_NOT_FOUND, RETURN_BEFORE_PURCHASE, RETURN_EXCEEDS_PURCHASE,
    CURRENCY_MISMATCH, EXCHANGE_OF_ANOTHER_CLIENT and INVALID.
    """
    caller.require_store(store_id)
    async with database.transaction(caller.chain_id) as tx:
        return_id, is_repeat = await tx.once(key, new_id("ret"))
        if is_repeat:
            return await store.get_return(tx, return_id)
        place = await directory_store.get_store(tx, store_id)
        # What came back before must be known and stay so: nobody else returns of this purchase meanwhile.
        purchase = await purchase_store.lock_purchase(tx, purchase_id)
        now = clock.now()
        require_return_day(
            returned_on, purchased_on=purchase.purchased_on, today=day_at(place.time_zone, now=now)
        )
        require_returnable(purchase, lines, currencies, await store.returned_before(tx, purchase_id))
        if exchange_purchase_id:
            require_exchange(purchase, await purchase_store.get_purchase(tx, exchange_purchase_id))
        returned = Return(
            return_id=return_id,
            purchase_id=purchase_id,
            client_id=purchase.client_id,
            store_id=store_id,
            returned_on=returned_on,
            currency_code=purchase.currency_code,
            lines=tuple(lines),
            exchange_purchase_id=exchange_purchase_id,
            reason=reason,
            created_at=now,
        )
        await store.add_return(tx, returned)
        await timeline_store.add_entries(
            tx,
            [
                Entry(
                    entry_id_of(return_id),
                    purchase.client_id,
                    TimelineKind.RETURN,
                    moment_of(returned_on, place.time_zone, now=now),
                    return_summary(
                        returned.quantity,
                        returned.total_minor,
                        returned.currency_code,
                        digits_of(returned.currency_code) or 0,
                        is_exchange=bool(exchange_purchase_id),
                    ),
                    return_id,
                    purchase.surprise,
                )
            ],
        )
        await client_facts.refresh(tx, [purchase.client_id])
        tx.publish(events.return_recorded(returned), entity_id=purchase.client_id)
        return returned
