"""Facts of clients as events bring them: each write is harmless when repeated and holds in any order."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.database import Transaction


@dataclass(frozen=True)
class ClientRow:
    """A client as an event of profiles says; occasions are (kind, year or 0, month, day)."""

    client_id: str
    associate_id: str
    store_id: str
    language: str
    time_zone: str
    occasions: tuple[tuple[int, int, int, int], ...]
    version: int


@dataclass(frozen=True)
class PurchaseRow:
    """A purchase as an event of profiles says."""

    purchase_id: str
    client_id: str
    purchase_day: date
    total_minor: int
    currency: str


@dataclass(frozen=True)
class FactsSummary:
    """How much has arrived."""

    clients: int
    purchases: int
    visits: int
    open_suggestions: int
    newest_event_at: datetime | None


async def put_clients(tx: Transaction, clients: Sequence[ClientRow], *, now: datetime) -> None:
    """Take over clients; one that is newer here stays as it is, and a deleted one does not come back."""
    newest = {client.client_id: client for client in sorted(clients, key=lambda client: client.version)}
    rows = [newest[client_id] for client_id in sorted(newest)]
    connection = await tx.driver()
    await connection.execute(
        """
        insert into clients (chain_id, client_id, associate_id, store_id, language, time_zone, occasions, version,
        touched_at) select $1, u.client_id, u.associate_id, u.store_id, u.language, u.time_zone, u.occasions::jsonb,
        u.version, $2 from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
            as u (client_id, associate_id, store_id, language, time_zone, occasions, version)
        on conflict (chain_id, client_id) do update set
            associate_id = excluded.associate_id, store_id = excluded.store_id, language = excluded.language,
            time_zone = excluded.time_zone, occasions = excluded.occasions, version = excluded.version,
            touched_at = excluded.touched_at
        where excluded.version > clients.version and not clients.is_deleted
        """,
        tx.chain_id,
        now,
        [row.client_id for row in rows],
        [row.associate_id for row in rows],
        [row.store_id for row in rows],
        [row.language for row in rows],
        [row.time_zone for row in rows],
        [json.dumps(row.occasions) for row in rows],
        [row.version for row in rows],
    )


async def lock_clients(tx: Transaction, client_ids: Sequence[str], *, now: datetime) -> set[str]:
    """Hold clients until the commit, made up from their ids where they are not known yet; leaves out deleted ones.

    Notes that something about them changed: a ranking that began earlier says nothing about them any more.
    """
    connection = await tx.driver()
    rows = await connection.fetch(
        "insert into clients (chain_id, client_id, touched_at) select $1, u, $2 from unnest($3::text[]) as u"
        " on conflict (chain_id, client_id) do update set touched_at = excluded.touched_at where not clients.is_deleted"
        " returning client_id",
        tx.chain_id,
        now,
        sorted(set(client_ids)),
    )
    return {row[0] for row in rows}


async def add_purchases(tx: Transaction, purchases: Sequence[PurchaseRow], *, now: datetime) -> None:
    """Add purchases that are not here yet, with their clients where those are not known; deleted clients get none."""
    known = await lock_clients(tx, [purchase.client_id for purchase in purchases], now=now)
    rows = sorted({p.purchase_id: p for p in purchases if p.client_id in known}.items())
    connection = await tx.driver()
    await connection.execute(
        "insert into purchases (chain_id, purchase_id, client_id, purchase_day, total_minor, currency_code)"
        " select $1, * from unnest($2::text[], $3::text[], $4::date[], $5::bigint[], $6::text[])"
        " on conflict do nothing",
        tx.chain_id,
        [purchase_id for purchase_id, _ in rows],
        [row.client_id for _, row in rows],
        [row.purchase_day for _, row in rows],
        [row.total_minor for _, row in rows],
        [row.currency for _, row in rows],
    )


async def add_visit(
    tx: Transaction, *, visit_id: str, client_id: str, visited_at: datetime, now: datetime
) -> None:
    """Add a visit that is not here yet, with its client where not known; a deleted client gets none."""
    if not await lock_clients(tx, [client_id], now=now):
        return
    connection = await tx.driver()
    await connection.execute(
        "insert into visits (chain_id, visit_id, client_id, visited_at) values ($1, $2, $3, $4) on conflict do nothing",
        tx.chain_id,
        visit_id,
        client_id,
        visited_at,
    )


async def delete_client(tx: Transaction, client_id: str, *, now: datetime) -> None:
    """Forget a client for good; only the id stays, so that late events cannot bring the client back."""
    await lock_clients(tx, [client_id], now=now)
    parameters = {"chain_id": tx.chain_id, "client_id": client_id, "now": now}
    await tx.execute(
        "update clients set is_deleted = true, associate_id = '', store_id = '', language = '', time_zone = '',"
        " occasions = '[]', last_sent_at = null, last_marketing_at = null, last_received_at = null, touched_at = :now"
        " where chain_id = :chain_id and client_id = :client_id",
        parameters,
    )
    await tx.execute(
        "delete from purchases where chain_id = :chain_id and client_id = :client_id", parameters
    )
    await tx.execute("delete from visits where chain_id = :chain_id and client_id = :client_id", parameters)


async def note_contact(
    tx: Transaction,
    client_id: str,
    *,
    sent_at: datetime | None = None,
    marketing_at: datetime | None = None,
    received_at: datetime | None = None,
    now: datetime,
) -> None:
    """Move a client's last contacts forward, never back."""
    await lock_clients(tx, [client_id], now=now)
    await tx.execute(
        "update clients set last_sent_at = greatest(last_sent_at, :sent_at),"
        " last_marketing_at = greatest(last_marketing_at, :marketing_at),"
        " last_received_at = greatest(last_received_at, :received_at)"
        " where chain_id = :chain_id and client_id = :client_id and not is_deleted",
        {
            "chain_id": tx.chain_id,
            "client_id": client_id,
            "sent_at": sent_at,
            "marketing_at": marketing_at,
            "received_at": received_at,
        },
    )


async def note_event(tx: Transaction, happened_at: datetime) -> None:
    """Note how far the events have come. Last in a transaction: every event of a chain wants this row."""
    connection = await tx.driver()
    await connection.execute(
        "insert into progress (chain_id, newest_event_at) values ($1, $2) on conflict (chain_id) do update"
        " set newest_event_at = excluded.newest_event_at where progress.newest_event_at < excluded.newest_event_at",
        tx.chain_id,
        happened_at,
    )


async def summarise_facts(tx: Transaction, *, today: date, queue_day: date) -> FactsSummary:
    """Count what has arrived, and the suggestions that are open today."""
    found = await tx.execute(
        "select (select count(*) from clients where chain_id = :chain_id and not is_deleted) as clients,"
        " (select count(*) from purchases where chain_id = :chain_id) as purchases,"
        " (select count(*) from visits where chain_id = :chain_id) as visits,"
        " (select count(*) from suggestions where chain_id = :chain_id and state in ('open', 'snoozed')"
        "   and expires_on >= :queue_day and (state = 'open' or snoozed_until <= :today)) as open_suggestions,"
        " (select newest_event_at from progress where chain_id = :chain_id) as newest_event_at",
        {"chain_id": tx.chain_id, "today": today, "queue_day": queue_day},
    )
    row = found.one()
    return FactsSummary(row.clients, row.purchases, row.visits, row.open_suggestions, row.newest_event_at)
