"""Watch what is paid in cash, and see to the alerts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import chain
from zlib import crc32

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import invalid
from chassis.ids import new_id
from profiles import events
from profiles.domain.cash_watch import CashAlert, CashAlertState, CashFacts, CashPaid, facts_above
from profiles.domain.chain_settings import ChainSettings
from profiles.domain.payments import years_before
from profiles.store import audit
from profiles.store import cash_alerts as store
from profiles.store import chain_settings as settings_store
from profiles.store import clients as client_store
from profiles.store import payments as payment_store

_TURNS = 256


async def watch(tx: Transaction, client_ids: Sequence[str], *, now: datetime) -> list[CashAlert]:
    """Look at the cash of clients of whom something changed, and return the alerts that this raised.

    Call it last in the transaction that wrote payments of these clients, linked two of them, or made two of them one: a
    batch of an import with all its clients who paid in cash, at once. It reads the purchases with cash of the last two
    years of these clients and of those linked to them, and takes turns with whoever watches one of them.
    """
    client_ids = list(dict.fromkeys(client_ids))
    if not client_ids:
        return []
    links = await _take_turns(tx, client_ids)
    close = sorted(links.keys() | set().union(*links.values()))
    alerts = await store.lock_open_alerts(tx, close)
    if holders := sorted({alert.client_id for alert in alerts} - links.keys()):
        links |= await store.links_of(tx, holders)
    everybody = sorted(links.keys() | set().union(*links.values()))
    ends_from = years_before(now.date(), 1)
    paid = await payment_store.cash_of(tx, everybody, since=years_before(ends_from, 1))
    if not paid:
        return []
    settings = await settings_store.get_settings(tx)
    by_client: dict[str, list[CashPaid]] = {}
    for one in paid:
        by_client.setdefault(one.client_id, []).append(one)

    def of_group(client_id: str) -> list[CashPaid]:
        group = chain.from_iterable(by_client.get(one, ()) for one in {client_id} | links[client_id])
        return sorted(group, key=lambda one: (one.paid_on, one.recorded_at, one.purchase_id))

    open_ones = {
        (alert.client_id, alert.country): await _brought_up_to_date(
            tx, alert, of_group(alert.client_id), settings, ends_from
        )
        for alert in alerts
    }
    closed = await store.last_closed(tx, close)
    raised: list[CashAlert] = []
    for client_id, country in _by_last_payment(paid, client_ids):
        if (client_id, country) in open_ones:
            continue
        facts = _facts(
            client_id,
            of_group(client_id),
            country,
            settings,
            ends_from,
            closed_at=closed.get((client_id, country)),
        )
        if facts is None:
            continue
        payers = {client_id, *facts.linked_client_ids}
        if any(alert.covers(facts, payers) for alert in open_ones.values()):
            continue
        alert = _new_alert(client_id, country, facts, now=now)
        await store.add_alert(tx, alert)
        tx.publish(events.cash_alert_raised(alert), entity_id=alert.cash_alert_id)
        open_ones[client_id, country] = alert
        raised.append(alert)
    return raised


async def _take_turns(tx: Transaction, client_ids: Sequence[str]) -> dict[str, set[str]]:
    """Wait for whoever watches one of the clients or of those linked to them; return the links as they are then."""
    held: set[str] = set()
    while True:
        links = await store.links_of(tx, client_ids)
        # Somebody may have been linked while the others were waited for.
        wanted = {*client_ids}.union(*links.values()) - held
        if not wanted:
            return links
        await client_store.take_turns(tx, sorted({_turn_of(client_id) for client_id in wanted}))
        held |= wanted


def _turn_of(client_id: str) -> str:
    # Few names for many clients: an import may watch thousands at once, and Postgres has room for some thousand locks.
    return f"cash {crc32(client_id.encode()) % _TURNS}"


def _by_last_payment(paid: Sequence[CashPaid], client_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return the clients with the countries in which they paid, the last payment first: who reached a limit together
    with others is the one who paid last."""
    watched = set(client_ids)
    return list(
        dict.fromkeys((one.client_id, one.country) for one in reversed(paid) if one.client_id in watched)
    )


def _facts(
    client_id: str,
    paid: Sequence[CashPaid],
    country: str,
    settings: ChainSettings,
    ends_from: date,
    *,
    closed_at: datetime | None = None,
) -> CashFacts | None:
    limit = settings.cash_limit(country, date.max)
    if limit is None:
        return None
    return facts_above(
        client_id, paid, country=country, limit=limit, ends_from=ends_from, closed_at=closed_at
    )


async def _brought_up_to_date(
    tx: Transaction, alert: CashAlert, paid: Sequence[CashPaid], settings: ChainSettings, ends_from: date
) -> CashAlert:
    """Return an open alert with the facts of now; one that is not above the limit any more stays as it was raised."""
    facts = _facts(alert.client_id, paid, alert.country, settings, ends_from)
    if facts is None:
        return alert
    fresh = _with_facts(alert, facts)
    if fresh != alert:
        await store.save_facts(tx, alert.cash_alert_id, facts)
    return fresh


def _new_alert(client_id: str, country: str, facts: CashFacts, *, now: datetime) -> CashAlert:
    return CashAlert(
        cash_alert_id=new_id("csh"),
        client_id=client_id,
        store_id=facts.store_id,
        country=country,
        limit_minor=facts.limit.amount_minor,
        currency_code=facts.limit.currency_code,
        total_minor=facts.total_minor,
        payments=facts.payments,
        linked_client_ids=facts.linked_client_ids,
        start_on=facts.start_on,
        end_on=facts.end_on,
        state=CashAlertState.OPEN,
        created_at=now,
    )


def _with_facts(alert: CashAlert, facts: CashFacts) -> CashAlert:
    return replace(
        alert,
        limit_minor=facts.limit.amount_minor,
        currency_code=facts.limit.currency_code,
        total_minor=facts.total_minor,
        payments=facts.payments,
        linked_client_ids=facts.linked_client_ids,
        start_on=facts.start_on,
        end_on=facts.end_on,
    )


async def close_alert(
    *, database: Database, clock: Clock, caller: Caller, cash_alert_id: str, note: str
) -> CashAlert:
    """Say that somebody has looked. Raises CASH_ALERT_NOT_FOUND, CASH_ALERT_CLOSED and STORE_NOT_YOURS."""
    if not note.strip():
        raise invalid("note", "says nothing")
    async with database.transaction(caller.chain_id) as tx:
        alert = await store.lock_alert(tx, cash_alert_id)
        caller.require_store(alert.store_id)
        by, now = caller.associate_id or caller.actor_id, clock.now()
        await store.close_alert(tx, cash_alert_id, by=by, note=note.strip(), now=now)
        await audit.note(tx, caller, "CloseCashAlert", [alert.client_id], now=now, subject_id=cash_alert_id)
        return replace(
            alert, state=CashAlertState.CLOSED, closed_by=by, closing_note=note.strip(), closed_at=now
        )
