"""Forget a client: say what would go, do it, take the receipts, delete what a statute kept once its time is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from profiles import events
from profiles.domain.chain_settings import ChainSettings
from profiles.domain.clients import Client
from profiles.domain.erasures import (
    CASH_RECORD_YEARS,
    SUPPRESSIONS_BASIS,
    Erasure,
    ErasureState,
    HasOpenRepairs,
    Receipt,
    Retention,
    a_month_after,
    years_after,
    years_before,
)
from profiles.store import audit, privacy_jobs, suppressions
from profiles.store import changes as change_store
from profiles.store import client_records as records_store
from profiles.store import clients as client_store
from profiles.store import erasures as store
from profiles.store.chain_settings import get_settings
from profiles.store.privacy_jobs import Job, JobKind
from profiles.suppression import SuppressedKind, Suppressor
from profiles.telemetry import ERASURES_OVERDUE, PURCHASES_EXPIRED
from profiles.use_cases.clients import save_change

_BATCH_PURCHASES = 500
# What was under way while the client was erased, such as a batch of an import, has long ended by then.
_FIRST_LOOK = timedelta(hours=1)
# Whatever a setting changes meanwhile, a kept record is looked at again after so long.
_LOOK_AGAIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an erasure removes of this service's own rows, by section, and what it keeps."""

    erased: dict[str, int]
    retained: list[Retention]
    open_repair_ids: list[str]


async def preview_erasure(
    *, database: Database, clock: Clock, suppressor: Suppressor, caller: Caller, client_id: str
) -> Plan:
    """Return what erase_client would do now. Raises CLIENT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        client = await client_store.get_client(tx, client_id)
        ids = await _all_ids(tx, client.client_id)
        await audit.note(tx, caller, "PreviewErasure", [client.client_id], now=clock.now())
        contacts = await store.consented_contacts(tx, ids)
        hashes = await _suppressed(tx, suppressor, client, ids, contacts)
        return await _plan(tx, ids, suppressed=len(hashes))


async def erase_client(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    reason: str,
    is_forced: bool,
) -> Erasure:
    """Forget a client, or return the erasure that is there. Raises CLIENT_NOT_FOUND and CLIENT_HAS_OPEN_REPAIRS."""
    async with database.transaction(caller.chain_id) as tx:
        # Only guards against an id that is used for two requests: whoever asks again finds the erasure by the client.
        erasure_id, _ = await tx.once(key, new_id("era"))
        if (there := await store.find_erasure_of(tx, client_id)) is not None:
            return there
        try:
            client, others = await _lock(tx, client_id)
        except ServiceError as error:
            there = await store.find_erasure_of(
                tx, client_id
            )  # somebody else's call has just erased the client
            if error.kind is not Kind.NOT_FOUND or there is None:
                raise
            return there
        ids = await _all_ids(tx, client.client_id)
        contacts = await store.consented_contacts(tx, ids)
        hashes = await _suppressed(tx, suppressor, client, ids, contacts)
        plan = await _plan(tx, ids, suppressed=len(hashes))
        if plan.open_repair_ids and not is_forced:
            raise HasOpenRepairs(client.client_id, plan.open_repair_ids)
        now = clock.now()
        erasure = Erasure(
            erasure_id=erasure_id,
            client_id=client.client_id,
            former_client_ids=tuple(one for one in ids if one != client.client_id),
            state=ErasureState.RUNNING,
            reason=reason,
            actor=caller.associate_id or caller.actor_id,
            created_at=now,
            due_at=a_month_after(now),
        )
        await store.add_erasure(tx, erasure)
        await suppressions.add(tx, hashes, erasure_id=erasure_id, now=now)
        await _forget(tx, suppressor, erasure, contacts, now=now)
        for other in others:
            await save_change(tx, other, clock=clock)
        await store.add_receipt(tx, erasure_id, Receipt("profiles", now, plan.erased, plan.retained))
        await privacy_jobs.add(tx, JobKind.ERASURE, erasure_id, due_at=erasure.due_at)
        await privacy_jobs.add(tx, JobKind.RETENTION, erasure_id, due_at=now + _FIRST_LOOK)
        await change_store.add_removal(tx, client.client_id)
        await audit.note(tx, caller, "EraseClient", [client.client_id], now=now, subject_id=erasure_id)
        tx.publish(events.client_erased(erasure), entity_id=client.client_id)
        return await store.get_erasure(tx, erasure_id)


async def take_receipt(tx: Transaction, erasure_id: str, receipt: Receipt) -> None:
    """Put a service's receipt to its erasure, which is completed with the last one; nothing for an unknown erasure."""
    if await store.lock_erasure(tx, erasure_id) is None:
        return
    await store.add_receipt(tx, erasure_id, receipt)
    erasure = await store.get_erasure(tx, erasure_id)
    if erasure.state is ErasureState.RUNNING and erasure.is_all_in:
        await store.complete(tx, erasure_id, now=receipt.received_at)
        await privacy_jobs.remove(tx, JobKind.ERASURE, erasure_id)


async def count_overdue(*, database: Database, clock: Clock) -> None:
    """Tell the metrics how many erasures lack a receipt after their time."""
    ERASURES_OVERDUE.set(await privacy_jobs.count_overdue(database, JobKind.ERASURE, now=clock.now()))


async def delete_expired(*, database: Database, clock: Clock) -> int:
    """Delete what was kept of erased clients and has had its time; return how many purchases went."""
    deleted = 0
    while job := await privacy_jobs.take(database, JobKind.RETENTION, now=clock.now()):
        deleted += await _delete_expired_of(job, database=database, clock=clock)
    return deleted


async def _delete_expired_of(job: Job, *, database: Database, clock: Clock) -> int:
    deleted, batch = 0, _BATCH_PURCHASES
    while batch == _BATCH_PURCHASES:
        async with database.transaction(job.chain_id) as tx:
            now = clock.now()
            today = now.astimezone(UTC).date()
            erasure = await store.get_erasure(tx, job.subject_id)
            ids = [erasure.client_id, *erasure.former_client_ids]
            settings = await get_settings(tx)
            batch = await store.delete_old_purchases(
                tx, ids, years_before(today, settings.purchase_retention_years), limit=_BATCH_PURCHASES
            )
            deleted += batch
            if batch < _BATCH_PURCHASES:
                await store.delete_old_cash_alerts(tx, ids, years_before(today, CASH_RECORD_YEARS))
                # Also what came since: a line about a forced client's repair, and the repair once it is collected.
                await records_store.forget_all(tx, ids)
                await _look_again(tx, job, ids, settings, now=now)
    PURCHASES_EXPIRED.inc(deleted)
    return deleted


async def _look_again(
    tx: Transaction, job: Job, ids: Sequence[str], settings: ChainSettings, *, now: datetime
) -> None:
    purchase, alert = await store.oldest_kept(tx, ids)
    has_repairs = bool(await store.open_repairs(tx, ids))
    if purchase is None and alert is None and not has_repairs:
        await privacy_jobs.remove(tx, JobKind.RETENTION, job.subject_id)
        return
    ends = [now + (timedelta(days=1) if has_repairs else _LOOK_AGAIN)]
    if purchase is not None:
        ends.append(_midnight(years_after(purchase, settings.purchase_retention_years)))
    if alert is not None:
        ends.append(_midnight(years_after(alert, CASH_RECORD_YEARS)))
    await privacy_jobs.add(
        tx, JobKind.RETENTION, job.subject_id, due_at=max(min(ends), now + timedelta(days=1))
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def _lock(tx: Transaction, client_id: str) -> tuple[Client, list[Client]]:
    """Return the client and those who are related to the client, all locked in one order."""
    client = await client_store.get_client(tx, client_id)
    related = {one.related_client_id for one in client.relationships if one.related_client_id}
    locked, *others = await client_store.lock_clients(tx, [client.client_id, *sorted(related)])
    return locked, others


async def _all_ids(tx: Transaction, client_id: str) -> list[str]:
    return [client_id, *await store.former_ids(tx, client_id)]


async def _plan(tx: Transaction, ids: Sequence[str], *, suppressed: int) -> Plan:
    erased: dict[str, int] = {}
    retained: list[Retention] = []
    for counted in await records_store.count_all(tx, ids):
        table = counted.table
        section = table.section or table.name
        if table.name == "clients":
            erased[section] = counted.total
            continue
        if gone := counted.total - counted.stay:
            erased[section] = gone
        # What hangs on a kept record is part of it.
        if counted.stay and not table.parent:
            until = await _keep_until(tx, table.name, ids)
            retained.append(Retention(section, table.basis, counted.stay, until))
    if suppressed:
        retained.append(Retention("suppressions", SUPPRESSIONS_BASIS, suppressed))
    return Plan(erased, retained, await store.open_repairs(tx, ids))


async def _keep_until(tx: Transaction, table: str, ids: Sequence[str]) -> date | None:
    if table == "purchases" and (day := await store.newest_purchase(tx, ids)) is not None:
        return years_after(day, (await get_settings(tx)).purchase_retention_years)
    if table == "cash_alerts" and (day := await store.newest_cash_alert(tx, ids)) is not None:
        return years_after(day, CASH_RECORD_YEARS)
    return None


async def _suppressed(
    tx: Transaction,
    suppressor: Suppressor,
    client: Client,
    ids: Sequence[str],
    contacts: Sequence[store.ConsentedContact],
) -> dict[bytes, SuppressedKind]:
    """Return the hashes by which the client is to be known; not of a number that a living client has as well."""
    values = {(store.KIND_OF_CONTACT[point.kind], point.match_key) for point in client.contact_points}
    values |= {(one.kind, one.value.lower()) for one in contacts}
    shared = await store.contacts_of_others(tx, ids, [value for _, value in values])
    return suppressor.hashes_of(
        tx.chain_id,
        phones=[value for kind, value in values if kind is SuppressedKind.PHONE and value not in shared],
        emails=[value for kind, value in values if kind is SuppressedKind.EMAIL and value not in shared],
        external_ids=await store.external_ids(tx, ids),
    )


async def _forget(
    tx: Transaction,
    suppressor: Suppressor,
    erasure: Erasure,
    contacts: Sequence[store.ConsentedContact],
    *,
    now: datetime,
) -> None:
    ids = [erasure.client_id, *erasure.former_client_ids]
    await store.forget_consent_contacts(
        tx, {one.consent_id: suppressor.hash_of(tx.chain_id, one.kind, one.value) for one in contacts}
    )
    await store.delete_days_of_related(tx, ids)
    # First of all nobody sees the client any more: what triggers make anew of other rows would find it otherwise.
    columns = await store.client_columns(tx)
    await store.bury(tx, erasure.client_id, sorted(set(columns) - records_store.TOMBSTONE_COLUMNS), now=now)
    await records_store.forget_all(tx, ids)
