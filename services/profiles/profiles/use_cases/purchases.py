"""Record what clients buy, and read it again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain.clients import OccasionKind, require_source
from profiles.domain.directory import Store
from profiles.domain.payments import CASH_KINDS, Payment, PaymentKind, PurchaseInFuture, require_payments
from profiles.domain.pieces import Purchase, PurchaseLine, purchase_summary
from profiles.domain.surprises import NO_SURPRISE, Surprise
from profiles.domain.timeline import Entry, TimelineKind, day_at, entry_id_of, moment_of
from profiles.store import client_facts
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import purchases as store
from profiles.store import timeline as timeline_store
from profiles.store.payments import PaidPart, add_payments
from profiles.store.surprises import keep_surprise
from profiles.use_cases.cash_watch import watch


@dataclass(frozen=True, slots=True)
class PurchaseFields:
    """What was bought, how it was paid and for whom; `payment_currencies` are those of the payments, one each."""

    currency_code: str
    lines: Sequence[PurchaseLine]
    payments: Sequence[Payment] = ()
    payment_currencies: Sequence[str] = ()
    occasion_kind: OccasionKind | None = None
    for_whom: str = ""
    recipient_client_id: str = ""
    surprise: Surprise = NO_SURPRISE


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
    fields: PurchaseFields,
    source: str,
    external_id: str,
) -> Purchase:
    """Record what a client bought; a repeat by `key`, or by source and external id, returns the first one.

    Raises CLIENT_NOT_FOUND for any of the clients named, STORE_NOT_FOUND, ASSOCIATE_NOT_FOUND, SOURCE_MISSING,
    PURCHASE_IN_FUTURE, and what require_payments raises.
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
            currency_code=fields.currency_code,
            lines=tuple(fields.lines),
            occasion_kind=fields.occasion_kind,
            for_whom=fields.for_whom,
            source=source,
            external_id=external_id,
            created_at=now,
            payments=tuple(fields.payments),
        )
        today = day_at(place.time_zone, now=now)
        if purchased_on > today:
            raise PurchaseInFuture("purchase_date")
        require_payments(
            purchase.payments,
            fields.payment_currencies,
            total_minor=purchase.total_minor,
            currency_code=purchase.currency_code,
            purchased_on=purchased_on,
            today=today,
        )
        if fields.recipient_client_id:
            recipient_id = await client_store.keep_client(tx, fields.recipient_client_id)
            purchase = replace(purchase, recipient_client_id=recipient_id)
        purchase = replace(purchase, surprise=await keep_surprise(tx, fields.surprise))
        if (written := await store.add_purchase(tx, purchase)) != purchase_id:
            return await store.get_purchase(tx, written)
        await timeline_store.add_entries(tx, _entries(purchase, place))
        await client_facts.refresh(tx, [client_id])
        tx.publish(events.purchase_recorded(purchase), entity_id=client_id)
        if any(payment.kind in CASH_KINDS for payment in purchase.payments):
            await watch(tx, [client_id], now=now)
        return purchase


async def record_payment(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    purchase_id: str,
    kind: PaymentKind,
    amount_minor: int,
    currency_code: str,
    paid_on: date | None,
) -> Purchase:
    """Record a payment that came later, today when `paid_on` is None, and return the purchase with it.

    Raises PURCHASE_NOT_FOUND, and what require_payments raises.
    """
    async with database.transaction(caller.chain_id) as tx:
        _, is_repeat = await tx.once(key, purchase_id)
        if is_repeat:
            return await store.get_purchase(tx, purchase_id)
        purchase = await store.lock_purchase(tx, purchase_id)
        caller.require_store(purchase.store_id)
        place = await directory_store.get_store(tx, purchase.store_id)
        now = clock.now()
        today = day_at(place.time_zone, now=now)
        payment = Payment(kind, amount_minor, paid_on or today)
        require_payments(
            [payment],
            [currency_code],
            fields=["payment"],
            paid_before_minor=sum(before.amount_minor for before in purchase.payments),
            total_minor=purchase.total_minor,
            currency_code=purchase.currency_code,
            purchased_on=purchase.purchased_on,
            today=today,
        )
        part = PaidPart(purchase_id, len(purchase.payments), kind.value, amount_minor, payment.paid_on)
        await add_payments(tx, [part], now=now)
        if kind in CASH_KINDS:
            await watch(tx, [purchase.client_id], now=now)
        return replace(purchase, payments=(*purchase.payments, payment))


def _entries(purchase: Purchase, place: Store) -> list[Entry]:
    """Return the line of who bought and, when it was for another client, that of whom it was for."""
    moment = moment_of(purchase.purchased_on, place.time_zone, now=purchase.created_at)
    summary = purchase_summary(
        purchase.quantity,
        purchase.total_minor,
        purchase.currency_code,
        digits_of(purchase.currency_code) or 0,
    )
    bought = Entry(
        entry_id_of(purchase.purchase_id),
        purchase.client_id,
        TimelineKind.PURCHASE,
        moment,
        summary,
        purchase.purchase_id,
        purchase.surprise,
    )
    if purchase.recipient_client_id in ("", purchase.client_id):
        return [bought]
    # An id of its own: when the two are merged, both lines stand on one timeline.
    given = replace(
        bought,
        entry_id=f"{bought.entry_id}_given",
        client_id=purchase.recipient_client_id,
        summary="Was given a present",
    )
    return [bought, given]
