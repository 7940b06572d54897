"""What the waitlist listens to: purchases, for the ranking, and what becomes of clients.

Each has its one effect in the transaction of its receipt.
"""

from collections.abc import Iterable

from carnet.profiles.v1 import events_pb2 as profiles

from chassis.clock import Clock
from chassis.consumer import Delivery, Handlers, Subscription
from chassis.values import date_of
from waitlist.store import standings
from waitlist.store.standings import Standing
from waitlist.use_cases import clients


def subscriptions(clock: Clock) -> list[Subscription]:
    """Return what this service listens to; the handlers call no other service."""

    async def on_client_erased(delivery: Delivery[profiles.ClientErased]) -> None:
        event = delivery.event
        async with delivery.transaction() as tx:
            await clients.forget_client(
                tx,
                erasure_id=event.erasure_id,
                client_id=event.client_id,
                former_client_ids=event.former_client_ids,
                now=clock.now(),
            )

    handlers: Handlers = {
        profiles.PurchaseRecorded: on_purchase_recorded,
        profiles.ImportBatchLanded: on_import_batch_landed,
        profiles.ClientMerged: on_client_merged,
        profiles.ClientUnmerged: on_client_unmerged,
        profiles.ClientErased: on_client_erased,
    }
    return [Subscription("ranking", handlers)]


async def on_purchase_recorded(delivery: Delivery[profiles.PurchaseRecorded]) -> None:
    """Count one purchase."""
    await _count(delivery, [delivery.event.purchase])


async def on_import_batch_landed(delivery: Delivery[profiles.ImportBatchLanded]) -> None:
    """Count a batch of purchases with one statement."""
    await _count(delivery, delivery.event.purchases)


async def on_client_merged(delivery: Delivery[profiles.ClientMerged]) -> None:
    """Give a client's interests, offers and purchases to the survivor."""
    event = delivery.event
    async with delivery.transaction() as tx:
        await clients.merge_clients(
            tx, event.merge_id, surviving_id=event.client.client_id, merged_id=event.merged_client_id
        )


async def on_client_unmerged(delivery: Delivery[profiles.ClientUnmerged]) -> None:
    """Give them back."""
    event = delivery.event
    async with delivery.transaction() as tx:
        await clients.unmerge_clients(
            tx, event.merge_id, surviving_id=event.client.client_id, restored_id=event.restored.client_id
        )


async def _count(
    delivery: Delivery[profiles.PurchaseRecorded] | Delivery[profiles.ImportBatchLanded],
    purchases: Iterable[profiles.PurchaseFact],
) -> None:
    if not (added := standings_of(purchases)):
        delivery.ignore()
        return
    async with delivery.transaction() as tx:
        await standings.add_to(tx, added)


def standings_of(purchases: Iterable[profiles.PurchaseFact]) -> list[Standing]:
    """Sum purchases by client and currency. One below zero is a return: it lowers the total and is no purchase."""
    sums: dict[tuple[str, str], Standing] = {}
    for purchase in purchases:
        if not purchase.client_id:
            continue  # a walk-in without a profile
        key = (purchase.client_id, purchase.currency_code)
        sums[key] = _with(sums.get(key) or Standing(*key, 0, 0, None), purchase)
    return list(sums.values())


def _with(standing: Standing, purchase: profiles.PurchaseFact) -> Standing:
    is_return = purchase.total_minor < 0
    day = date_of(purchase.purchase_date, "purchase_date")
    last = standing.last_purchase_day
    return Standing(
        client_id=standing.client_id,
        currency=standing.currency,
        purchase_count=standing.purchase_count + (0 if is_return else 1),
        total_minor=standing.total_minor + purchase.total_minor,
        last_purchase_day=last if is_return else day if last is None else max(last, day),
    )
