"""Record what clients buy."""

from collections.abc import Sequence
from datetime import date

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.clients import OccasionKind, require_source
from profiles.domain.pieces import Purchase, PurchaseLine, purchase_summary
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of, moment_of
from profiles.store import client_facts
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import purchases as store
from profiles.store import timeline as timeline_store


async def record_purchase(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    store_id: str,
    associate_id: str,
    purchased_on: date,
    currency_code: str,
    lines: Sequence[PurchaseLine],
    occasion_kind: OccasionKind | None,
    for_whom: str,
    source: str,
    external_id: str,
) -> Purchase:
    """Record what a client bought; a repeat by `key`, or by source and external id, returns the first one.

    Raises CLIENT_NOT_FOUND, STORE_NOT_FOUND, ASSOCIATE_NOT_FOUND and SOURCE_MISSING.
    """
    caller.require_store(store_id)
    require_source(source, external_id)
    async with database.transaction(caller.chain_id) as tx:
        purchase_id, is_repeat = await tx.once(key, new_id("pur"))
        if is_repeat:
            # Under that id nothing was written when the source's own id had named an older purchase.
            if external_id and (known := await store.find_purchase(tx, source, external_id)):
                return known
            return await store.get_purchase(tx, purchase_id)
        client_id = await client_store.keep_client(tx, client_id)
        place = await directory_store.get_store(tx, store_id)
        if associate_id:
            await directory_store.get_associate(tx, associate_id)
        now = clock.now()
        purchase = Purchase(
            purchase_id=purchase_id,
            client_id=client_id,
            store_id=store_id,
            associate_id=associate_id or caller.associate_id,
            purchased_on=purchased_on,
            currency_code=currency_code,
            lines=tuple(lines),
            occasion_kind=occasion_kind,
            for_whom=for_whom,
            source=source,
            external_id=external_id,
            created_at=now,
        )
        if (written := await store.add_purchase(tx, purchase)) != purchase_id:
            return await store.get_purchase(tx, written)
        summary = purchase_summary(
            purchase.quantity, purchase.total_minor, currency_code, digits_of(currency_code) or 0
        )
        await timeline_store.add_entries(
            tx,
            [
                Entry(
                    entry_id_of(purchase_id),
                    client_id,
                    TimelineKind.PURCHASE,
                    moment_of(purchased_on, place.time_zone, now=now),
                    summary,
                    purchase_id,
                )
            ],
        )
        await client_facts.refresh(tx, [client_id])
        tx.publish(events.purchase_recorded(purchase), entity_id=client_id)
        return purchase
